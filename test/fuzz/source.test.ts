// Damaged source models: a coded error or a converted model; never a crash, 2 s of processor time, or more than 512 MiB
// on top of what the program itself takes. Each format is converted in a process of its own, so that its memory can be
// measured.

import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);
const folder = 'test/fixtures/source';
const total = 200 * Number(process.env.ATOLL_FUZZ_ROUNDS ?? 5);

interface Result {
  readonly mutations: number;
  readonly errors: Readonly<Record<string, number>>;
  readonly models: number;
  readonly slowestMs: number;
  readonly peakBytes: number;
  readonly failures: readonly string[];
}

test.each(['.keras', '.h5'])(
  `${total} mutations of %s files`,
  async (extension) => {
    const files = readdirSync(folder).filter((file) => file.endsWith(extension));
    const { stdout, stderr } = await run(
      process.execPath,
      ['test/fuzz/mutate-source.js', String(total), ...files.map((file) => path.join(folder, file))],
      { maxBuffer: 1e8 },
    );
    const result = JSON.parse(stdout) as Result;
    expect(stderr).toBe('');
    expect(result.failures).toEqual([]);
    expect(result.mutations).toBe(total);
    expect(result.slowestMs).toBeLessThan(2000);
    expect(result.peakBytes).toBeLessThan(512 * 1024 * 1024);
    // Both must have happened, or the mutations were none.
    expect(result.models).toBeGreaterThan(total / 10);
    expect(Object.values(result.errors).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(total / 4);
  },
  900_000,
);
