// A PostgreSQL server of this machine's, for as long as a test needs it.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePort } from './brokers.js';

export interface TestDatabase {
  readonly url: string;
  /** Ends it as an administrator does; what was committed stays. */
  readonly halt: () => Promise<void>;
  /** Starts it again where it was. */
  readonly resume: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** Debian keeps them beside each other by version, out of everybody's path. */
function programs(): string | null {
  const root = '/usr/lib/postgresql';
  const folders = existsSync(root) ? readdirSync(root).map((version) => path.join(root, version, 'bin')) : [];
  return folders.find((folder) => existsSync(path.join(folder, 'initdb'))) ?? null;
}

export function hasPostgres(): boolean {
  return programs() !== null;
}

/** It refuses to run as root; Debian has a user for it. */
function user(): { readonly uid?: number; readonly gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const id = (flag: string): number => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

export async function postgres(): Promise<TestDatabase> {
  const bin = programs() as string;
  const owner = user();
  const folder = mkdtempSync(path.join(tmpdir(), 'atoll-postgres-'));
  if (owner.uid !== undefined && owner.gid !== undefined) chownSync(folder, owner.uid, owner.gid);
  const options = { ...owner, cwd: folder, env: { PATH: process.env.PATH, LC_ALL: 'C' } };
  execFileSync(path.join(bin, 'initdb'), ['-D', 'data', '-U', 'atoll', '-A', 'trust', '--no-sync'], {
    ...options,
    stdio: 'ignore',
  });
  const port = await freePort();
  const settings = ['listen_addresses=127.0.0.1', 'fsync=off', `unix_socket_directories=${folder}`].flatMap(
    (setting) => ['-c', setting],
  );
  let child: ChildProcess;
  const resume = async (): Promise<void> => {
    child = spawn(path.join(bin, 'postgres'), ['-D', 'data', '-p', String(port), ...settings], {
      ...options,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    await ready(child);
  };
  const halt = async (): Promise<void> => {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGINT');
    await ended;
  };
  await resume();
  return {
    url: `postgres://atoll@127.0.0.1:${port}/postgres`,
    halt,
    resume,
    stop: async () => {
      if (child.exitCode === null) await halt();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function ready(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = '';
    child.stderr?.on('data', (text: Buffer) => {
      said += text.toString();
      if (said.includes('ready to accept connections')) resolve();
    });
    child.once('close', (code) => reject(new Error(`postgres ended with ${code}: ${said}`)));
  });
}
