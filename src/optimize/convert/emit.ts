// Operators of the model as functions: each takes values and returns the value that it computes. Images are [batch,
// height, width, channels].

import { elementAt } from '../../base/checked.js';
import { ActivationFunctionType, elementCount, type OperatorName, Padding } from '../../formats/tflite/index.js';
import type { GraphBuilder, Value } from './graph-builder.js';
import { axisOf, type NdArray, transposed } from './reference/arrays.js';

const none = ActivationFunctionType.NONE;

/** Padding of a window: by TensorFlow's rule for SAME, or none. */
export type WindowPadding = 'same' | 'valid';

/** Steps of a window; pairs are for height and width. */
export interface WindowOptions {
  readonly padding: WindowPadding;
  readonly strides: readonly [number, number];
  readonly dilations?: readonly [number, number];
}

const paddingCode = { same: Padding.SAME, valid: Padding.VALID } as const;

/** @param weights [height, width, inputChannels / groups, outputChannels] */
export function convolution(
  graph: GraphBuilder,
  image: Value,
  weights: NdArray,
  bias: NdArray | null,
  { padding, strides, dilations = [1, 1] }: WindowOptions,
): Value {
  const filters = transposed(weights, [3, 0, 1, 2]);
  return graph.add(
    'CONV_2D',
    [image, constantOf(graph, filters, 'kernel'), biasOf(graph, bias, elementAt(filters.shape, 0))],
    {
      options: {
        kind: 'Conv2DOptions',
        padding: paddingCode[padding],
        strideH: strides[0],
        strideW: strides[1],
        dilationHFactor: dilations[0],
        dilationWFactor: dilations[1],
        fusedActivationFunction: none,
        quantizedBiasType: 0,
      },
    },
  );
}

/** TensorFlow Lite refuses convolutions whose bias is absent. */
function biasOf(graph: GraphBuilder, bias: NdArray | null, channels: number): Value {
  return constantOf(graph, bias ?? { type: 'float32', shape: [channels], data: new Float32Array(channels) }, 'bias');
}

/** @param weights [height, width, inputChannels, depthMultiplier] */
export function depthwiseConvolution(
  graph: GraphBuilder,
  image: Value,
  weights: NdArray,
  bias: NdArray | null,
  { padding, strides, dilations = [1, 1] }: WindowOptions,
): Value {
  const [height = 1, width = 1, channels = 1, multiplier = 1] = weights.shape;
  const filters = { ...weights, shape: [1, height, width, channels * multiplier] };
  const isDilated = dilations.some((factor) => factor > 1);
  return graph.add(
    'DEPTHWISE_CONV_2D',
    [image, constantOf(graph, filters, 'kernel'), biasOf(graph, bias, channels * multiplier)],
    {
      version: isDilated ? 2 : 1,
      options: {
        kind: 'DepthwiseConv2DOptions',
        padding: paddingCode[padding],
        strideH: strides[0],
        strideW: strides[1],
        depthMultiplier: multiplier,
        dilationHFactor: dilations[0],
        dilationWFactor: dilations[1],
        fusedActivationFunction: none,
      },
    },
  );
}

/** @param weights [height, width, outputChannels, inputChannels] */
export function transposedConvolution(
  graph: GraphBuilder,
  image: Value,
  weights: NdArray,
  bias: NdArray | null,
  output: readonly [height: number, width: number],
  { padding, strides }: WindowOptions,
): Value {
  const filters = transposed(weights, [2, 0, 1, 3]);
  const shape = [elementAt(image.shape, 0), ...output, elementAt(filters.shape, 0)];
  const inputs = [graph.integers(shape), constantOf(graph, filters, 'kernel'), image];
  return graph.add('TRANSPOSE_CONV', bias === null ? inputs : [...inputs, constantOf(graph, bias, 'bias')], {
    version: bias === null ? 1 : 3,
    types: [image.type],
    options: {
      kind: 'TransposeConvOptions',
      padding: paddingCode[padding],
      strideH: strides[0],
      strideW: strides[1],
      fusedActivationFunction: none,
      quantizedBiasType: 0,
    },
  });
}

export function pool(
  graph: GraphBuilder,
  kind: 'AVERAGE_POOL_2D' | 'MAX_POOL_2D',
  image: Value,
  size: readonly [number, number],
  { padding, strides }: WindowOptions,
): Value {
  return graph.add(kind, [image], {
    options: {
      kind: 'Pool2DOptions',
      padding: paddingCode[padding],
      strideH: strides[0],
      strideW: strides[1],
      filterHeight: size[0],
      filterWidth: size[1],
      fusedActivationFunction: none,
    },
  });
}

/** Products with a matrix over the last dimension. @param weights [inputs, outputs] */
export function dense(graph: GraphBuilder, input: Value, weights: NdArray, bias: NdArray | null): Value {
  const rows = constantOf(graph, transposed(weights, [1, 0]), 'kernel');
  const keepNumDims = input.shape.length !== 2;
  return graph.add('FULLY_CONNECTED', [input, rows, bias && constantOf(graph, bias, 'bias')], {
    version: keepNumDims ? 5 : 1,
    options: {
      kind: 'FullyConnectedOptions',
      fusedActivationFunction: none,
      weightsFormat: 0,
      keepNumDims,
      asymmetricQuantizeInputs: false,
      quantizedBiasType: 0,
    },
  });
}

/** Matrix product of two computed values over their last two dimensions. */
export function matrixProduct(
  graph: GraphBuilder,
  a: Value,
  b: Value,
  { transposeA = false, transposeB = false } = {},
): Value {
  return graph.add('BATCH_MATMUL', [a, b], {
    options: { kind: 'BatchMatMulOptions', adjX: transposeA, adjY: transposeB, asymmetricQuantizeInputs: false },
  });
}

export function add(graph: GraphBuilder, a: Value, b: Value): Value {
  return graph.add('ADD', [a, b], {
    options: { kind: 'AddOptions', fusedActivationFunction: none, potScaleInt16: true },
  });
}

export function subtract(graph: GraphBuilder, a: Value, b: Value): Value {
  return graph.add('SUB', [a, b], {
    options: { kind: 'SubOptions', fusedActivationFunction: none, potScaleInt16: true },
  });
}

export function multiply(graph: GraphBuilder, a: Value, b: Value): Value {
  return graph.add('MUL', [a, b], { options: { kind: 'MulOptions', fusedActivationFunction: none } });
}

export function divide(graph: GraphBuilder, a: Value, b: Value): Value {
  return graph.add('DIV', [a, b], { options: { kind: 'DivOptions', fusedActivationFunction: none } });
}

/** An operator of one or two values whose options are empty. */
export function plain(graph: GraphBuilder, name: OperatorName, ...inputs: readonly Value[]): Value {
  return graph.add(name, inputs);
}

export function softmax(graph: GraphBuilder, input: Value): Value {
  return graph.add('SOFTMAX', [input], { options: { kind: 'SoftmaxOptions', beta: 1 } });
}

/** @returns the input itself if it has the shape already */
export function reshape(graph: GraphBuilder, input: Value, shape: readonly number[]): Value {
  if (shape.join() === input.shape.join()) return input;
  return graph.add('RESHAPE', [input, graph.integers(shape)]);
}

/** @returns the input itself if nothing moves */
export function transpose(graph: GraphBuilder, input: Value, order: readonly number[]): Value {
  if (order.every((axis, d) => axis === d)) return input;
  return graph.add('TRANSPOSE', [input, graph.integers(order)]);
}

/** The reductions, over some axes. */
export type Reduction = 'MEAN' | 'SUM' | 'REDUCE_MAX' | 'REDUCE_MIN' | 'REDUCE_PROD';

export function reduce(
  graph: GraphBuilder,
  name: Reduction,
  input: Value,
  axes: readonly number[],
  keepDims: boolean,
): Value {
  return graph.add(name, [input, graph.integers(axes)], { options: { kind: 'ReducerOptions', keepDims } });
}

/** Surrounds by zeros. @param pads before and after, for each axis */
export function pad(graph: GraphBuilder, input: Value, pads: readonly (readonly [number, number])[]): Value {
  if (pads.flat().every((size) => size === 0)) return input;
  const table = graph.constant('int32', [pads.length, 2], Int32Array.from(pads.flat()), 'pads');
  return graph.add('PAD', [input, table]);
}

/** Elements `begin` to `end` of each axis, in steps; a negative `end` of a backward step means down to the first. */
export interface AxisRange {
  readonly begin: number;
  readonly end: number;
  readonly step: number;
  /** The axis is dropped; its range has one element. */
  readonly drop?: boolean;
}

export function slice(graph: GraphBuilder, input: Value, ranges: readonly AxisRange[]): Value {
  const isWhole = ranges.every(
    ({ begin, end, step, drop }, d) => begin === 0 && end === input.shape[d] && step === 1 && drop !== true,
  );
  if (isWhole) return input;
  const bits = (holds: (range: AxisRange) => boolean): number =>
    ranges.reduce((mask, range, d) => (holds(range) ? mask | (1 << d) : mask), 0);
  return graph.add(
    'STRIDED_SLICE',
    [
      input,
      graph.integers(ranges.map(({ begin }) => begin)),
      graph.integers(ranges.map(({ end }) => Math.max(0, end))),
      graph.integers(ranges.map(({ step }) => step)),
    ],
    {
      options: {
        kind: 'StridedSliceOptions',
        beginMask: 0,
        endMask: bits(({ end, step }) => step < 0 && end < 0),
        ellipsisMask: 0,
        newAxisMask: 0,
        shrinkAxisMask: bits(({ drop }) => drop === true),
        offset: false,
      },
    },
  );
}

/** The whole of each axis, for slices of one of them. */
export function wholeRanges(shape: readonly number[]): AxisRange[] {
  return shape.map((size) => ({ begin: 0, end: size, step: 1 }));
}

export function concatenate(graph: GraphBuilder, inputs: readonly Value[], axis: number): Value {
  const first = elementAt(inputs, 0);
  if (inputs.length === 1) return first;
  return graph.add('CONCATENATION', inputs, {
    options: {
      kind: 'ConcatenationOptions',
      axis: axisOf(axis, first.shape.length),
      fusedActivationFunction: none,
    },
  });
}

export function constantOf(graph: GraphBuilder, { type, shape, data }: NdArray, name: string): Value {
  return graph.constant(type, shape, data, name);
}

/** Equal parts along an axis. */
export function split(graph: GraphBuilder, input: Value, axis: number, count: number): readonly Value[] {
  const at = graph.constant('int32', [], Int32Array.of(axis), 'axis');
  return graph.addMany('SPLIT', [at, input], count, {
    types: new Array(count).fill(input.type),
    options: { kind: 'SplitOptions', numSplits: count },
  });
}

export function reverse(graph: GraphBuilder, input: Value, axis: number): Value {
  return graph.add('REVERSE_V2', [input, graph.integers([axis])], { options: { kind: 'ReverseV2Options' } });
}

/** One element for each channel, which is the last dimension, as an operand that broadcasts. */
export function perChannel(graph: GraphBuilder, values: Float32Array, name: string): Value {
  return graph.floats([values.length], values, name);
}

/** Number of elements of a value. */
export function countOf({ shape }: Value): number {
  return elementCount(shape);
}
