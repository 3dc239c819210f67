// How near a model's outputs are to the float model's, fold by fold, with ratios that can be computed by hand.

import { describe, expect, test } from 'vitest';
import { memoryDataset } from '../../../src/data/index.js';
import { Reference, Sqnr } from '../../../src/evaluate/reference.js';
import { type Model, TensorType } from '../../../src/formats/tflite/index.js';
import { modelOf } from '../../support/models.js';
import { productOptions } from '../../support/small-graphs.js';

/** y = x times these factors. */
const scaled = (...factors: number[]): Model =>
  modelOf(
    [
      { name: 'x', shape: [1, 2] },
      { name: 'f', shape: [2], data: Float32Array.from(factors) },
      { name: 'y', shape: [1, 2] },
    ],
    [{ op: 'MUL', inputs: [0, 1], outputs: [2], options: productOptions() }],
    [0],
    [2],
  );
const data = (...rows: readonly (readonly number[])[]) =>
  memoryDataset({ shapes: [[2]], samples: rows.map((row) => ({ inputs: [Float32Array.from(row)] })) });
const decibels = (signal: number, noise: number): number => 10 * Math.log10(signal / noise);

describe('the ratio', () => {
  test('is that of the sums of squares over all runs', async () => {
    const reference = await Reference.of(scaled(1, 1), [data([1, 2], [3, 4], [5, 6])]);
    // The first element is doubled: its error is its value.
    expect(reference.sqnr(scaled(2, 1)).decibels).toBeCloseTo(decibels(91, 1 + 9 + 25), 5);
    expect(reference.sqnr(scaled(1, 1)).decibels).toBe(Number.POSITIVE_INFINITY);
  });

  test('of several outputs is their average', async () => {
    const two = (first: number, second: number): Model =>
      modelOf(
        [
          { name: 'x', shape: [1, 2] },
          { name: 'f', shape: [1], data: Float32Array.of(first) },
          { name: 'g', shape: [1], data: Float32Array.of(second) },
          { name: 'y', shape: [1, 2] },
          { name: 'z', shape: [1, 2] },
        ],
        [
          { op: 'MUL', inputs: [0, 1], outputs: [3], options: productOptions() },
          { op: 'MUL', inputs: [0, 2], outputs: [4], options: productOptions() },
        ],
        [0],
        [3, 4],
      );
    const reference = await Reference.of(two(1, 1), [data([1, 2], [3, 4])]);
    // Errors of a tenth and of a hundredth: 20 and 40 dB.
    expect(reference.sqnr(two(1.1, 1.01)).decibels).toBeCloseTo(30, 3);
  });

  test('is measured on a hundred runs at most', async () => {
    const rows = Array.from({ length: 150 }, (_, i) => [i < 100 ? 1 : 1000, 1]);
    const reference = await Reference.of(scaled(1, 1), [data(...rows)]);
    expect(reference.signatures[0]?.runs).toHaveLength(100);
    expect(reference.sqnr(scaled(2, 1)).decibels).toBeCloseTo(decibels(200, 100), 5);
  });

  test('is better by a gain only if at most one fold is worse', () => {
    const one = new Sqnr(20, [20, 20, 20, 20]);
    expect(new Sqnr(21, [21, 21, 21, 21]).exceeds(one, 0.5)).toBe(true);
    expect(new Sqnr(21, [21, 21, 21, 21]).exceeds(one, 1)).toBe(false);
    expect(new Sqnr(25, [40, 40, 19, 21]).exceeds(one, 0.5)).toBe(true);
    expect(new Sqnr(25, [40, 40, 19, 19]).exceeds(one, 0.5)).toBe(false);
    expect(new Sqnr(25, [40, 40, 20, 19]).exceeds(one, 0.5)).toBe(true);
  });
});

test('a choice made without a fold is evaluated on that fold', async () => {
  const reference = await Reference.of(scaled(1, 1), [data([1, 0], [2, 0], [4, 0], [8, 0], [16, 0])]);
  const wrong = scaled(2, 1);
  const asked: number[] = [];
  const { decibels: ratio } = reference.crossValidated((fold) => {
    asked.push(fold);
    return fold === 0 ? wrong : scaled(1, 1);
  });
  expect(asked).toEqual([0, 1, 2, 3]);
  // Runs 0 and 4 are of the first fold; the others are exact.
  expect(ratio).toBeCloseTo(decibels(1 + 4 + 16 + 64 + 256, 1 + 256), 5);
});

describe('probabilities', () => {
  const softmax = (factor: number): Model => {
    const model = modelOf(
      [
        { name: 'x', shape: [1, 2] },
        { name: 'f', shape: [1], data: Float32Array.of(factor) },
        { name: 'logits', shape: [1, 2] },
        { name: 'p', shape: [1, 2] },
      ],
      [
        { op: 'MUL', inputs: [0, 1], outputs: [2], options: productOptions() },
        { op: 'SOFTMAX', inputs: [2], outputs: [3], options: { kind: 'SoftmaxOptions', beta: 1 } },
      ],
      [0],
      [3],
    );
    return model;
  };

  test('are measured together with their logits, whose ratio is limited', async () => {
    const reference = await Reference.of(softmax(1), [data([1, 2], [0.5, -0.5])]);
    expect(reference.signatures[0]?.points).toMatchObject([{ activation: null }, { activation: expect.anything() }]);
    // Equal outputs and logits: infinite, and 120 dB.
    expect(reference.sqnr(softmax(1)).decibels).toBe(Number.POSITIVE_INFINITY);
    const near = reference.sqnr(softmax(1.01)).decibels;
    expect(near).toBeGreaterThan(35);
    expect(near).toBeLessThan(60);
  });
});

test('outputs that are no real numbers have no error', async () => {
  const int8 = { shape: [1, 2], type: TensorType.INT8, scale: 0.5 };
  const model = modelOf([int8, int8], [{ op: 'RELU', inputs: [0], outputs: [1] }], [0], [1]);
  const reference = await Reference.of(model, [data([1, 2])]);
  expect(reference.signatures[0]?.points).toEqual([]);
  expect(reference.sqnr(model).decibels).toBe(Number.POSITIVE_INFINITY);
});
