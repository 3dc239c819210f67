import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../../src/base/random.js';
import {
  constantFloats,
  type Model,
  mainSubgraph,
  readModel,
  writeModel,
} from '../../../../src/formats/tflite/index.js';
import { equalize } from '../../../../src/optimize/passes/index.js';
import { convOptions, denseOptions, modelOf } from '../../../support/models.js';
import { signalToNoise } from '../../../support/quantizing.js';
import { depthwiseOptions } from '../../../support/small-graphs.js';

const random = seededRandom(3);
const drawn = (length: number): Float32Array => Float32Array.from({ length }, () => random() - 0.5);
const images = Array.from({ length: 10 }, () => [drawn(4 * 4 * 2)]);

function weightsOf(model: Model, operator: number, input = 1): Float32Array {
  const graph = mainSubgraph(model);
  const tensor = graph.tensors[graph.operators[operator]?.inputs?.[input] ?? -1];
  const values = tensor === undefined ? null : constantFloats(model, tensor);
  if (values === null) throw new Error(`operator ${operator} has no constant input ${input}`);
  return values;
}

/** CONV_2D [3 of 1x1x2] -> CONV_2D [2 of 1x1x3], with an activation code after the first. */
function twoLayers(first: readonly number[], second: readonly number[], activation = 1): Model {
  return modelOf(
    [
      { shape: [1, 4, 4, 2] },
      { shape: [3, 1, 1, 2], data: Float32Array.from(first) },
      { shape: [3], data: Float32Array.of(0.5, -0.25, 1) },
      { shape: [1, 4, 4, 3] },
      { shape: [2, 1, 1, 3], data: Float32Array.from(second) },
      { shape: [1, 4, 4, 2] },
    ],
    [
      { op: 'CONV_2D', inputs: [0, 1, 2], outputs: [3], options: convOptions(activation) },
      { op: 'CONV_2D', inputs: [3, 4, -1], outputs: [5], options: convOptions() },
    ],
    [0],
    [5],
  );
}

describe('a pair of layers', () => {
  const uneven = (): Model => twoLayers([8, -1, 0.5, 2, 1, -3], [2, 0.5, 0.25, -1, 4, 0.125]);

  test('gets equal ranges in every channel: the geometric mean of both', () => {
    const { model, changes } = equalize(uneven());
    expect(changes).toBe(1);
    const range = (values: Float32Array, indices: readonly number[]): number =>
      Math.max(...indices.map((i) => Math.abs(values[i] ?? Number.NaN)));
    const [own, next] = [weightsOf(model, 0), weightsOf(model, 1)];
    for (const [channel, mean] of [4, Math.sqrt(8), Math.sqrt(0.75)].entries()) {
      expect(range(own, [2 * channel, 2 * channel + 1])).toBeCloseTo(mean, 5);
      expect(range(next, [channel, channel + 3])).toBeCloseTo(mean, 5);
    }
  });

  test('scales the bias like its channel', () => {
    const factors = [4 / 8, Math.sqrt(8) / 2, Math.sqrt(0.75) / 3];
    const expected = [0.5, -0.25, 1].map((value, c) => value * (factors[c] ?? 0));
    const bias = weightsOf(equalize(uneven()).model, 0, 2);
    expect(Array.from(bias)).toEqual(expected.map((value) => expect.closeTo(value, 5)));
  });

  test('computes the same, and the original is untouched', () => {
    const model = uneven();
    const { model: equalized } = equalize(model);
    expect(signalToNoise(model, equalized, images)).toBeGreaterThan(100);
    expect(model).toEqual(uneven());
    expect(() => readModel(writeModel(equalized))).not.toThrow();
  });
});

test('a channel without weights stays as it is, on either side', () => {
  const { model } = equalize(twoLayers([0, 0, 4, 4, 4, 4], [1, 0, 1, 1, 0, 1]));
  expect(Array.from(weightsOf(model, 0))).toEqual([0, 0, 4, 4, 2, 2]);
  expect(Array.from(weightsOf(model, 1))).toEqual([1, 0, 2, 1, 0, 2]);
});

test('no channel is scaled by more than a thousand in one round', () => {
  const { model } = equalize(twoLayers([1e9, 1e9, 1, 1, 1e-9, 1e-9], [1e-9, 1, 1e9, 1e-9, 1, 1e9]));
  // Ten rounds reach the mean, which is 1, from both sides.
  expect(Array.from(weightsOf(model, 0))).toEqual([1, 1, 1, 1, 1, 1].map((value) => expect.closeTo(value, 4)));
});

test('only activations that scale with their input allow it', () => {
  const changes = [0, 1, 2, 3, 4].map(
    (activation) => equalize(twoLayers([8, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 1], activation)).changes,
  );
  // NONE and RELU; not RELU_N1_TO_1, RELU6 or TANH.
  expect(changes).toEqual([1, 1, 0, 0, 0]);
});

describe('layers in between and beside', () => {
  const three = (): Model =>
    modelOf(
      [
        { shape: [1, 4, 4, 2] },
        { shape: [3, 1, 1, 2], data: Float32Array.of(9, 1, 1, 1, 0.1, 0.1) },
        { shape: [1, 4, 4, 3] },
        { shape: [1, 3, 3, 3], data: drawn(27) },
        { shape: [3], data: drawn(3) },
        { shape: [1, 4, 4, 3] },
        { shape: [2, 1, 1, 3], data: drawn(6) },
        { shape: [1, 4, 4, 2] },
      ],
      [
        { op: 'CONV_2D', inputs: [0, 1, -1], outputs: [2], options: convOptions(1) },
        { op: 'DEPTHWISE_CONV_2D', inputs: [2, 3, 4], outputs: [5], options: depthwiseOptions(1) },
        { op: 'CONV_2D', inputs: [5, 6, -1], outputs: [7], options: convOptions() },
      ],
      [0],
      [7],
    );

  test('a depthwise layer is the second of one pair and the first of the next', () => {
    const model = three();
    const { model: equalized, changes } = equalize(model);
    expect(changes).toBe(2);
    expect(signalToNoise(model, equalized, images)).toBeGreaterThan(100);
    const range = (values: Float32Array, of: (i: number) => boolean): number =>
      Math.max(...values.filter((_, i) => of(i)).map(Math.abs));
    for (let c = 0; c < 3; c++) {
      const middle = range(weightsOf(equalized, 1), (i) => i % 3 === c);
      expect(range(weightsOf(equalized, 0), (i) => Math.floor(i / 2) === c) / middle).toBeCloseTo(1, 1);
      expect(range(weightsOf(equalized, 2), (i) => i % 3 === c) / middle).toBeCloseTo(1, 1);
    }
  });

  test('a second reader, weights that are computed, and several subgraphs forbid it', () => {
    const second = three();
    mainSubgraph(second).outputs = Int32Array.of(7, 2);
    expect(equalize(second).changes).toBe(1);
    const computed = three();
    const bias = mainSubgraph(computed).tensors[4];
    if (bias !== undefined) bias.buffer = 0;
    mainSubgraph(computed).inputs = Int32Array.of(0, 4);
    expect(equalize(computed)).toMatchObject({ changes: 0 });
    const several = three();
    several.subgraphs.push(mainSubgraph(three()));
    expect(equalize(several)).toEqual({ model: several, changes: 0 });
  });

  test('a dense layer behind a flattened image reads other channels: it is left alone', () => {
    const model = modelOf(
      [
        { shape: [1, 4, 4, 2] },
        { shape: [3, 1, 1, 2], data: drawn(6) },
        { shape: [1, 4, 4, 3] },
        { shape: [5, 48], data: drawn(240) },
        { shape: [1, 5] },
      ],
      [
        { op: 'CONV_2D', inputs: [0, 1, -1], outputs: [2], options: convOptions(1) },
        { op: 'FULLY_CONNECTED', inputs: [2, 3, -1], outputs: [4], options: denseOptions() },
      ],
      [0],
      [4],
    );
    expect(equalize(model).changes).toBe(0);
  });

  test('dense layers are equalized like convolutions', () => {
    const model = modelOf(
      [
        { shape: [1, 32] },
        { shape: [3, 32], data: drawn(96).map((value, i) => (i < 32 ? 50 * value : value)) },
        { shape: [3], data: drawn(3) },
        { shape: [1, 3] },
        { shape: [2, 3], data: drawn(6) },
        { shape: [1, 2] },
      ],
      [
        { op: 'FULLY_CONNECTED', inputs: [0, 1, 2], outputs: [3], options: denseOptions(1) },
        { op: 'FULLY_CONNECTED', inputs: [3, 4, -1], outputs: [5], options: denseOptions() },
      ],
      [0],
      [5],
    );
    const { model: equalized, changes } = equalize(model);
    expect(changes).toBe(1);
    expect(signalToNoise(model, equalized, images)).toBeGreaterThan(100);
  });
});
