// Runs a program to its end, or to a limit, with everything that it starts.

import { spawn } from 'node:child_process';

export interface ProgramOptions {
  readonly folder?: string;
  readonly timeoutSeconds: number;
  readonly signal?: AbortSignal | undefined;
  /** Its lines as they come; a carriage return ends one too, since that is how programs redraw a bar. */
  readonly onLine?: (line: string) => void;
}

export interface ProgramRun {
  /** null where a signal ended it. */
  readonly code: number | null;
  readonly killedBy: string | null;
  /** What it printed, to either stream. */
  readonly text: string;
}

const maxOutput = 4 * 1024 * 1024;

/**
 * A program may be a script that starts the real one, so that the whole group is ended.
 * @throws Error where it does not start or not end; the signal's reason
 */
export function runProgram(
  program: string,
  args: readonly string[],
  { folder, timeoutSeconds, signal, onLine }: ProgramOptions,
): Promise<ProgramRun> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const child = spawn(program, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    let text = '';
    let line = '';
    const take = (chunk: Buffer): void => {
      const said = chunk.toString('utf8');
      if (text.length < maxOutput) text += said;
      const lines = `${line}${said}`.split(/[\r\n]+/);
      line = (lines.pop() ?? '').slice(-maxOutput);
      for (const whole of lines) onLine?.(whole);
    };
    const end = (reason: unknown): void => {
      if (child.pid !== undefined) endGroup(child.pid);
      reject(reason);
    };
    const timer = setTimeout(() => end(new Error(`it was ended after ${timeoutSeconds} s`)), 1000 * timeoutSeconds);
    const onAbort = (): void => end(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    child.once('error', end);
    child.once('close', (code, killedBy) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      if (line !== '') onLine?.(line);
      resolve({ code, killedBy, text });
    });
  });
}

function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It has ended by itself.
  }
}
