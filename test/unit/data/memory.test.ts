import { expect, test } from 'vitest';
import { memoryDataset } from '../../../src/data/index.js';

const shapes = [[2, 2]];
const image = Float32Array.of(1, 2, 3, 4);

test('labelled samples are a classification, samples with targets a regression, others can only calibrate', () => {
  expect(memoryDataset({ shapes, samples: [{ inputs: [image], label: 1 }] })).toMatchObject({
    task: 'classification',
    metric: 'top1',
    count: 1,
    hasLabels: true,
  });
  expect(memoryDataset({ shapes, samples: [{ inputs: [image], targets: [image] }] })).toMatchObject({
    task: 'regression',
    metric: 'mse',
    hasTargets: true,
  });
  expect(memoryDataset({ shapes, samples: [{ inputs: [image] }] })).toMatchObject({ task: 'none', metric: null });
});

test('samples are given in order, up to a limit', async () => {
  const samples = [0, 1, 2].map((label) => ({ inputs: [image], label }));
  const labels: (number | null)[] = [];
  for await (const { label, index } of memoryDataset({ shapes, samples }).samples(2)) {
    expect(index).toBe(labels.length);
    labels.push(label);
  }
  expect(labels).toEqual([0, 1]);
});

test.each([
  ['another number of inputs', [{ inputs: [image, image] }], 'DATASET_MISMATCH', /sample 0 has 2 input/],
  ['another number of values', [{ inputs: [image] }, { inputs: [Float32Array.of(1)] }], 'DATASET_MISMATCH', /sample 1/],
  ['a label in some samples', [{ inputs: [image], label: 1 }, { inputs: [image] }], 'DATASET_LABELS', /1 of 2 samples/],
])('%s is an error that says which', (_what, samples, code, message) => {
  expect(() => memoryDataset({ shapes, samples })).toThrow(
    expect.objectContaining({ code, message: expect.stringMatching(message) }),
  );
});
