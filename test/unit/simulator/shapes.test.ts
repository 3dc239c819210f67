// Shapes follow from the inputs'. The one-operator models of the fixtures hold the shapes that TFLite gives: forgotten,
// they come back.

import { describe, expect, test } from 'vitest';
import {
  copyModel,
  mainSubgraph,
  operatorName,
  readModel,
  type SubGraph,
  TensorType,
} from '../../../src/formats/tflite/index.js';
import { Interpreter, inputsAndOutputs, resolveShapes } from '../../../src/simulator/index.js';
import { cases } from '../../fixtures/operators/cases.js';
import { denseOptions, modelOf, type TensorSpec } from '../../support/models.js';
import { sharedBytes, sharedTest } from '../../support/shared.js';

/** Operators whose outputs no rule can tell without the values of inputs, or that only the file knows. */
const fromValues = new Set(['TRANSPOSE_CONV', 'READ_VARIABLE', 'VAR_HANDLE']);

test('every operator gives the shapes that the file holds', () => {
  const unknown = new Set<string>();
  for (const { name, model: bytes } of cases) {
    const model = readModel(bytes);
    const forgotten = copyModel(model);
    const { operators, tensors } = mainSubgraph(forgotten);
    for (const index of operators.flatMap(({ outputs }) => Array.from(outputs ?? []))) {
      const tensor = tensors[index];
      if (tensor === undefined) continue;
      tensor.shapeSignature = Int32Array.from(tensor.shape ?? [], () => -1);
      tensor.shape = Int32Array.from(tensor.shape ?? [], () => 1);
      if (tensor.shape.length === 0) tensor.shape = Int32Array.of(7);
      if (tensor.shapeSignature.length === 0) tensor.shapeSignature = Int32Array.of(-1);
    }
    try {
      const resolved = resolveShapes(forgotten);
      for (const [i, tensor] of mainSubgraph(resolved).tensors.entries()) {
        expect(Array.from(tensor.shape ?? []), `${name}: tensor ${i}`).toEqual(
          Array.from(mainSubgraph(model).tensors[i]?.shape ?? []),
        );
      }
    } catch (error) {
      if ((error as { code?: string }).code !== 'TENSOR_SHAPE_DYNAMIC') throw error;
      if (operators.length === 1) for (const operator of operators) unknown.add(operatorName(forgotten, operator));
    }
  }
  const alone = [...unknown].filter((name) => !fromValues.has(name));
  expect(alone).toEqual([]);
});

/** A converter's way to flatten a batch of unknown size: [batch, 2, 2] to [batch, 4], then a dense layer. */
function flatteningModel() {
  const vector = (...values: number[]): TensorSpec => ({ shape: [values.length], data: Int32Array.from(values) });
  const model = modelOf(
    [
      { name: 'x', shape: [1, 2, 2] },
      { shape: [3], type: TensorType.INT32 },
      vector(0),
      vector(1),
      vector(1),
      { shape: [], type: TensorType.INT32 },
      { shape: [], data: Int32Array.of(4) },
      { shape: [2], type: TensorType.INT32 },
      { shape: [1, 4] },
      { shape: [2, 4], data: Float32Array.of(1, 2, 3, 4, 1, 1, 1, 1) },
      { shape: [1, 2] },
    ],
    [
      { op: 'SHAPE', inputs: [0], outputs: [1], options: { kind: 'ShapeOptions', outType: TensorType.INT32 } },
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
      { op: 'FULLY_CONNECTED', inputs: [8, 9, -1], outputs: [10], options: denseOptions() },
    ],
    [0],
    [10],
  );
  const [{ tensors }] = model.subgraphs as [SubGraph];
  for (const [index, signature] of [
    [0, [-1, 2, 2]],
    [8, [-1, 4]],
    [10, [-1, 2]],
  ] as const) {
    const tensor = tensors[index];
    if (tensor !== undefined) tensor.shapeSignature = Int32Array.from(signature);
  }
  return model;
}

const codeOf = (code: string) => expect.objectContaining({ code });

describe('a batch of unknown size', () => {
  test('is 1 by default', () => {
    const interpreter = new Interpreter(flatteningModel());
    const output = interpreter.run(new Uint8Array(Float32Array.of(1, 0, 0, 2).buffer));
    expect(Array.from(new Float32Array(output.buffer))).toEqual([9, 3]);
  });

  test('takes the size that is given, through shape arithmetic', () => {
    const model = resolveShapes(flatteningModel(), { x: [3, 2, 2] });
    expect(inputsAndOutputs(model)).toMatchObject({ inputs: [{ shape: [3, 2, 2] }], outputs: [{ shape: [3, 2] }] });
    const output = new Interpreter(model).run(
      new Uint8Array(Float32Array.of(1, 0, 0, 2, 0, 0, 0, 0, 1, 1, 1, 1).buffer),
    );
    expect(Array.from(new Float32Array(output.buffer))).toEqual([9, 3, 0, 0, 10, 4]);
    expect(mainSubgraph(model).tensors.every(({ shapeSignature }) => shapeSignature === null)).toBe(true);
  });

  test('sizes that do not go together are refused', () => {
    expect(() => resolveShapes(flatteningModel(), { x: [3, 5] })).toThrow(
      /operator 3 RESHAPE: 15 elements do not fit shape \[3, 4\]/,
    );
    expect(() => resolveShapes(flatteningModel(), { y: [3, 2, 2] })).toThrow(codeOf('INPUT_UNKNOWN'));
  });
});

test('a shape that depends on the values of an input is an error that names the operator', () => {
  const model = modelOf(
    [{ shape: [1, 4] }, { shape: [2], type: TensorType.INT32 }, { shape: [1, 1] }],
    [{ op: 'RESHAPE', inputs: [0, 1], outputs: [2] }],
    [0, 1],
    [2],
  );
  const output = mainSubgraph(model).tensors[2];
  if (output !== undefined) output.shapeSignature = Int32Array.of(-1, -1);
  expect(() => new Interpreter(model)).toThrow(
    expect.objectContaining({
      code: 'TENSOR_SHAPE_DYNAMIC',
      message: expect.stringMatching(/operator 0 RESHAPE/),
    }),
  );
});

test('the shape of a dense layer that keeps its dimensions follows from its input, not from the file', () => {
  const options = { ...denseOptions(), keepNumDims: true } as ReturnType<typeof denseOptions>;
  const model = modelOf(
    [{ name: 'x', shape: [1, 4, 6, 1] }, { shape: [1, 1], data: Float32Array.of(2) }, { shape: [1, 4, 6, 1] }],
    [{ op: 'FULLY_CONNECTED', inputs: [0, 1, -1], outputs: [2], options }],
    [0],
    [2],
  );
  expect(inputsAndOutputs(resolveShapes(model, { x: [1, 6, 4, 1] })).outputs).toMatchObject([{ shape: [1, 6, 4, 1] }]);
});

test.each([
  ['below 0', [-1, 4]],
  ['in halves', [1.5, 4]],
  ['that are no numbers', [Number.NaN, 4]],
  ['beyond memory', [2 ** 31, 2 ** 31]],
  ['of 0 beside large ones', [0, 2 ** 28]],
])('sizes %s are refused', (_, shape) => {
  const model = modelOf(
    [{ name: 'x', shape: [1, 4] }, { shape: [1, 4] }],
    [{ op: 'RELU', inputs: [0], outputs: [1] }],
    [0],
    [1],
  );
  expect(() => resolveShapes(model, { x: shape })).toThrow(
    expect.objectContaining({ code: expect.stringMatching(/TFLITE_INVALID|TENSOR_TOO_LARGE/) }),
  );
});

test('thousands of operators are computed beforehand, one after the other', () => {
  const length = 5000;
  const model = modelOf(
    [
      { name: 'x', shape: [2] },
      { shape: [2], data: Float32Array.of(-1, 2) },
      ...Array.from({ length: length + 1 }, () => ({ shape: [2] })),
    ],
    [
      ...Array.from({ length }, (__, i) => ({ op: 'ABS' as const, inputs: [i + 1], outputs: [i + 2] })),
      {
        op: 'ADD',
        inputs: [0, length + 1],
        outputs: [length + 2],
        options: { kind: 'AddOptions', fusedActivationFunction: 0, potScaleInt16: false },
      },
    ],
    [0],
    [length + 2],
  );
  const output = new Interpreter(model).run(new Uint8Array(Float32Array.of(1, 1).buffer));
  expect(Array.from(new Float32Array(output.buffer))).toEqual([2, 3]);
});

sharedTest('a batch of four gives the results of four samples', () => {
  const model = readModel(sharedBytes('models', 'mlperf-tiny', 'vww_96_float.tflite'));
  const one = new Interpreter(model);
  const samples = new Float32Array(4 * 96 * 96 * 3).map((_, i) => Math.sin(i * 0.37));
  const bytes = new Uint8Array(samples.buffer);
  const four = new Interpreter(resolveShapes(model, { input_1: [4, 96, 96, 3] })).run(bytes);
  const each = Array.from({ length: 4 }, (_, i) =>
    one.run(bytes.subarray(i * one.inputBytes, (i + 1) * one.inputBytes)),
  );
  expect(Buffer.from(four).equals(Buffer.concat(each))).toBe(true);
});

sharedTest('a signature has its own names of inputs and outputs', () => {
  const model = readModel(sharedBytes('models', 'ai-edge-quantizer', 'two_signatures.tflite'));
  const interpreter = new Interpreter(resolveShapes(model, { x: [2] }, 'multiply'), { signature: 'multiply' });
  expect(interpreter.inputs.map(({ name, shape }) => [name, shape])).toEqual([['x', [2]]]);
  expect(interpreter.outputs.map(({ name }) => name)).toEqual(['multiply_result']);
  expect(Array.from(new Float32Array(interpreter.run(new Uint8Array(Float32Array.of(3, -2).buffer)).buffer))).toEqual([
    30, -20,
  ]);
});
