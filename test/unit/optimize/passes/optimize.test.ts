import { expect, test } from 'vitest';
import {
  ActivationFunctionType,
  type BuiltinOptions,
  type Model,
  mainSubgraph,
  operatorName,
  readModel,
  writeModel,
} from '../../../../src/formats/tflite/index.js';
import { optimize } from '../../../../src/optimize/passes/index.js';
import { Interpreter } from '../../../../src/simulator/index.js';
import { floatBytes } from '../../../support/files.js';
import { convOptions, denseOptions, modelOf } from '../../../support/models.js';

const operators = (model: Model): string[] =>
  mainSubgraph(model).operators.map((operator) => operatorName(model, operator));
const run = (model: Model, values: number[]): number[] => [
  ...new Float32Array(new Interpreter(readModel(writeModel(model))).run(floatBytes(values)).buffer),
];
const fused = (kind: 'MulOptions' | 'AddOptions'): BuiltinOptions =>
  kind === 'AddOptions'
    ? { kind, fusedActivationFunction: 0, potScaleInt16: false }
    : { kind, fusedActivationFunction: 0 };

test('a normalization after a convolution is folded into it, and so is the following activation', () => {
  const model = modelOf(
    [
      { shape: [1, 2, 2, 1] },
      { shape: [2, 1, 1, 1], data: Float32Array.of(2, -3) },
      { shape: [2], data: Float32Array.of(1, 0.5) },
      { shape: [1, 2, 2, 2] },
      { shape: [2], data: Float32Array.of(0.5, 4) },
      { shape: [1, 2, 2, 2] },
      { shape: [1, 1, 1, 2], data: Float32Array.of(-1, 7) },
      { shape: [1, 2, 2, 2] },
      { shape: [1, 2, 2, 2] },
    ],
    [
      { op: 'CONV_2D', inputs: [0, 1, 2], outputs: [3], options: convOptions() },
      { op: 'MUL', inputs: [3, 4], outputs: [5], options: fused('MulOptions') },
      { op: 'ADD', inputs: [6, 5], outputs: [7], options: fused('AddOptions') },
      { op: 'RELU6', inputs: [7], outputs: [8] },
    ],
    [0],
    [8],
  );
  const before = run(model, [1, -2, 3, 0.25]);
  const { model: after, changes } = optimize(model);
  expect(operators(after)).toEqual(['CONV_2D']);
  expect(mainSubgraph(after).operators[0]?.builtinOptions).toMatchObject({
    fusedActivationFunction: ActivationFunctionType.RELU6,
  });
  expect(changes).toEqual({
    'fold-constants': 0,
    'merge-equal-operators': 0,
    'fuse-padding': 0,
    'square-to-product': 0,
    'absorb-negations': 0,
    'fold-batch-norm': 2,
    'fuse-activations': 1,
  });
  expect(run(after, [1, -2, 3, 0.25])).toEqual(before);
  // The original is untouched.
  expect(operators(model)).toEqual(['CONV_2D', 'MUL', 'ADD', 'RELU6']);
});

test('a subtracted constant is folded into the bias with its sign; a minuend is not', () => {
  const difference = (inputs: [number, number]): Model =>
    modelOf(
      [
        { shape: [1, 2] },
        { shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) },
        { shape: [2], data: Float32Array.of(0.5, -0.5) },
        { shape: [1, 2] },
        { shape: [2], data: Float32Array.of(10, 20) },
        { shape: [1, 2] },
      ],
      [
        { op: 'FULLY_CONNECTED', inputs: [0, 1, 2], outputs: [3], options: denseOptions() },
        {
          op: 'SUB',
          inputs,
          outputs: [5],
          options: { kind: 'SubOptions', fusedActivationFunction: 0, potScaleInt16: false },
        },
      ],
      [0],
      [5],
    );
  // (1 + 2 + 0.5) - 10 and (3 + 4 - 0.5) - 20.
  const subtracted = optimize(difference([3, 4])).model;
  expect(operators(subtracted)).toEqual(['FULLY_CONNECTED']);
  expect(run(subtracted, [1, 1])).toEqual([-6.5, -13.5]);
  const from = optimize(difference([4, 3])).model;
  expect(operators(from)).toEqual(['FULLY_CONNECTED', 'SUB']);
  expect(run(from, [1, 1])).toEqual([6.5, 13.5]);
});

test('an activation stays where the operator before it has one already', () => {
  const model = modelOf(
    [{ shape: [1, 2] }, { shape: [2, 2], data: Float32Array.of(4, 0, 0, -4) }, { shape: [1, 2] }, { shape: [1, 2] }],
    [
      { op: 'FULLY_CONNECTED', inputs: [0, 1, -1], outputs: [2], options: denseOptions(ActivationFunctionType.RELU6) },
      { op: 'RELU', inputs: [2], outputs: [3] },
    ],
    [0],
    [3],
  );
  const { model: after } = optimize(model);
  expect(operators(after)).toEqual(['FULLY_CONNECTED', 'RELU']);
  expect(run(after, [2, 1])).toEqual([6, 0]);
});

test('a square becomes a product, which has integer kernels', () => {
  const square = modelOf(
    [
      { name: 'x', shape: [1, 4] },
      { name: 'y', shape: [1, 4] },
    ],
    [{ op: 'SQUARE', inputs: [0], outputs: [1] }],
    [0],
    [1],
  );
  const { model: after, changes } = optimize(square);
  expect([operators(after), changes['square-to-product']]).toEqual([['MUL'], 1]);
  expect(run(after, [1, -2, 3, 0.25])).toEqual([1, 4, 9, 0.0625]);
});

test('a tensor read by two operators is not folded into one', () => {
  const model = modelOf(
    [
      { shape: [1, 4] },
      { shape: [2, 4], data: new Float32Array(8).fill(1) },
      { shape: [1, 2] },
      { shape: [2], data: Float32Array.of(2, 3) },
      { shape: [1, 2] },
      { shape: [1, 2] },
    ],
    [
      { op: 'FULLY_CONNECTED', inputs: [0, 1, -1], outputs: [2], options: denseOptions() },
      { op: 'MUL', inputs: [2, 3], outputs: [4], options: fused('MulOptions') },
      { op: 'ADD', inputs: [4, 2], outputs: [5], options: fused('AddOptions') },
    ],
    [0],
    [5],
  );
  const { model: after } = optimize(model);
  expect(operators(after)).toEqual(['FULLY_CONNECTED', 'MUL', 'ADD']);
  expect(run(after, [1, 2, 3, 4])).toEqual([30, 40]);
});

test('shape arithmetic is computed once and dropped', () => {
  const vector = (values: number[]) => ({ shape: [values.length], data: Int32Array.from(values) });
  const model = modelOf(
    [
      { shape: [1, 4] },
      { shape: [2], type: 2 },
      vector([0]),
      vector([1]),
      vector([1]),
      { shape: [], type: 2 },
      { shape: [], data: Int32Array.of(4) },
      { shape: [2], type: 2 },
      { shape: [1, 4] },
    ],
    [
      { op: 'SHAPE', inputs: [0], outputs: [1], options: { kind: 'ShapeOptions', outType: 2 } },
      {
        op: 'STRIDED_SLICE',
        inputs: [1, 2, 3, 4],
        outputs: [5],
        options: {
          kind: 'StridedSliceOptions',
          beginMask: 0,
          endMask: 0,
          ellipsisMask: 0,
          newAxisMask: 0,
          shrinkAxisMask: 1,
          offset: false,
        },
      },
      { op: 'PACK', inputs: [5, 6], outputs: [7], options: { kind: 'PackOptions', valuesCount: 2, axis: 0 } },
      { op: 'RESHAPE', inputs: [0, 7], outputs: [8] },
    ],
    [0],
    [8],
  );
  const { model: after, changes } = optimize(model);
  expect(changes['fold-constants']).toBe(3);
  expect(operators(after)).toEqual(['RESHAPE']);
  expect(mainSubgraph(after).tensors).toHaveLength(3);
  expect(after.buffers).toHaveLength(2);
});

test('dead operators and their weights go', () => {
  const model = modelOf(
    [
      { shape: [1, 2] },
      { shape: [1, 2] },
      { shape: [1, 2] },
      { shape: [100, 2], data: new Float32Array(200) },
      { shape: [1, 100] },
    ],
    [
      { op: 'RELU', inputs: [0], outputs: [1] },
      { op: 'FULLY_CONNECTED', inputs: [0, 3, -1], outputs: [4], options: denseOptions() },
      { op: 'RELU', inputs: [1], outputs: [2] },
    ],
    [0],
    [2],
  );
  const { model: after } = optimize(model);
  expect(operators(after)).toEqual(['RELU', 'RELU']);
  expect(writeModel(after).byteLength).toBeLessThan(writeModel(model).byteLength - 800);
});

test('a folded constant has its computed shape', () => {
  const scalar = (value: number) => ({ shape: [], data: Float32Array.of(value) });
  const model = modelOf(
    [scalar(0), scalar(5), scalar(1), { shape: [1] }, { shape: [5] }, { shape: [5] }],
    [
      { op: 'RANGE', inputs: [0, 1, 2], outputs: [3] },
      {
        op: 'ADD',
        inputs: [3, 4],
        outputs: [5],
        options: { kind: 'AddOptions', fusedActivationFunction: 0, potScaleInt16: false },
      },
    ],
    [4],
    [5],
  );
  const guessed = mainSubgraph(model).tensors[3];
  if (guessed !== undefined) guessed.shapeSignature = Int32Array.of(-1);
  const output = new Interpreter(optimize(model).model).run(new Uint8Array(new Float32Array(5).buffer));
  expect(Array.from(new Float32Array(output.buffer))).toEqual([0, 1, 2, 3, 4]);
});
