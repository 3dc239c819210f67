import { describe, expect, test } from 'vitest';
import { type Model, mainSubgraph, operatorName } from '../../../../src/formats/tflite/index.js';
import { foldBatchNorm } from '../../../../src/optimize/passes/fold-batch-norm.js';
import { convOptions, denseOptions, modelOf, type OperatorSpec, type TensorSpec } from '../../../support/models.js';
import { signalToNoise } from '../../../support/quantizing.js';
import { depthwiseOptions, productOptions, sumOptions } from '../../../support/small-graphs.js';

const samples = [[Float32Array.of(1, -2, 3, 0.5, 4, -1, 2, 2)], [Float32Array.of(-1, 2, 5, 1, 0.25, 3, -3, 8)]];
const names = (model: Model): string[] =>
  mainSubgraph(model).operators.map((operator) => operatorName(model, operator));

interface Host {
  readonly activation?: number;
  /** Whether it has a bias. */
  readonly bias?: boolean;
}

/** CONV_2D from [1, 2, 2, 2] to 2 channels in tensor 3, then what `rest` adds from tensor 4 on. */
function withRest(
  rest: readonly TensorSpec[],
  operators: readonly OperatorSpec[],
  output: number,
  { activation = 0, bias = true }: Host = {},
): Model {
  return modelOf(
    [
      { shape: [1, 2, 2, 2] },
      { name: 'w', shape: [2, 1, 1, 2], data: Float32Array.of(1, 2, -3, 4) },
      { name: 'b', shape: [2], data: Float32Array.of(0.5, -1) },
      { shape: [1, 2, 2, 2] },
      ...rest,
    ],
    [{ op: 'CONV_2D', inputs: [0, 1, bias ? 2 : -1], outputs: [3], options: convOptions(activation) }, ...operators],
    [0],
    [output],
  );
}

const result: TensorSpec = { shape: [1, 2, 2, 2] };
const perChannel: TensorSpec = { shape: [2], data: Float32Array.of(2, -0.5) };
const scalar: TensorSpec = { shape: [], data: Float32Array.of(3) };
const product = (inputs: readonly number[], activation = 0): OperatorSpec => ({
  op: 'MUL',
  inputs,
  outputs: [5],
  options: productOptions(activation),
});
const sum = (op: 'ADD' | 'SUB', inputs: readonly number[]): OperatorSpec => ({
  op,
  inputs,
  outputs: [5],
  options: sumOptions(op === 'ADD' ? 'AddOptions' : 'SubOptions'),
});

describe('is folded', () => {
  test.each<[string, Model]>([
    ['a product per channel', withRest([perChannel, result], [product([3, 4])], 5)],
    ['a product with the constant first', withRest([perChannel, result], [product([4, 3])], 5)],
    ['a product by one value', withRest([scalar, result], [product([3, 4])], 5)],
    ['a sum per channel', withRest([perChannel, result], [sum('ADD', [3, 4])], 5)],
    ['a sum by one value', withRest([scalar, result], [sum('ADD', [4, 3])], 5)],
    ['a difference', withRest([perChannel, result], [sum('SUB', [3, 4])], 5)],
    ['a constant of more dimensions', withRest([{ ...perChannel, shape: [1, 1, 2] }, result], [product([3, 4])], 5)],
    ['a product behind a layer without bias', withRest([perChannel, result], [product([3, 4])], 5, { bias: false })],
    ['a sum behind a layer without bias', withRest([perChannel, result], [sum('ADD', [3, 4])], 5, { bias: false })],
  ])('%s', (_, model) => {
    const { model: folded, changes } = foldBatchNorm.run(model);
    expect(changes).toBe(1);
    expect(names(folded)).toEqual(['CONV_2D']);
    expect(signalToNoise(model, folded, samples)).toBeGreaterThan(120);
    expect(names(model)).toHaveLength(2);
  });

  test('into depthwise and dense layers, along their own axis of channels', () => {
    const depthwise = modelOf(
      [
        { shape: [1, 2, 2, 2] },
        { shape: [1, 1, 1, 2], data: Float32Array.of(2, 3) },
        { shape: [2], data: Float32Array.of(1, -1) },
        { shape: [1, 2, 2, 2] },
        perChannel,
        result,
      ],
      [{ op: 'DEPTHWISE_CONV_2D', inputs: [0, 1, 2], outputs: [3], options: depthwiseOptions() }, product([3, 4])],
      [0],
      [5],
    );
    const dense = modelOf(
      [
        { shape: [1, 8] },
        { shape: [2, 8], data: Float32Array.from({ length: 16 }, (_, i) => i - 7) },
        { shape: [2], data: Float32Array.of(1, -1) },
        { shape: [1, 2] },
        perChannel,
        { shape: [1, 2] },
      ],
      [{ op: 'FULLY_CONNECTED', inputs: [0, 1, 2], outputs: [3], options: denseOptions() }, product([3, 4])],
      [0],
      [5],
    );
    for (const model of [depthwise, dense]) {
      const { model: folded, changes } = foldBatchNorm.run(model);
      expect(changes).toBe(1);
      expect(signalToNoise(model, folded, samples)).toBeGreaterThan(120);
    }
  });

  test('one after another; the last activation is that of the layer', () => {
    const model = withRest(
      [perChannel, result, { shape: [2], data: Float32Array.of(-1, 5) }, result],
      [product([3, 4]), { ...sum('ADD', [5, 6]), outputs: [7], options: sumOptions('AddOptions', 1) }],
      7,
    );
    const { model: folded, changes } = foldBatchNorm.run(model);
    expect(changes).toBe(2);
    expect(mainSubgraph(folded).operators[0]?.builtinOptions).toMatchObject({ fusedActivationFunction: 1 });
    expect(signalToNoise(model, folded, samples)).toBeGreaterThan(120);
  });
});

describe('stays', () => {
  test.each<[string, Model]>([
    ['a minuend', withRest([perChannel, result], [sum('SUB', [4, 3])], 5)],
    ['a product of two computed tensors', withRest([perChannel, result], [product([3, 3])], 5)],
    ['a product behind an activation', withRest([perChannel, result], [product([3, 4])], 5, { activation: 1 })],
    ['a product of the input', withRest([perChannel, result], [product([0, 4])], 5)],
    [
      'a constant with a value for every place',
      withRest([{ shape: [1, 2, 2, 2], data: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8) }, result], [product([3, 4])], 5),
    ],
    [
      'a constant along another dimension',
      withRest([{ shape: [2, 1], data: Float32Array.of(1, 2) }, result], [product([3, 4])], 5),
    ],
    [
      'a tensor with a second reader',
      withRest([perChannel, result, result], [product([3, 4]), { op: 'RELU', inputs: [3], outputs: [6] }], 5),
    ],
    [
      'what follows an operator without weights',
      withRest([perChannel, result, result], [{ op: 'RELU', inputs: [3], outputs: [6] }, product([6, 4])], 5),
    ],
  ])('%s', (_, model) => {
    const { model: same, changes } = foldBatchNorm.run(model);
    expect(changes).toBe(0);
    expect(same).toBe(model);
  });

  test('behind weights or a bias that are computed', () => {
    for (const computed of [1, 2]) {
      const model = withRest([perChannel, result], [product([3, 4])], 5);
      const tensor = mainSubgraph(model).tensors[computed];
      if (tensor !== undefined) tensor.buffer = 0;
      expect(foldBatchNorm.run(model)).toEqual({ model, changes: 0 });
    }
  });
});
