// Runs a program, and everything that it starts, to its end or to a time limit.

import { spawn } from 'node:child_process';

export interface ProgramOptions {
  readonly folder?: string;
  readonly timeoutSeconds: number;
  readonly signal?: AbortSignal | undefined;
  /** Called with each line. A carriage return also ends a line, since programs redraw progress bars with it. */
  readonly onLine?: (line: string) => void;
}

export interface ProgramRun {
  /** null if a signal ended it. */
  readonly code: number | null;
  readonly killedBy: string | null;
  /** Combined output of both streams. */
  readonly text: string;
}

const maxOutput = 4 * 1024 * 1024;

/**
 * The program may be a script that starts the real one, so the whole process group is ended.
 * @throws Error if it does not start or does not end; the signal's reason
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
    // The program has already ended.
  }
}
