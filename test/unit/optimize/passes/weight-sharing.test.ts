// Clustering and schedules of sparsity on weights whose best answer is known.

import { describe, expect, test } from 'vitest';
import { Reference } from '../../../../src/evaluate/index.js';
import { constantFloats, type Model, mainSubgraph } from '../../../../src/formats/tflite/index.js';
import { cluster, scheduleBySensitivity } from '../../../../src/optimize/passes/index.js';
import { denseOptions, modelOf } from '../../../support/models.js';
import { memoryDataset } from '../../../support/quantizing.js';

/** A dense layer of 16 inputs and as many rows as the values fill. */
const layer = (values: Float32Array): Model =>
  modelOf(
    [
      { shape: [1, 16] },
      { name: 'w', shape: [values.length / 16, 16], data: values },
      { shape: [1, values.length / 16] },
    ],
    [{ op: 'FULLY_CONNECTED', inputs: [0, 1, -1], outputs: [2], options: denseOptions() }],
    [0],
    [2],
  );
const weightsOf = (model: Model): Float32Array => {
  const tensor = mainSubgraph(model).tensors.find(({ name }) => name === 'w');
  const values = tensor === undefined ? null : constantFloats(model, tensor);
  if (values === null) throw new Error('no weights');
  return values;
};
/** Each of these values in turn. */
const repeated = (...values: number[]): Float32Array =>
  Float32Array.from({ length: 256 }, (_, i) => values[i % values.length] ?? 0);
const clustered = (values: Float32Array, clusters: number, keepZeros = false): number[] =>
  Array.from(weightsOf(cluster(layer(values), { clusters, keepZeros })).slice(0, 4));

describe('clusters', () => {
  test('are the means of what they replace', () => {
    expect(clustered(repeated(0, 1, 10, 11), 2)).toEqual([0.5, 0.5, 10.5, 10.5]);
    expect(clustered(repeated(-3, -1, 5, 7), 4)).toEqual([-3, -1, 5, 7]);
    expect(clustered(repeated(-3, -1, 5, 7), 1)).toEqual([2, 2, 2, 2]);
  });

  test('move until they converge, from a poor first guess', () => {
    // Quantiles of these are 0 and 0; the means are 0 and 100.
    const values = Float32Array.from({ length: 256 }, (_, i) => (i < 8 ? 100 : 0));
    const shared = weightsOf(cluster(layer(values), { clusters: 2 }));
    expect(new Set(shared).size).toBeLessThanOrEqual(2);
    const skewed = Float32Array.from({ length: 256 }, (_, i) => (i % 8 === 0 ? 20 : i % 2));
    expect([...new Set(weightsOf(cluster(layer(skewed), { clusters: 2 })))].sort((a, b) => a - b)).toEqual([
      expect.closeTo(128 / 224, 5),
      20,
    ]);
  });

  test('keep zeros on request, as one of the values', () => {
    expect(clustered(repeated(0, 1, 2, 4), 3, true)).toEqual([0, 1.5, 1.5, 4]);
    expect(clustered(repeated(0, 1, 2, 3), 2, true)).toEqual([0, 2, 2, 2]);
    expect(clustered(repeated(0, 1, 10, 11), 2)).toEqual([0.5, 0.5, 10.5, 10.5]);
    // Without zeros all values are free.
    expect(clustered(repeated(1, 2, 10, 11), 2, true)).toEqual([1.5, 1.5, 10.5, 10.5]);
    // No value is left for the others: nothing changes.
    expect(clustered(repeated(0, 1, 2, 3), 1, true)).toEqual([0, 1, 2, 3]);
    expect(clustered(repeated(0), 4, true)).toEqual([0, 0, 0, 0]);
  });

  test('are for layers of 256 weights or more', () => {
    const small = Float32Array.from({ length: 240 }, (_, i) => i);
    expect(weightsOf(cluster(layer(small), { clusters: 2 }))).toEqual(small);
    expect(
      new Set(weightsOf(cluster(layer(Float32Array.from({ length: 256 }, (_, i) => i)), { clusters: 2 }))).size,
    ).toBe(2);
  });

  test('leave the model as it is', () => {
    const model = layer(repeated(0, 1, 10, 11));
    cluster(model, { clusters: 2 });
    expect(weightsOf(model)).toEqual(repeated(0, 1, 10, 11));
  });
});

describe('a schedule of sparsity', () => {
  /** Two layers; the weights of the first matter a hundred times less. */
  function network(small = 0.01): Model {
    const values = (factor: number): Float32Array =>
      Float32Array.from({ length: 256 }, (_, i) => factor * (1 + Math.sin(7 * i)));
    return modelOf(
      [
        { shape: [1, 16] },
        { shape: [16, 16], data: values(small) },
        { shape: [1, 16] },
        { shape: [16, 16], data: values(1) },
        { shape: [1, 16] },
        { shape: [1, 16] },
      ],
      [
        { op: 'FULLY_CONNECTED', inputs: [0, 1, -1], outputs: [2], options: denseOptions() },
        { op: 'FULLY_CONNECTED', inputs: [0, 3, -1], outputs: [4], options: denseOptions() },
        {
          op: 'ADD',
          inputs: [2, 4],
          outputs: [5],
          options: { kind: 'AddOptions', fusedActivationFunction: 0, potScaleInt16: false },
        },
      ],
      [0],
      [5],
    );
  }
  const data = memoryDataset(
    Array.from({ length: 8 }, (_, s) => [Float32Array.from({ length: 16 }, (_, i) => Math.cos(s * 3 + i))]),
    [[16]],
  );
  const scheduled = async (sparsity: number, model = network()) => {
    const steps: unknown[] = [];
    const onStep = async (step: unknown): Promise<void> => void steps.push(step);
    const schedule = await scheduleBySensitivity(model, await Reference.of(model, [data]), { sparsity, onStep });
    return { schedule, steps };
  };

  test('prunes the least sensitive layers, and reaches the total', async () => {
    for (const sparsity of [0.05, 0.25, 0.45, 0.6]) {
      const { schedule } = await scheduled(sparsity);
      const [first = 0, second = 0] = [schedule.get(0), schedule.get(1)];
      expect((first + second) / 2).toBeCloseTo(sparsity, 9);
      expect(first).toBeGreaterThan(second);
    }
  });

  test('goes no further than 95 % of any layer', async () => {
    const { schedule } = await scheduled(1);
    expect([...schedule.values()]).toEqual([0.95, 0.95]);
    expect([...(await scheduled(0)).schedule.values()]).toEqual([0, 0]);
  });

  test('reports each of its trials: ten levels of every layer', async () => {
    const { steps } = await scheduled(0.5);
    expect(steps).toHaveLength(20);
    expect([steps[0], steps[19]]).toEqual([
      { done: 1, total: 20 },
      { done: 20, total: 20 },
    ]);
  });

  test('leaves out small layers', async () => {
    const model = layer(Float32Array.from({ length: 240 }, (_, i) => i + 1));
    const { schedule, steps } = await scheduled(0.5, model);
    expect([[...schedule], steps]).toEqual([[], []]);
  });
});
