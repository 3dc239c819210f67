import { describe, expect, test } from 'vitest';
import { Reference } from '../../../../src/evaluate/index.js';
import { constantFloats, type Model, mainSubgraph, type Tensor } from '../../../../src/formats/tflite/index.js';
import { equalize, removeDeadChannels } from '../../../../src/optimize/passes/index.js';
import { harmlessRepairs, quantize, type RepairName, repairNames } from '../../../../src/optimize/quantize/index.js';
import { roundForSums } from '../../../../src/optimize/quantize/repair/rounding.js';
import { convOptions, denseOptions, modelOf } from '../../../support/models.js';
import { memoryDataset, signalToNoise } from '../../../support/quantizing.js';

let state = 7;
const random = (): number => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32 - 0.5;
};
const drawn = (length: number, factor = 1): Float32Array =>
  Float32Array.from({ length }, () => factor * (random() + random() + random()));

/** Two convolutions with a RELU between, whose channels differ a thousandfold in size, and a dense layer. */
function unevenNetwork(): Model {
  const first = drawn(8 * 9 * 2);
  const second = drawn(8 * 8);
  for (let c = 0; c < 8; c++) {
    const size = 10 ** (c / 2.5);
    for (let i = 0; i < 18; i++) first[c * 18 + i] = (first[c * 18 + i] as number) * size;
    for (let o = 0; o < 8; o++) second[o * 8 + c] = (second[o * 8 + c] as number) / size;
  }
  return modelOf(
    [
      { name: 'image', shape: [1, 6, 6, 2] },
      { name: 'first', shape: [8, 3, 3, 2], data: first },
      { name: 'first bias', shape: [8], data: drawn(8, 0.1) },
      { name: 'features', shape: [1, 6, 6, 8] },
      { name: 'second', shape: [8, 1, 1, 8], data: second },
      { name: 'more features', shape: [1, 6, 6, 8] },
      { name: 'dense', shape: [5, 288], data: drawn(5 * 288, 0.1) },
      { name: 'output', shape: [1, 5] },
    ],
    [
      { op: 'CONV_2D', inputs: [0, 1, 2], outputs: [3], options: convOptions(1) },
      { op: 'CONV_2D', inputs: [3, 4, -1], outputs: [5], options: convOptions(1) },
      { op: 'FULLY_CONNECTED', inputs: [5, 6, -1], outputs: [7], options: denseOptions() },
    ],
    [0],
    [7],
  );
}

const samples = Array.from({ length: 60 }, () => [drawn(72)]);
const others = Array.from({ length: 60 }, () => [drawn(72)]);
const data = memoryDataset(samples, [[6, 6, 2]]);

test('equalization changes no output, and makes the two ranges of each channel equal', () => {
  const model = unevenNetwork();
  const { model: equalized, changes } = equalize(model);
  expect(changes).toBe(1);
  expect(signalToNoise(model, equalized, samples)).toBeGreaterThan(100);
  const weights = (operator: number): Float32Array => {
    const graph = mainSubgraph(equalized);
    return constantFloats(
      equalized,
      graph.tensors[graph.operators[operator]?.inputs?.[1] ?? -1] as Tensor,
    ) as Float32Array;
  };
  const largest = (values: readonly number[]): number => Math.max(...values.map(Math.abs));
  for (let c = 0; c < 8; c++) {
    const own = largest(Array.from(weights(0).slice(18 * c, 18 * (c + 1))));
    const next = largest(Array.from({ length: 8 }, (_, o) => weights(1)[8 * o + c] as number));
    expect(own / next).toBeCloseTo(1, 3);
  }
});

test('a layer whose output another reads too is not equalized', () => {
  const model = unevenNetwork();
  const graph = mainSubgraph(model);
  graph.outputs = Int32Array.of(7, 3);
  expect(equalize(model).changes).toBe(0);
});

describe('repairs', () => {
  test.each(repairNames)('%s improves the outputs, or is undone', async (name) => {
    const model = unevenNetwork();
    const plain = await quantize(model, [data]);
    const repaired = await quantize(model, [data], { repairs: [name] });
    for (const { before, after, kept } of repaired.repairs) if (kept) expect(after).toBeGreaterThan(before);
    const [without, withIt] = [plain, repaired].map((result) => signalToNoise(model, result.model, samples)) as [
      number,
      number,
    ];
    expect(withIt).toBeGreaterThanOrEqual(without);
  });

  test('together they improve held-out samples', async () => {
    const model = unevenNetwork();
    const plain = await quantize(model, [data]);
    const repaired = await quantize(model, [data], { ranges: 'auto', repairs: harmlessRepairs });
    expect(repaired.repairs.map(({ name }) => name)).toContain('equalization' satisfies RepairName);
    expect(signalToNoise(model, repaired.model, others)).toBeGreaterThan(signalToNoise(model, plain.model, others) + 3);
  });

  test('rounded weights are neighbours of the original ones', async () => {
    const weights = drawn(40);
    const rows = Array.from({ length: 500 }, () =>
      drawn(40).map((value, i, row) => value + (row[(i + 1) % 40] as number)),
    );
    const covariances = new Float64Array(1600);
    for (const row of rows)
      for (let i = 0; i < 40; i++)
        for (let j = 0; j < 40; j++)
          covariances[i * 40 + j] =
            (covariances[i * 40 + j] as number) + ((row[i] as number) * (row[j] as number)) / 500;
    const scale = Math.max(...weights.map(Math.abs)) / 7;
    const rounded = roundForSums(Float64Array.from(weights), scale, covariances);
    const nearest = Float64Array.from(weights, (value) => Math.round(value / scale) * scale);
    const error = (chosen: Float64Array): number =>
      rows.reduce(
        (sum, row) =>
          sum +
          row.reduce((total, value, i) => total + value * ((chosen[i] as number) - (weights[i] as number)), 0) ** 2,
        0,
      );
    expect(error(rounded)).toBeLessThan(0.7 * error(nearest));
    for (const [i, value] of rounded.entries())
      expect(Math.abs(value - (weights[i] as number))).toBeLessThanOrEqual(scale * 1.0001);
  });
});

describe('dead channels', () => {
  /**
   * A convolution whose channels 2 and 5 are never above 0, a depthwise one that also ends channel 0, and one that
   * reads them.
   */
  function withDeadChannels(): Model {
    const bias = drawn(8, 0.1);
    bias[2] = -1e3;
    bias[5] = -1e3;
    const depthwiseBias = new Float32Array(8);
    depthwiseBias[0] = -1e3;
    const depthwise = {
      kind: 'DepthwiseConv2DOptions',
      padding: 0,
      strideH: 1,
      strideW: 1,
      depthMultiplier: 1,
      fusedActivationFunction: 1,
      dilationHFactor: 1,
      dilationWFactor: 1,
    } as const;
    return modelOf(
      [
        { name: 'image', shape: [1, 6, 6, 2] },
        { name: 'first', shape: [8, 3, 3, 2], data: drawn(144) },
        { name: 'first bias', shape: [8], data: bias },
        { name: 'features', shape: [1, 6, 6, 8] },
        { name: 'depthwise', shape: [1, 3, 3, 8], data: drawn(72).map(Math.abs) },
        { name: 'depthwise bias', shape: [8], data: depthwiseBias },
        { name: 'filtered', shape: [1, 6, 6, 8] },
        { name: 'second', shape: [4, 1, 1, 8], data: drawn(32) },
        { name: 'output', shape: [1, 6, 6, 4] },
      ],
      [
        { op: 'CONV_2D', inputs: [0, 1, 2], outputs: [3], options: convOptions(1) },
        { op: 'DEPTHWISE_CONV_2D', inputs: [3, 4, 5], outputs: [6], options: depthwise },
        { op: 'CONV_2D', inputs: [6, 7, -1], outputs: [8], options: convOptions() },
      ],
      [0],
      [8],
    );
  }

  test('go from all three layers, and no output changes', async () => {
    const model = withDeadChannels();
    const reference = await Reference.of(model, [data]);
    const { model: smaller, changes } = removeDeadChannels(model, reference);
    expect(changes).toBe(3);
    const shapes = mainSubgraph(smaller).operators.map((operator) =>
      Array.from(mainSubgraph(smaller).tensors[operator.inputs?.[1] ?? -1]?.shape ?? []),
    );
    expect(shapes).toEqual([
      [5, 3, 3, 2],
      [1, 3, 3, 5],
      [4, 1, 1, 5],
    ]);
    expect(signalToNoise(model, smaller, samples)).toBeGreaterThan(120);
  });

  test('a quantized model gets smaller by them', async () => {
    const [plain, repaired] = [
      await quantize(withDeadChannels(), [data]),
      await quantize(withDeadChannels(), [data], { repairs: ['dead-channels'] }),
    ];
    expect(repaired.repairs).toEqual([expect.objectContaining({ name: 'dead-channels', kept: true })]);
    expect(repaired.bytes.byteLength).toBeLessThan(plain.bytes.byteLength);
  });

  test('are removed on explicit request only, with a warning', async () => {
    const options = { repairs: harmlessRepairs };
    const [all, asked] = [
      await quantize(withDeadChannels(), [data], options),
      await quantize(withDeadChannels(), [data], { repairs: ['dead-channels'] }),
    ];
    expect(all.repairs.map(({ name }) => name)).not.toContain('dead-channels');
    expect(all.warnings.map(({ code }) => code)).not.toContain('CHANNELS_REMOVED');
    expect(asked.warnings).toContainEqual({
      code: 'CHANNELS_REMOVED',
      message: expect.stringContaining('3 channel(s) were removed'),
    });
  });

  test('channels that another operator reads, or that are outputs, stay', async () => {
    const model = withDeadChannels();
    mainSubgraph(model).outputs = Int32Array.of(8, 6);
    expect(removeDeadChannels(model, await Reference.of(model, [data])).changes).toBe(0);
  });
});
