// Public models beside what the Edge TPU compiler made of them, described operator by operator; made into graphs again.

import {
  ActivationFunctionType,
  type BuiltinOptions,
  create,
  type Model,
  Padding,
  schema,
  TensorType,
} from '../../src/formats/tflite/index.js';
import { sharedJson } from './shared.js';

export interface PairOperator {
  readonly op: string;
  readonly placed: 'tpu' | 'cpu';
  readonly in: readonly string[];
  readonly out: readonly string[];
  readonly options?: Readonly<Record<string, unknown>>;
  readonly version?: number;
  readonly from: readonly number[];
}

export interface Pair {
  readonly id: string;
  readonly cachedParameterBytes: number;
  readonly streamedParameterBytes: number;
  readonly estimatedCycles: number | null;
  readonly ops: readonly PairOperator[];
}

export function edgeTpuPairs(): Pair[] {
  return sharedJson<Pair[]>('facts', 'edgetpu-pairs.json');
}

interface Described {
  readonly type: number;
  readonly shape: number[];
  readonly constant: boolean;
  readonly variable: boolean;
  readonly perAxis: number | null;
  readonly text: string;
}

const typeCodes: Readonly<Record<string, number>> = {
  float32: TensorType.FLOAT32,
  int8: TensorType.INT8,
  uint8: TensorType.UINT8,
  int16: TensorType.INT16,
  int32: TensorType.INT32,
  int64: TensorType.INT64,
};

/** `int8[1,3,3,8]*#axis3`: type, shape, constant (*), variable (~), per-axis. */
function described(text: string): Described {
  const [, type = '', sizes = '', marks = ''] = /^(\w+)\[([\d,]*)\](.*)$/.exec(text) ?? [];
  const axis = /#axis(\d)/.exec(marks)?.[1];
  return {
    type: typeCodes[type] ?? -1,
    shape: sizes === '' ? [] : sizes.split(',').map(Number),
    constant: marks.includes('*'),
    variable: marks.includes('~'),
    perAxis: axis === undefined ? null : Number(axis),
    text,
  };
}

export function modelOfPair({ id, ops }: Pair): Model {
  const model = create(schema.Model, { version: 3, description: id });
  model.buffers.push(create(schema.Buffer));
  const graph = create(schema.SubGraph, { name: 'main' });
  model.subgraphs.push(graph);
  const inputs: number[] = [];
  const outputsOf: { text: string; tensor: number }[][] = [];
  const add = (tensor: Described, data: Uint8Array | null): number => {
    const buffer = data === null ? 0 : model.buffers.push(create(schema.Buffer, { data })) - 1;
    const channels = tensor.perAxis === null ? 1 : (tensor.shape[tensor.perAxis] ?? 1);
    const quantization = create(schema.QuantizationParameters, {
      scale: new Float32Array(channels).fill(1),
      zeroPoint: new BigInt64Array(channels),
      quantizedDimension: tensor.perAxis ?? 0,
    });
    return (
      graph.tensors.push(
        create(schema.Tensor, {
          type: tensor.type,
          shape: Int32Array.from(tensor.shape),
          buffer,
          quantization,
          isVariable: tensor.variable,
        }),
      ) - 1
    );
  };
  for (const { op, in: reads, out, options = {}, version = 1, from } of ops) {
    const produced = from.flatMap((source) => outputsOf[source] ?? []);
    const indices = reads.map((text) => {
      const tensor = described(text);
      if (tensor.constant) return add(tensor, constantOf(op, tensor, options));
      const at = produced.findIndex((entry) => entry.text === text);
      if (at >= 0) return (produced.splice(at, 1)[0] as { tensor: number }).tensor;
      const index = add(tensor, null);
      inputs.push(index);
      return index;
    });
    const made = out.map((text) => ({ text, tensor: add(described(text), null) }));
    outputsOf.push(made);
    graph.operators.push(
      create(schema.Operator, {
        opcodeIndex: codeIndex(model, op, version),
        inputs: Int32Array.from(indices),
        outputs: Int32Array.from(made, ({ tensor }) => tensor),
        builtinOptions: optionsOf(op, options),
      }),
    );
  }
  graph.inputs = Int32Array.from(inputs);
  graph.outputs = Int32Array.from(outputsOf.at(-1) ?? [], ({ tensor }) => tensor);
  return model;
}

const codes: Readonly<Record<string, number>> = {
  ADD: 0,
  AVERAGE_POOL_2D: 1,
  CONCATENATION: 2,
  CONV_2D: 3,
  DEPTHWISE_CONV_2D: 4,
  FULLY_CONNECTED: 9,
  MAX_POOL_2D: 17,
  RESHAPE: 22,
  RESIZE_BILINEAR: 23,
  SOFTMAX: 25,
  PAD: 34,
  MEAN: 40,
  SPLIT: 49,
  ARG_MAX: 56,
  QUANTIZE: 114,
};

function codeIndex(model: Model, op: string, version: number): number {
  const builtinCode = codes[op] ?? 32;
  const customCode = codes[op] === undefined ? op : null;
  return (
    model.operatorCodes.push(
      create(schema.OperatorCode, {
        builtinCode,
        deprecatedBuiltinCode: Math.min(127, builtinCode),
        customCode,
        version,
      }),
    ) - 1
  );
}

/** Small integers say what an operator does; of weights only the length is known. */
function constantOf(op: string, { type, shape }: Described, options: Readonly<Record<string, unknown>>): Uint8Array {
  const elements = shape.reduce((product, size) => product * size, 1);
  if (type === TensorType.INT32 && Array.isArray(options.const) && op !== 'CONV_2D')
    return new Uint8Array(Int32Array.from(options.const as number[]).buffer);
  return new Uint8Array(elements * (type === TensorType.INT32 || type === TensorType.FLOAT32 ? 4 : 1));
}

function optionsOf(op: string, options: Readonly<Record<string, unknown>>): BuiltinOptions | null {
  const number = (key: string, otherwise: number): number =>
    typeof options[key] === 'number' ? (options[key] as number) : otherwise;
  const padding = options.padding === 'VALID' ? Padding.VALID : Padding.SAME;
  const name = (options.fused_activation_function as keyof typeof ActivationFunctionType | undefined) ?? 'NONE';
  const fusedActivationFunction = ActivationFunctionType[name];
  const [strideW, strideH] = [number('stride_w', 1), number('stride_h', 1)];
  const dilation = { dilationWFactor: number('dilation_w_factor', 1), dilationHFactor: number('dilation_h_factor', 1) };
  switch (op) {
    case 'CONV_2D':
      return {
        kind: 'Conv2DOptions',
        padding,
        strideW,
        strideH,
        fusedActivationFunction,
        ...dilation,
        quantizedBiasType: 0,
      };
    case 'DEPTHWISE_CONV_2D':
      return {
        kind: 'DepthwiseConv2DOptions',
        padding,
        strideW,
        strideH,
        fusedActivationFunction,
        ...dilation,
        depthMultiplier: number('depth_multiplier', 1),
      };
    case 'AVERAGE_POOL_2D':
    case 'MAX_POOL_2D':
      return {
        kind: 'Pool2DOptions',
        padding,
        strideW,
        strideH,
        filterWidth: number('filter_width', 1),
        filterHeight: number('filter_height', 1),
        fusedActivationFunction,
      };
    case 'CONCATENATION':
      return { kind: 'ConcatenationOptions', axis: number('axis', 0), fusedActivationFunction };
    case 'RESIZE_BILINEAR':
      return {
        kind: 'ResizeBilinearOptions',
        deprecatedNewHeight: 0,
        deprecatedNewWidth: 0,
        alignCorners: options.align_corners === true,
        halfPixelCenters: options.half_pixel_centers === true,
      };
    case 'SPLIT':
      return { kind: 'SplitOptions', numSplits: number('num_splits', 1) };
    case 'SOFTMAX':
      return { kind: 'SoftmaxOptions', beta: number('beta', 1) };
    case 'FULLY_CONNECTED':
      return {
        kind: 'FullyConnectedOptions',
        fusedActivationFunction,
        weightsFormat: 0,
        keepNumDims: false,
        asymmetricQuantizeInputs: false,
        quantizedBiasType: 0,
      };
    default:
      return null;
  }
}
