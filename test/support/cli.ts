// The command as its users start it: a process of its own.

import { execFile } from 'node:child_process';
import path from 'node:path';
import { requireFollowsSchema } from './documents.js';

export interface CliResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const program = path.resolve('bin/atoll.js');

export function atoll(
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<CliResult> {
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...args], { ...options, maxBuffer: 1e8 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr });
    });
  });
}

/** The document of --json. @throws if it does not follow its schema */
export function jsonOf(result: CliResult): Record<string, unknown> {
  const document = JSON.parse(result.stdout) as Record<string, unknown>;
  requireFollowsSchema(document);
  return document;
}
