import { describe, expect, test } from 'vitest';
import {
  constantBytes,
  constantFloats,
  type Model,
  mainSubgraph,
  type Tensor,
  TensorType,
} from '../../../../src/formats/tflite/index.js';
import { optimizeWeights } from '../../../../src/optimize/optimize-weights.js';
import { cluster, prune } from '../../../../src/optimize/passes/index.js';
import { quantize } from '../../../../src/optimize/quantize/index.js';
import { denseOptions, modelOf } from '../../../support/models.js';
import { memoryDataset, signalToNoise } from '../../../support/quantizing.js';

let state = 3;
const random = (): number => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32 - 0.5;
};
const drawn = (length: number, factor = 1): Float32Array =>
  Float32Array.from({ length }, () => factor * (random() + random() + random()));

/** Two dense layers: the first hardly matters to the output, the second does. */
function network(): Model {
  const second = drawn(4 * 96);
  // What the second layer reads of most units is next to nothing.
  for (let o = 0; o < 4; o++) for (let i = 24; i < 96; i++) second[o * 96 + i] = (second[o * 96 + i] as number) / 50;
  return modelOf(
    [
      { name: 'x', shape: [1, 16] },
      { name: 'first', shape: [96, 16], data: drawn(96 * 16, 0.5) },
      { name: 'hidden', shape: [1, 96] },
      { name: 'second', shape: [4, 96], data: second },
      { name: 'y', shape: [1, 4] },
    ],
    [
      { op: 'FULLY_CONNECTED', inputs: [0, 1, -1], outputs: [2], options: denseOptions(1) },
      { op: 'FULLY_CONNECTED', inputs: [2, 3, -1], outputs: [4], options: denseOptions() },
    ],
    [0],
    [4],
  );
}

const samples = Array.from({ length: 40 }, () => [drawn(16)]);
const data = memoryDataset(samples, [[16]]);
const weightsOf = (model: Model): Float32Array[] =>
  mainSubgraph(model).operators.map(
    (operator) =>
      constantFloats(model, mainSubgraph(model).tensors[operator.inputs?.[1] ?? -1] as Tensor) as Float32Array,
  );
const zeros = (values: ArrayLike<number>): number => Array.from(values).filter((value) => value === 0).length;
const all = (model: Model): number[] => weightsOf(model).flatMap((values) => Array.from(values));

describe('prune', () => {
  test('the smallest weights of all go, or of each layer', () => {
    const model = network();
    const before = all(model).map(Math.abs);
    const global = all(prune(model, { sparsity: 0.6 }));
    expect(zeros(global) / global.length).toBeCloseTo(0.6, 3);
    const gone = before.filter((_, i) => global[i] === 0);
    const kept = before.filter((_, i) => global[i] !== 0);
    expect(Math.max(...gone)).toBeLessThanOrEqual(Math.min(...kept));
    for (const values of weightsOf(prune(model, { sparsity: 0.25, scope: 'per-layer' })))
      expect(zeros(values) / values.length).toBeCloseTo(0.25, 2);
  });

  test('blocks go as a whole', () => {
    const [first] = weightsOf(
      prune(network(), { sparsity: 0.5, block: { channels: 2, places: 4 }, scope: 'per-layer' }),
    );
    for (let channel = 0; channel < 96; channel += 2) {
      for (let place = 0; place < 16; place += 4) {
        const block = [0, 1].flatMap((c) => [0, 1, 2, 3].map((p) => first?.[(channel + c) * 16 + place + p] as number));
        expect([0, 8]).toContain(zeros(block));
      }
    }
  });

  test('none and all', () => {
    expect(zeros(all(prune(network(), { sparsity: 0 })))).toBe(0);
    expect(zeros(all(prune(network(), { sparsity: 1 })))).toBe(96 * 20);
  });

  test('by sensitivity the output suffers less, at the same sparsity', async () => {
    const model = network();
    const [uniform, scheduled] = [
      await optimizeWeights(model, [data], { sparsity: 0.6, perLayer: true }),
      await optimizeWeights(model, [data], { sparsity: 0.6 }),
    ];
    expect(scheduled.after.sparsity).toBeCloseTo(0.6, 1);
    expect(scheduled.signalToNoise ?? Infinity).toBeGreaterThan((uniform.signalToNoise ?? Infinity) + 1);
  });

  test('zeros stay zeros through int8, repaired or not', async () => {
    const { model } = { model: prune(network(), { sparsity: 0.7 }) };
    for (const repairs of [[], ['adaptive-rounding'] as const]) {
      const { model: int8 } = await quantize(model, [data], { repairs, dense: 'per-channel' });
      const stored = mainSubgraph(int8).tensors.filter(({ type, buffer }) => type === TensorType.INT8 && buffer > 0);
      const bytes = stored.flatMap((tensor) => Array.from(constantBytes(int8, tensor) ?? []));
      expect(zeros(bytes)).toBeGreaterThanOrEqual(zeros(all(model)));
    }
  });
});

describe('cluster', () => {
  test.each([2, 16])('each layer has %i values, the nearest ones', (clusters) => {
    const model = network();
    const clustered = cluster(model, { clusters });
    for (const values of weightsOf(clustered)) expect(new Set(values).size).toBeLessThanOrEqual(clusters);
    expect(signalToNoise(model, clustered, samples)).toBeGreaterThan(clusters === 2 ? 0 : 15);
    const [before, after] = [weightsOf(model), weightsOf(clustered)] as [Float32Array[], Float32Array[]];
    before.forEach((values, l) => {
      const centers = [...new Set(after[l])];
      for (const [i, value] of values.entries()) {
        const own = Math.abs(value - (after[l]?.[i] as number));
        expect(own).toBeLessThanOrEqual(Math.min(...centers.map((center) => Math.abs(value - center))) + 1e-7);
      }
    });
  });

  test('zeros are kept on request, and clusters stay clusters in int8', async () => {
    const pruned = prune(network(), { sparsity: 0.5 });
    const clustered = cluster(pruned, { clusters: 8, keepZeros: true });
    expect(zeros(all(clustered))).toBe(zeros(all(pruned)));
    for (const values of weightsOf(clustered)) expect(new Set(values).size).toBeLessThanOrEqual(8);
    const { model: int8 } = await quantize(clustered, [data]);
    for (const tensor of mainSubgraph(int8).tensors) {
      const bytes = tensor.type === TensorType.INT8 ? constantBytes(int8, tensor) : null;
      if (bytes !== null) expect(new Set(bytes).size).toBeLessThanOrEqual(8);
    }
  });
});

describe('optimizeWeights', () => {
  test('reports the savings of compression', async () => {
    const { before, after } = await optimizeWeights(network(), [], { sparsity: 0.8, clusters: 8, keepZeros: true });
    expect(after.bytes).toBeLessThan(before.bytes * 1.1);
    expect(after.deflatedBytes).toBeLessThan(before.deflatedBytes / 3);
    expect(after.layers.map(({ op, weights }) => [op, weights])).toEqual([
      ['FULLY_CONNECTED', 1536],
      ['FULLY_CONNECTED', 384],
    ]);
  });

  test('an optimization without steps, clusters of one value, and quantized models are refused', async () => {
    await expect(optimizeWeights(network(), [], {})).rejects.toMatchObject({ code: 'USAGE' });
    await expect(optimizeWeights(network(), [], { clusters: 1 })).rejects.toMatchObject({ code: 'USAGE' });
    const { model } = await quantize(network(), [data]);
    await expect(optimizeWeights(model, [], { sparsity: 0.5 })).rejects.toMatchObject({ code: 'QUANTIZE_NOT_FLOAT' });
  });
});

test('NaN data ends the search, and there are no more clusters than weights', async () => {
  const broken = memoryDataset([[Float32Array.from({ length: 16 }, () => Number.NaN)]], [[16]]);
  await expect(optimizeWeights(network(), [broken], { sparsity: 0.5 })).rejects.toMatchObject({
    code: 'DATASET_INVALID',
  });
  const model = network();
  expect(signalToNoise(model, cluster(model, { clusters: 99999999999 }), samples)).toBe(Infinity);
});

test('a sparsity that excluded layers make impossible gives a warning', async () => {
  const { warnings, after } = await optimizeWeights(network(), [data], { sparsity: 1 });
  expect(after.sparsity).toBeLessThan(0.98);
  expect(warnings.map(({ code }) => code)).toEqual(['SPARSITY_NOT_REACHED']);
});
