// Flashes with a program that is installed on this machine.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fail, reasonOf } from '../../base/errors.js';
import { commandLine, findOnPath, runProgram } from '../../base/programs/index.js';
import type { Target } from '../../targets/index.js';
import { attachedPorts, onlyPort } from '../client/index.js';
import { type FlashCause, type FlashMethod, type FlashProgram, type How, programOf } from './programs.js';
import type { FlashJob, FlashRun, FlashWay } from './way.js';

/** Erasing a large flash takes a minute. */
const timeoutSeconds = 600;
const imageFile = 'model.bin';

/** @throws FLASH_NO_WAY if it is not installed; SERIAL_CHOICE if the port must be named */
export async function programWay(job: FlashJob, how: How<FlashMethod>): Promise<FlashWay> {
  const { target, place, choice } = job;
  const known = programOf(how.method);
  const program = await firstOnPath(known.names);
  if (program === null) throw fail('FLASH_NO_WAY', { target: target.id, list: `${how.method} is not on PATH` });
  const port = known.usesPort ? (choice.port ?? (await portOf(target))) : '';
  const commandsFor = (name: string, file: string) =>
    known.commands(how, { program: name, file, place, choice, port }, target.flash?.start ?? 0);
  return {
    method: how.method,
    through: port === '' ? program : `${program} at ${port}`,
    // As a user would type them.
    commands: commandsFor(path.basename(program), imageFile),
    write: async (run) => {
      const folder = await mkdtemp(path.join(tmpdir(), 'atoll-flash-'));
      try {
        await writeFile(path.join(folder, imageFile), job.image);
        for (const [n, command] of commandsFor(program, path.join(folder, imageFile)).entries())
          await call(known, command, n === 0, run);
        return { verifiedBy: 'program' };
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    },
  };
}

/** @param writes whether this command must report that it verified. @throws FLASH_PROGRAM, INTERRUPTED */
async function call(
  { verified, causes }: FlashProgram<FlashMethod>,
  command: readonly string[],
  writes: boolean,
  { signal, onProgress }: FlashRun,
): Promise<void> {
  const [program = '', ...args] = command;
  const onLine = (line: string): void => {
    const percent = /(\d{1,3})(?:\.\d+)? ?%/.exec(line)?.[1];
    if (percent !== undefined) onProgress?.({ step: 'write', done: Math.min(Number(percent), 100), total: 100 });
  };
  const failed = (reason: string, cause: FlashCause): Error =>
    fail('FLASH_PROGRAM', { program: path.basename(program), reason, cause, command: commandLine(command) });
  const { code, killedBy, text } = await runProgram(program, args, { timeoutSeconds, signal, onLine }).catch(
    (error: unknown) => {
      signal?.throwIfAborted();
      throw failed(reasonOf(error), 'unknown');
    },
  );
  const cause = causes.find(([complaint]) => complaint.test(text))?.[1] ?? 'unknown';
  if (killedBy !== null) throw failed(`it was ended by signal ${killedBy}`, 'unknown');
  if (code !== 0) throw failed(`exit code ${code}: ${complaintIn(text)}`, cause);
  if (writes && verified !== null && !verified.test(text))
    throw failed(`it did not report that it verified: ${complaintIn(text)}`, cause);
}

/** The most informative line: the first that mentions an error, otherwise the last. */
function complaintIn(text: string): string {
  const lines = text.split(/[\r\n]+/).filter((line) => line.trim() !== '');
  return (
    lines.find((line) => /error|failed|no device|not found|cannot/i.test(line)) ??
    lines.at(-1) ??
    'no output'
  ).trim();
}

async function firstOnPath(names: readonly string[]): Promise<string | null> {
  for (const name of names) {
    const found = await findOnPath(name);
    if (found !== null) return found;
  }
  return null;
}

async function portOf(target: Target): Promise<string> {
  return onlyPort(await attachedPorts([target]), target.id, ({ targets }) => targets.length > 0).path;
}
