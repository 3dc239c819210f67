import { describe, expect, test } from 'vitest';
import { Reference } from '../../../../src/evaluate/index.js';
import { constantFloats, type Model, mainSubgraph } from '../../../../src/formats/tflite/index.js';
import { removeDeadChannels } from '../../../../src/optimize/passes/index.js';
import { convOptions, denseOptions, modelOf, type OperatorSpec, type TensorSpec } from '../../../support/models.js';
import { memoryDataset, signalToNoise } from '../../../support/quantizing.js';
import { depthwiseOptions } from '../../../support/small-graphs.js';

const samples = Array.from({ length: 8 }, (_, s) => [
  Float32Array.from({ length: 8 }, (_, i) => Math.sin(3 * s + i) + 0.2),
]);
const data = memoryDataset(samples, [[2, 2, 2]]);
const never = -1e3;

/** CONV_2D to four channels, the second and the last of which are never above 0, then what `rest` adds. */
function withRest(rest: readonly TensorSpec[], operators: readonly OperatorSpec[], output: number): Model {
  return modelOf(
    [
      { name: 'image', shape: [1, 2, 2, 2] },
      { name: 'w', shape: [4, 1, 1, 2], data: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8) },
      { name: 'b', shape: [4], data: Float32Array.of(1, never, 2, never) },
      { name: 'features', shape: [1, 2, 2, 4] },
      ...rest,
    ],
    [{ op: 'CONV_2D', inputs: [0, 1, 2], outputs: [3], options: convOptions(1) }, ...operators],
    [0],
    [output],
  );
}

const second: TensorSpec = { name: 'w2', shape: [2, 1, 1, 4], data: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8) };
const result: TensorSpec = { name: 'y', shape: [1, 2, 2, 2] };
const reader = (input: number, weights: number, output: number): OperatorSpec => ({
  op: 'CONV_2D',
  inputs: [input, weights, -1],
  outputs: [output],
  options: convOptions(),
});

async function shrunk(model: Model): Promise<{ readonly model: Model; readonly changes: number }> {
  return removeDeadChannels(model, await Reference.of(model, [data]));
}

function constantsOf(model: Model): Record<string, { shape: number[]; values: number[] }> {
  return Object.fromEntries(
    mainSubgraph(model).tensors.flatMap((tensor) => {
      const values = constantFloats(model, tensor);
      return values === null
        ? []
        : [[tensor.name ?? '', { shape: Array.from(tensor.shape ?? []), values: Array.from(values) }]];
    }),
  );
}

const shapesOf = (model: Model): number[][] =>
  mainSubgraph(model).operators.map(({ outputs }) =>
    Array.from(mainSubgraph(model).tensors[outputs?.[0] ?? -1]?.shape ?? []),
  );

describe('channels that are always 0 go', () => {
  test('from the weights and the bias that compute them, and from the weights that read them', async () => {
    const model = withRest([second, result], [reader(3, 4, 5)], 5);
    const { model: smaller, changes } = await shrunk(model);
    expect(changes).toBe(2);
    expect(constantsOf(smaller)).toEqual({
      w: { shape: [2, 1, 1, 2], values: [1, 2, 5, 6] },
      b: { shape: [2], values: [1, 2] },
      w2: { shape: [2, 1, 1, 2], values: [1, 3, 5, 7] },
    });
    expect(shapesOf(smaller)).toEqual([
      [1, 2, 2, 2],
      [1, 2, 2, 2],
    ]);
    expect(signalToNoise(model, smaller, samples)).toBe(Number.POSITIVE_INFINITY);
    expect(constantsOf(model).w?.shape).toEqual([4, 1, 1, 2]);
  });

  test('from everything in between that keeps channels apart', async () => {
    const model = withRest(
      [
        { name: 'dw', shape: [1, 1, 1, 4], data: Float32Array.of(1, 1, -1, 1) },
        { name: 'db', shape: [4], data: Float32Array.of(0.5, 0, 0, 0) },
        { name: 'filtered', shape: [1, 2, 2, 4] },
        { name: 'clipped', shape: [1, 2, 2, 4] },
        second,
        result,
      ],
      [
        { op: 'DEPTHWISE_CONV_2D', inputs: [3, 4, 5], outputs: [6], options: depthwiseOptions(1) },
        { op: 'RELU', inputs: [6], outputs: [7] },
        reader(7, 8, 9),
      ],
      9,
    );
    const tensor = mainSubgraph(model).tensors[6];
    if (tensor !== undefined) tensor.shapeSignature = Int32Array.of(-1, 2, 2, 4);
    const { model: smaller, changes } = await shrunk(model);
    // The depthwise layer ends the third channel too.
    expect(changes).toBe(3);
    expect(constantsOf(smaller)).toMatchObject({
      w: { shape: [1, 1, 1, 2], values: [1, 2] },
      dw: { shape: [1, 1, 1, 1], values: [1] },
      db: { shape: [1], values: [0.5] },
      w2: { shape: [2, 1, 1, 1], values: [1, 5] },
    });
    expect(shapesOf(smaller)).toEqual([
      [1, 2, 2, 1],
      [1, 2, 2, 1],
      [1, 2, 2, 1],
      [1, 2, 2, 2],
    ]);
    const filtered = mainSubgraph(smaller).tensors.find(({ name }) => name === 'filtered');
    expect(filtered?.shapeSignature).toEqual(Int32Array.of(-1, 2, 2, 1));
    expect(signalToNoise(model, smaller, samples)).toBe(Number.POSITIVE_INFINITY);
  });

  test('from dense layers', async () => {
    const rows = memoryDataset(
      samples.map(([sample]) => [(sample ?? new Float32Array(8)).slice(0, 2)]),
      [[2]],
    );
    const model = modelOf(
      [
        { name: 'x', shape: [1, 2] },
        { name: 'w', shape: [3, 2], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
        { name: 'b', shape: [3], data: Float32Array.of(5, never, 5) },
        { name: 'h', shape: [1, 3] },
        { name: 'w2', shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) },
        { name: 'y', shape: [1, 2] },
      ],
      [
        { op: 'FULLY_CONNECTED', inputs: [0, 1, 2], outputs: [3], options: denseOptions(1) },
        { op: 'FULLY_CONNECTED', inputs: [3, 4, -1], outputs: [5], options: denseOptions() },
      ],
      [0],
      [5],
    );
    const { model: smaller, changes } = removeDeadChannels(model, await Reference.of(model, [rows]));
    expect(changes).toBe(1);
    expect(constantsOf(smaller)).toMatchObject({ w2: { shape: [2, 2], values: [1, 3, 4, 6] } });
  });

  test('but one stays, even if all are 0', async () => {
    const model = withRest([second, result], [reader(3, 4, 5)], 5);
    const bias = mainSubgraph(model).tensors[2];
    const data = model.buffers[bias?.buffer ?? -1];
    if (data !== undefined) data.data = new Uint8Array(Float32Array.of(never, never, never, never).buffer);
    expect(await shrunk(model)).toEqual({ model, changes: 0 });
  });
});

describe('channels stay', () => {
  test.each<[string, Model]>([
    [
      'if another operator reads them',
      withRest(
        [second, result, { shape: [1, 2, 2, 4] }],
        [reader(3, 4, 5), { op: 'RELU', inputs: [3], outputs: [6] }],
        5,
      ),
    ],
    ['if nobody mixes them', withRest([{ shape: [1, 2, 2, 4] }], [{ op: 'RELU', inputs: [3], outputs: [4] }], 4)],
    [
      'behind an operator that mixes them itself',
      withRest(
        [{ shape: [1, 2, 2, 4] }, second, result],
        [{ op: 'SOFTMAX', inputs: [3], outputs: [4], options: { kind: 'SoftmaxOptions', beta: 1 } }, reader(4, 5, 6)],
        6,
      ),
    ],
    [
      'behind a depthwise layer that makes more of them',
      withRest(
        [
          { shape: [1, 1, 1, 8], data: new Float32Array(8).fill(1) },
          { shape: [1, 2, 2, 8] },
          { shape: [2, 1, 1, 8], data: new Float32Array(16).fill(1) },
          result,
        ],
        [
          { op: 'DEPTHWISE_CONV_2D', inputs: [3, 4, -1], outputs: [5], options: depthwiseOptions(1, 2) },
          reader(5, 6, 7),
        ],
        7,
      ),
    ],
    [
      'before a dense layer that reads places apart',
      withRest(
        [{ shape: [5, 16], data: new Float32Array(80).fill(1) }, { shape: [1, 5] }],
        [{ op: 'FULLY_CONNECTED', inputs: [3, 4, -1], outputs: [5], options: denseOptions() }],
        5,
      ),
    ],
  ])('%s', async (_, model) => {
    expect(await shrunk(model)).toEqual({ model, changes: 0 });
  });

  test('if their weights are computed', async () => {
    const weights: TensorSpec = { name: 'w2', shape: [1, 1, 1, 4] };
    const model = withRest([weights, { shape: [1, 2, 2, 1] }], [reader(3, 4, 5)], 5);
    mainSubgraph(model).inputs = Int32Array.of(0, 4);
    const both = memoryDataset(
      samples.map(([image]) => [image ?? new Float32Array(8), Float32Array.of(1, 2, 3, 4)]),
      [
        [2, 2, 2],
        [1, 1, 4],
      ],
    );
    const reference = await Reference.of(model, [both]);
    expect(removeDeadChannels(model, reference)).toEqual({ model, changes: 0 });
  });

  test('in models with several subgraphs', async () => {
    const model = withRest([second, result], [reader(3, 4, 5)], 5);
    const reference = await Reference.of(model, [data]);
    model.subgraphs.push(mainSubgraph(withRest([second, result], [reader(3, 4, 5)], 5)));
    expect(removeDeadChannels(model, reference)).toEqual({ model, changes: 0 });
  });
});
