// Runs edgetpu_compiler, which Google ships for x86-64 Debian only, in a temporary folder.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fail, reasonOf } from '../../base/errors.js';
import { findOnPath, isExecutable, runProgram } from '../../base/programs/index.js';
import { type CompilerLog, parseCompilerLog } from './compiler-log.js';

export interface CompilerRun {
  /** The compiler's path. */
  readonly compiler: string;
  /** Whether one part of the graph is mapped, or every possible one (-a). */
  readonly multipleSubgraphs?: boolean;
  /** Minimum version of libedgetpu for the result (-m); by default the compiler's newest. */
  readonly minRuntimeVersion?: number;
  readonly timeoutSeconds?: number;
  readonly signal?: AbortSignal;
}

export interface Compilation {
  /** null if the compiler failed. */
  readonly bytes: Uint8Array | null;
  readonly log: CompilerLog;
  /** All of its output. */
  readonly text: string;
}

const compilerName = 'edgetpu_compiler';
const defaultTimeoutSeconds = 600;
/** Longer than the compiler's own limit. */
const graceSeconds = 2;

/**
 * @param given a path that must exist; without it, PATH is searched
 * @returns null if it is not installed
 * @throws EDGETPU_COMPILER_MISSING if the given path does not exist
 */
export async function findCompiler(given: string | null): Promise<string | null> {
  if (given === null) return findOnPath(compilerName);
  if (await isExecutable(given)) return path.resolve(given);
  throw fail('EDGETPU_COMPILER_MISSING', { path: given });
}

/**
 * @throws EDGETPU_COMPILER_FAILED if it does not run to its end; INTERRUPTED. That it refuses a model is in the log.
 */
export async function runCompiler(bytes: Uint8Array, run: CompilerRun): Promise<Compilation> {
  const folder = await mkdtemp(path.join(tmpdir(), 'atoll-compile-'));
  try {
    await writeFile(path.join(folder, 'model.tflite'), bytes);
    const text = await output(run, folder);
    const log = parseCompilerLog(text);
    const made = await readFile(path.join(folder, 'model_edgetpu.tflite')).catch(() => null);
    return { bytes: log.succeeded && made !== null ? new Uint8Array(made) : null, log, text };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function output(
  { compiler, multipleSubgraphs, minRuntimeVersion, timeoutSeconds, signal }: CompilerRun,
  folder: string,
): Promise<string> {
  const options = [
    ...(multipleSubgraphs === true ? ['-a'] : []),
    ...(minRuntimeVersion === undefined ? [] : ['-m', String(minRuntimeVersion)]),
    // The compiler's own limit is 180 s; versions before 15 do not know the option.
    ...(timeoutSeconds === undefined ? [] : ['-t', String(timeoutSeconds)]),
  ];
  const args = ['-s', ...options, '-o', folder, path.join(folder, 'model.tflite')];
  const limit = (timeoutSeconds ?? defaultTimeoutSeconds) + graceSeconds;
  const failed = (reason: string): Error => fail('EDGETPU_COMPILER_FAILED', { path: compiler, reason });
  const { code, killedBy, text } = await runProgram(compiler, args, { folder, timeoutSeconds: limit, signal }).catch(
    (error: unknown) => {
      signal?.throwIfAborted();
      throw failed(reasonOf(error));
    },
  );
  // A crash is a result too.
  if (killedBy !== null) return `${text}\nended by signal ${killedBy}\n`;
  if (code === 126 || code === 127 || (code !== 0 && text.trim() === ''))
    throw failed(`exit code ${code}, ${text.trim() || 'without output'}`);
  return text;
}
