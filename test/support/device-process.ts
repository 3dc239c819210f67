// A device or a broker in a process of its own, reached as its users reach it.

import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { requireFollowsSchema } from './documents.js';

export interface DeviceProcess {
  readonly uri: string;
  readonly child: ChildProcess;
  /** As a user ends it; the exit code. */
  readonly stop: () => Promise<number | null>;
}

export function simulateDevice(...options: readonly string[]): Promise<DeviceProcess> {
  return serving('simulate-device', ...options);
}

export async function serving(
  verb: 'simulate-device' | 'serve' | 'broker',
  ...options: readonly string[]
): Promise<DeviceProcess> {
  const child = spawn(process.execPath, [path.resolve('bin/atoll.js'), verb, ...options, '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const uri = await new Promise<string>((resolve, reject) => {
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (text: Buffer) => {
      stdout += text.toString();
      if (!stdout.endsWith('}\n')) return;
      const document = JSON.parse(stdout) as { readonly uri: string };
      requireFollowsSchema(document);
      resolve(document.uri);
    });
    child.stderr.on('data', (text: Buffer) => {
      stderr += text.toString();
    });
    void ended.then((code) => reject(new Error(`${verb} ended with ${code}: ${stdout}${stderr}`)));
  });
  return {
    uri,
    child,
    stop: () => {
      child.kill('SIGINT');
      return ended;
    },
  };
}
