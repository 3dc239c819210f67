// Runs edgetpu_compiler, which Google ships for x86-64 Debian alone, in a folder of its own.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fail, reasonOf } from '../../base/errors.js';
import { findOnPath, isExecutable, runProgram } from '../../base/programs/index.js';
import { type CompilerLog, parseCompilerLog } from './compiler-log.js';

export interface CompilerRun {
  /** The compiler's path. */
  readonly compiler: string;
  /** Part of the graph that is mapped: one, or every one that could be (-a). */
  readonly multipleSubgraphs?: boolean;
  /** Of libedgetpu that the file must work with (-m); the compiler's newest unless given. */
  readonly minRuntimeVersion?: number;
  readonly timeoutSeconds?: number;
  readonly signal?: AbortSignal;
}

export interface Compilation {
  /** null where the compiler failed. */
  readonly bytes: Uint8Array | null;
  readonly log: CompilerLog;
  /** All that it printed. */
  readonly text: string;
}

const compilerName = 'edgetpu_compiler';
const defaultTimeoutSeconds = 600;
/** After its own limit, which it keeps by itself. */
const graceSeconds = 2;

/**
 * @param given a path, which must be right; on PATH it is looked for where none is given
 * @returns null where it is not installed
 * @throws EDGETPU_COMPILER_MISSING for a path where none is
 */
export async function findCompiler(given: string | null): Promise<string | null> {
  if (given === null) return findOnPath(compilerName);
  if (await isExecutable(given)) return path.resolve(given);
  throw fail('EDGETPU_COMPILER_MISSING', { path: given });
}

/**
 * @throws EDGETPU_COMPILER_FAILED where it does not run, or not to its end; INTERRUPTED. That it refuses a model is in
 * the log.
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
    // It has a limit of its own, of 180 s; versions before 15 do not know the option.
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
  // A crash is a word about the model too.
  if (killedBy !== null) return `${text}\nended by signal ${killedBy}\n`;
  if (code === 126 || code === 127 || (code !== 0 && text.trim() === ''))
    throw failed(`exit code ${code}, ${text.trim() || 'without a word'}`);
  return text;
}
