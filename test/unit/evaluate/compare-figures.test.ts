// The figures of a comparison, computed by hand.

import { describe, expect, test } from 'vitest';
import { memoryDataset } from '../../../src/data/index.js';
import { type ComparedTensor, diagnose } from '../../../src/evaluate/diagnosis.js';
import { type Comparison, compare } from '../../../src/evaluate/index.js';
import { type Model, TensorType } from '../../../src/formats/tflite/index.js';
import { denseModel, denseOptions, modelOf, type TensorSpec } from '../../support/models.js';
import { productOptions } from '../../support/small-graphs.js';

const scaled = (factors: readonly number[], name = 'y'): Model =>
  modelOf(
    [
      { name: 'x', shape: [1, 2] },
      { name: 'f', shape: [2], data: Float32Array.from(factors) },
      { name, shape: [1, 2] },
    ],
    [{ op: 'MUL', inputs: [0, 1], outputs: [2], options: productOptions() }],
    [0],
    [2],
  );
const data = (rows: readonly (readonly number[])[]) =>
  memoryDataset({ shapes: [[2]], samples: rows.map((row) => ({ inputs: [Float32Array.from(row)] })) });
const tensorOf = (result: Comparison, name: string) => result.tensors.find((tensor) => tensor.name === name);

describe('of two float models', () => {
  test('errors, ratio, cosine and extremes are over all values of all samples', async () => {
    const result = await compare(
      scaled([1, 1]),
      scaled([2, 1]),
      data([
        [1, 2],
        [3, -4],
      ]),
    );
    // 1, 2, 3, -4 beside 2, 2, 6, -4.
    expect(result).toMatchObject({ samples: 2, agreement: 0.5 });
    expect(result.signalToNoise).toBeCloseTo(10 * Math.log10(30 / 10), 5);
    expect(tensorOf(result, 'y')).toMatchObject({
      op: 'MUL',
      operator: 0,
      min: -4,
      max: 3,
      scale: null,
      zeroPoint: null,
      rmsePerScale: null,
      saturation: 0,
      rmse: expect.closeTo(Math.sqrt(10 / 4), 5),
      signalToNoise: expect.closeTo(10 * Math.log10(3), 5),
      cosine: expect.closeTo((2 + 4 + 18 + 16) / Math.sqrt(30 * 60), 5),
    });
    expect(tensorOf(result, 'x')).toMatchObject({ op: null, operator: null, rmse: 0, signalToNoise: null });
    expect(result.worst).toMatchObject([{ name: 'y', diagnosis: { cause: 'stored-weights', input: null } }]);
  });

  test('zeros have no direction', async () => {
    const result = await compare(scaled([0, 0]), scaled([0, 1]), data([[1, 2]]));
    expect(tensorOf(result, 'y')).toMatchObject({
      cosine: null,
      signalToNoise: null,
      rmse: expect.closeTo(Math.SQRT2, 5),
    });
  });

  test('a limit counts samples, and progress is told', async () => {
    const steps: unknown[] = [];
    const onProgress = (progress: unknown) => steps.push(progress);
    const result = await compare(
      scaled([1, 1]),
      scaled([1, 1]),
      data([
        [1, 2],
        [3, 4],
        [5, 6],
      ]),
      { limit: 2, onProgress },
    );
    expect(result).toMatchObject({ samples: 2, agreement: 1, signalToNoise: null, worst: [] });
    expect(steps).toEqual([
      { step: 'compare', done: 1, total: 2 },
      { step: 'compare', done: 2, total: 2 },
    ]);
  });

  test('outputs are matched by position, other tensors by name and size', async () => {
    const result = await compare(scaled([1, 1]), scaled([1, 1], 'renamed'), data([[1, 2]]));
    expect(result.tensors.map(({ name }) => name)).toEqual(['x', 'renamed']);
    await expect(compare(scaled([1, 1]), denseModel(), data([[1, 2]]))).rejects.toThrow(
      'the inputs of the first are [1, 2], those of the second [1, 4]',
    );
  });
});

describe('of a float and a quantized model', () => {
  const graph = (tensors: readonly TensorSpec[]): Model =>
    modelOf(tensors, [{ op: 'RELU', inputs: [0], outputs: [1] }], [0], [1]);
  const float = graph([
    { name: 'x', shape: [1, 2] },
    { name: 'y', shape: [1, 2] },
  ]);
  const int8 = { shape: [1, 2], type: TensorType.INT8, scale: 0.5, zeroPoint: 3 } as const;
  const quantized = graph([
    { name: 'x', ...int8 },
    { name: 'y', ...int8 },
  ]);

  test('errors are counted in steps; values beyond the range by more than half a step are saturated', async () => {
    // The range is -65.5 to 62; half a step more still rounds to its ends.
    const result = await compare(
      float,
      quantized,
      data([
        [62.2, -65.7],
        [62.3, -65.8],
        [1, 1.25],
      ]),
    );
    expect(tensorOf(result, 'x')).toMatchObject({ scale: 0.5, zeroPoint: 3, saturation: 2 / 6 });
    const errors = [0.2, 0.2, 0.3, 0.3, 0, 0.25];
    const rmse = Math.sqrt(errors.reduce((sum, error) => sum + error ** 2, 0) / 6);
    expect(tensorOf(result, 'x')?.rmse).toBeCloseTo(rmse, 4);
    expect(tensorOf(result, 'x')?.rmsePerScale).toBeCloseTo(rmse / 0.5, 4);
    expect(tensorOf(result, 'y')).toMatchObject({ op: 'RELU', operator: 0, min: 0 });
  });
});

describe('the likely cause of an error is the first that applies', () => {
  const tensor = (changes: Partial<ComparedTensor> = {}): ComparedTensor => ({
    op: 'ADD',
    operator: 1,
    rmsePerScale: 2,
    signalToNoise: 20,
    saturation: 0,
    ...changes,
  });
  const better = tensor({ op: 'CONV_2D', operator: 0, signalToNoise: 40 });
  const layer = (scales: readonly number[], rows = 2): Model =>
    modelOf(
      [{ shape: [1, 4] }, { shape: [rows, 4], data: new Int8Array(4 * rows), scale: scales }, { shape: [1, rows] }],
      [{ op: 'FULLY_CONNECTED', inputs: [0, 1, -1], outputs: [2], options: denseOptions() }],
      [0],
      [2],
    );
  const model = layer([1]);
  const causeOf = (changes: Partial<ComparedTensor>, inputs: readonly ComparedTensor[] = [better], of = model) =>
    diagnose(tensor(changes), inputs, of);

  test('an activation with a fixed range', () => {
    expect(causeOf({ op: 'SOFTMAX', saturation: 1 })).toEqual({
      cause: 'fixed-range',
      input: { op: 'CONV_2D', operator: 0 },
      saturation: 1,
    });
    expect(causeOf({ op: 'SOFTMAX' }, [])).toMatchObject({ cause: 'coarse', input: null });
  });

  test('values outside the range, from more than a thousandth on', () => {
    expect(causeOf({ saturation: 0.0011 }).cause).toBe('clamped');
    expect(causeOf({ saturation: 0.001 }).cause).toBe('coarse');
  });

  test('an input that is hardly better: the worst of them', () => {
    const inputs = [better, tensor({ op: 'MUL', operator: 7, signalToNoise: 20.9 }), tensor({ signalToNoise: null })];
    expect(causeOf({}, inputs)).toMatchObject({ cause: 'inherited', input: { op: 'MUL', operator: 7 } });
    expect(causeOf({}, [tensor({ signalToNoise: 21 })]).cause).toBe('coarse');
    expect(causeOf({ signalToNoise: null }, [better]).cause).toBe('inherited');
  });

  test('rounding, below half a step', () => {
    expect(causeOf({ rmsePerScale: 0.49 }).cause).toBe('wide-range');
    expect(causeOf({ rmsePerScale: 0.5 }).cause).toBe('coarse');
  });

  test('weights: one scale for several channels, or the weights themselves', () => {
    const dense = { op: 'FULLY_CONNECTED', operator: 0 };
    expect(causeOf(dense).cause).toBe('shared-scale');
    expect(causeOf(dense, [better], layer([1, 1])).cause).toBe('weights');
    expect(causeOf(dense, [better], layer([1], 1)).cause).toBe('weights');
    expect(causeOf({ ...dense, operator: null }).cause).toBe('coarse');
    expect(causeOf({ rmsePerScale: null }).cause).toBe('stored-weights');
  });
});
