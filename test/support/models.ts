// Small models made by the tests themselves.

import {
  addBuffer,
  type BuiltinOptions,
  create,
  type Model,
  type OperatorName,
  operatorCodeIndex,
  schema,
  type Tensor,
  TensorType,
} from '../../src/formats/tflite/index.js';

export interface TensorSpec {
  readonly name?: string;
  readonly shape: readonly number[];
  readonly type?: number;
  readonly data?: Float32Array | Int32Array | Int8Array | BigInt64Array;
  readonly scale?: number | readonly number[];
  readonly zeroPoint?: number;
  readonly axis?: number;
}
export interface OperatorSpec {
  readonly op: OperatorName;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly options?: BuiltinOptions;
}

function typeOf(data: TensorSpec['data']): number {
  if (data instanceof Int32Array) return TensorType.INT32;
  if (data instanceof Int8Array) return TensorType.INT8;
  return data instanceof BigInt64Array ? TensorType.INT64 : TensorType.FLOAT32;
}

export function modelOf(
  tensors: readonly TensorSpec[],
  operators: readonly OperatorSpec[],
  inputs: readonly number[],
  outputs: readonly number[],
): Model {
  const model = create(schema.Model, { version: 3, description: 'test' });
  model.buffers.push(create(schema.Buffer));
  const graph = create(schema.SubGraph, {
    name: 'main',
    inputs: Int32Array.from(inputs),
    outputs: Int32Array.from(outputs),
  });
  model.subgraphs.push(graph);
  tensors.forEach(({ name, shape, type, data, scale, zeroPoint = 0, axis = 0 }, i) => {
    const scales = scale === undefined ? null : Float32Array.from([scale].flat());
    const tensor: Tensor = create(schema.Tensor, {
      name: name ?? `tensor${i}`,
      shape: Int32Array.from(shape),
      type: type ?? typeOf(data),
      buffer: data === undefined ? 0 : addBuffer(model, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
      quantization:
        scales === null
          ? null
          : create(schema.QuantizationParameters, {
              scale: scales,
              zeroPoint: BigInt64Array.from(scales, () => BigInt(zeroPoint)),
              quantizedDimension: axis,
            }),
    });
    graph.tensors.push(tensor);
  });
  for (const { op, inputs: from, outputs: to, options } of operators) {
    graph.operators.push(
      create(schema.Operator, {
        opcodeIndex: operatorCodeIndex(model, op, 1),
        inputs: Int32Array.from(from),
        outputs: Int32Array.from(to),
        builtinOptions: options ?? null,
      }),
    );
  }
  return model;
}

export const denseOptions = (activation = 0): BuiltinOptions => ({
  kind: 'FullyConnectedOptions',
  fusedActivationFunction: activation,
  weightsFormat: 0,
  keepNumDims: false,
  asymmetricQuantizeInputs: false,
  quantizedBiasType: TensorType.FLOAT32,
});

export const convOptions = (activation = 0): BuiltinOptions => ({
  kind: 'Conv2DOptions',
  padding: 0,
  strideH: 1,
  strideW: 1,
  dilationHFactor: 1,
  dilationWFactor: 1,
  fusedActivationFunction: activation,
  quantizedBiasType: TensorType.FLOAT32,
});

/** x [1, 4] -> FULLY_CONNECTED -> y [1, 2] */
export function denseModel(weights = [0.5, -1, 0.25, 2, 1, 1, -2, 0.125], bias = [0.5, -0.25]): Model {
  return modelOf(
    [
      { name: 'x', shape: [1, 4] },
      { name: 'w', shape: [2, 4], data: Float32Array.from(weights) },
      { name: 'b', shape: [2], data: Float32Array.from(bias) },
      { name: 'y', shape: [1, 2] },
    ],
    [{ op: 'FULLY_CONNECTED', inputs: [0, 1, 2], outputs: [3], options: denseOptions() }],
    [0],
    [3],
  );
}

/** An int8 convolution whose output alone, 409,600 bytes, exceeds the arena of a small board. */
export function wideModel(): Model {
  return modelOf(
    [
      { shape: [1, 160, 160, 1], type: TensorType.INT8, scale: 0.1 },
      { shape: [16, 1, 1, 1], data: new Int8Array(16), scale: 0.1 },
      { shape: [1, 160, 160, 16], type: TensorType.INT8, scale: 0.1 },
    ],
    [{ op: 'CONV_2D', inputs: [0, 1, -1], outputs: [2], options: convOptions() }],
    [0],
    [2],
  );
}

/** Two wide branches that a file lists side by side, although one after the other takes less. */
export function branchingModel(): Model {
  const int8 = { type: TensorType.INT8, scale: 0.1 };
  const spread = Int8Array.from({ length: 32 }, (_, i) => i - 16);
  return modelOf(
    [
      { name: 'x', shape: [1, 8, 8, 1], ...int8 },
      { shape: [32, 1, 1, 1], data: spread, scale: 0.1 },
      { shape: [1, 8, 8, 32], ...int8 },
      { shape: [1, 8, 8, 32], ...int8 },
      { shape: [1, 1, 1, 32], data: spread, scale: 0.1 },
      { shape: [1, 8, 8, 1], ...int8 },
      { shape: [1, 8, 8, 1], ...int8 },
      { name: 'y', shape: [1, 8, 8, 1], ...int8 },
    ],
    [
      { op: 'CONV_2D', inputs: [0, 1, -1], outputs: [2], options: convOptions() },
      { op: 'CONV_2D', inputs: [0, 1, -1], outputs: [3], options: convOptions() },
      { op: 'CONV_2D', inputs: [2, 4, -1], outputs: [5], options: convOptions() },
      { op: 'CONV_2D', inputs: [3, 4, -1], outputs: [6], options: convOptions() },
      {
        op: 'ADD',
        inputs: [5, 6],
        outputs: [7],
        options: { kind: 'AddOptions', fusedActivationFunction: 0, potScaleInt16: false },
      },
    ],
    [0],
    [7],
  );
}

/** A dense layer in int8, from so many inputs to ten outputs. */
export function int8Dense(depth: number, fill = 3) {
  return modelOf(
    [
      { shape: [1, depth], type: TensorType.INT8, scale: 0.1 },
      { shape: [10, depth], data: Int8Array.from({ length: 10 * depth }, (_, i) => (fill * i) % 127), scale: 0.1 },
      { shape: [1, 10], type: TensorType.INT8, scale: 2 },
    ],
    [{ op: 'FULLY_CONNECTED', inputs: [0, 1, -1], outputs: [2], options: denseOptions() }],
    [0],
    [2],
  );
}

/** Adds every sample to the sum of those before, which it keeps in a resource variable: int8, scale 1. */
export function accumulatingModel(): Model {
  const value = { shape: [1, 4], type: TensorType.INT8, scale: 1 };
  return modelOf(
    [
      { name: 'x', ...value },
      { name: 'handle', shape: [], type: TensorType.RESOURCE },
      { name: 'before', ...value },
      { name: 'sum', ...value },
    ],
    [
      {
        op: 'VAR_HANDLE',
        inputs: [],
        outputs: [1],
        options: { kind: 'VarHandleOptions', container: '', sharedName: 'sum' },
      },
      { op: 'READ_VARIABLE', inputs: [1], outputs: [2] },
      {
        op: 'ADD',
        inputs: [0, 2],
        outputs: [3],
        options: { kind: 'AddOptions', fusedActivationFunction: 0, potScaleInt16: false },
      },
      { op: 'ASSIGN_VARIABLE', inputs: [1, 3], outputs: [] },
    ],
    [0],
    [3],
  );
}
