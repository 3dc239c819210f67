import { expect, test } from 'vitest';
import { memoizeRunner, type Runner } from '../../../src/evaluate/index.js';

function countingRunner(outputBytes: number, state: Runner['state'] = 'none'): { runner: Runner; samples: number[] } {
  const samples: number[] = [];
  const runner: Runner = {
    inputs: [],
    outputs: [],
    basis: 'host',
    concurrency: 1,
    warnings: [],
    state,
    run: async (sample) => {
      samples.push(sample[0] ?? -1);
      return { output: new Uint8Array(outputBytes).fill(sample[0] ?? 0), latencyMs: 1 };
    },
  };
  return { runner, samples };
}

test('a sample is run once', async () => {
  const { runner, samples } = countingRunner(4);
  const memoized = memoizeRunner(runner);
  for (const value of [1, 2, 1]) expect((await memoized.run(Uint8Array.of(value))).output[0]).toBe(value);
  expect(samples).toEqual([1, 2]);
});

test('a model that keeps state is run each time', async () => {
  const { runner, samples } = countingRunner(4, 'continues');
  const memoized = memoizeRunner(runner);
  for (const value of [1, 1]) await memoized.run(Uint8Array.of(value));
  expect(samples).toEqual([1, 1]);
});

test('outputs beyond the limit are dropped, the oldest first', async () => {
  const { runner, samples } = countingRunner(4);
  const memoized = memoizeRunner(runner, 8);
  for (const value of [1, 2, 3, 2, 3, 1]) await memoized.run(Uint8Array.of(value));
  expect(samples).toEqual([1, 2, 3, 1]);
});
