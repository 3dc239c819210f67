// Damaged model files: a coded error or a sound model, never a crash, a hang over 2 s, or more than 192 MiB
// on top of what the program itself takes. The reading
// runs in a process of its own, so that its memory can be told.

import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { sharedFolder, sharedModels } from '../support/shared.js';

const run = promisify(execFile);

interface Result {
  readonly mutations: number;
  readonly errors: Record<string, number>;
  readonly models: number;
  readonly slowestMs: number;
  readonly peakBytes: number;
  readonly failures: readonly string[];
}

const example = path.resolve('examples/digits/digits_float.tflite');
const total = 60_000;

test(`${total} mutations of real files`, async () => {
  const files = [example, ...sharedModels().map((file) => path.join(sharedFolder, 'models', file))];
  const { stdout } = await run(
    process.execPath,
    ['--max-old-space-size=200', 'test/fuzz/mutate-tflite.js', String(total), ...files],
    {
      maxBuffer: 1e8,
    },
  );
  const result = JSON.parse(stdout) as Result;
  expect(result.failures).toEqual([]);
  expect(result.mutations).toBe(total);
  expect(result.slowestMs).toBeLessThan(2000);
  expect(result.peakBytes).toBeLessThan(192 * 1024 * 1024);
  // Both ends of the contract must have been met, or the mutations were none.
  expect(result.models).toBeGreaterThan(100);
  expect(Object.values(result.errors).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(total / 4);
}, 600_000);
