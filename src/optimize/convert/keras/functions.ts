// Functions that are used as layers: those of keras.ops, by class, and those of TensorFlow in models of Keras 2
// (`tf.math.sqrt`).

import { elementAt } from '../../../base/checked.js';
import { elementCount } from '../../../formats/tflite/index.js';
import * as emit from '../emit.js';
import type { GraphBuilder, Value } from '../graph-builder.js';
import { inputAt, type NodeReader } from '../node-reader.js';
import {
  axisOf,
  combined,
  folds,
  gatheredBy,
  joined,
  mapped,
  multiplied,
  type NdArray,
  reduced,
  reshaped,
  stridesOf,
  transposed,
} from '../reference/arrays.js';
import type { OperatorTable, SourceOperator } from '../source-operator.js';
import { type Activation, activationLayer, activationNamed, gelu, leakyRelu, softmax } from './activations.js';
import {
  argumentOf,
  flagArgument,
  integerArguments,
  numberArgument,
  operandArrays,
  operandValues,
} from './arguments.js';
import { permuting, reshaping } from './shaping.js';

function elementwise(lower: (graph: GraphBuilder, x: Value) => Value, compute: (x: number) => number): SourceOperator {
  return activationLayer(() => ({ lower, evaluate: (x) => mapped(x, compute) }));
}

function named(name: string): SourceOperator {
  return activationLayer((node) => activationNamed(node, name));
}

const clipped: SourceOperator = activationLayer((node): Activation => {
  const low = numberArgument(node, ['x_min', 'clip_value_min'], 1, -Infinity);
  const high = numberArgument(node, ['x_max', 'clip_value_max'], 2, Infinity);
  return {
    lower: (graph, x) =>
      emit.plain(graph, 'MINIMUM', emit.plain(graph, 'MAXIMUM', x, graph.scalar(low)), graph.scalar(high)),
    evaluate: (x) => mapped(x, (value) => Math.min(high, Math.max(low, value))),
  };
});

/** The axes of a reduction; all of them where none are named. */
function reductionAxes(node: NodeReader, rank: number): number[] {
  const axes = integerArguments(node, ['axis'], 1);
  return axes === null ? Array.from({ length: rank }, (_, d) => d) : axes.map((axis) => axisOf(axis, rank));
}

function reduction(name: emit.Reduction, fold: keyof typeof folds): SourceOperator {
  return {
    lower: (node, inputs, graph) => {
      const x = inputAt(node, inputs, 0);
      const keepDims = flagArgument(node, ['keepdims'], 2);
      return [emit.reduce(graph, name, x, reductionAxes(node, x.shape.length), keepDims)];
    },
    evaluate: (node, inputs) => {
      const x = inputAt(node, inputs, 0);
      return [reduced(x, reductionAxes(node, x.shape.length), flagArgument(node, ['keepdims'], 2), folds[fold])];
    },
  };
}

/** A target shape, in which one -1 stands for what remains. An unknown batch is 1 here. */
function newShape(node: NodeReader, shape: readonly number[]): number[] {
  const value = argumentOf(node, ['newshape', 'shape'], 1);
  const sizes = Array.isArray(value) ? value.map((size) => size ?? -1) : null;
  if (sizes === null || !sizes.every((size): size is number => typeof size === 'number'))
    throw node.invalid('newshape', value ?? null);
  const count = elementCount(shape);
  const known = elementCount(sizes.filter((size) => size !== -1));
  const result = sizes.map((size) => (size === -1 ? count / known : size));
  if (elementCount(result) !== count)
    throw node.refused(`the shape [${sizes.join(', ')}] does not hold ${count} elements`);
  return result;
}

const expandDims = reshaping((node, shape) => {
  const axis = axisOf(integerArguments(node, ['axis'], 1)?.[0] ?? 0, shape.length + 1);
  return [...shape.slice(0, axis), 1, ...shape.slice(axis)];
});

const squeeze = reshaping((node, shape) => {
  const axes = integerArguments(node, ['axis'], 1)?.map((axis) => axisOf(axis, shape.length));
  return shape.filter((size, d) => (axes === undefined ? size !== 1 || d === 0 : !axes.includes(d)));
});

function orderOf(node: NodeReader, rank: number): readonly number[] {
  return integerArguments(node, ['axes', 'perm'], 1) ?? Array.from({ length: rank }, (_, d) => rank - 1 - d);
}

const transpose = permuting(orderOf);

const stack: SourceOperator = {
  lower: (node, inputs, graph) => {
    const axis = integerArguments(node, ['axis'], 1)?.[0] ?? 0;
    const rank = inputAt(node, inputs, 0).shape.length;
    return [
      graph.add('PACK', inputs, {
        options: { kind: 'PackOptions', valuesCount: inputs.length, axis: axisOf(axis, rank + 1) },
      }),
    ];
  },
  evaluate: (node, inputs) => {
    const first = inputAt(node, inputs, 0);
    const axis = axisOf(integerArguments(node, ['axis'], 1)?.[0] ?? 0, first.shape.length + 1);
    const shape = [...first.shape.slice(0, axis), 1, ...first.shape.slice(axis)];
    return [
      joined(
        inputs.map((one) => reshaped(one, shape)),
        axis,
      ),
    ];
  },
};

const matmul: SourceOperator = {
  lower: (node, inputs, graph) => {
    const [a, b] = operandValues(node, inputs, graph, ['b', 'x2']);
    const transposes = {
      transposeA: flagArgument(node, ['transpose_a'], null),
      transposeB: flagArgument(node, ['transpose_b'], null),
    };
    return [emit.matrixProduct(graph, inputAt(node, [a], 0) as Value, inputAt(node, [b], 0) as Value, transposes)];
  },
  evaluate: (node, inputs) => {
    const [a, b] = operandArrays(node, inputs, ['b', 'x2']) as [NdArray, NdArray];
    const turned = (x: NdArray, name: string): NdArray => {
      if (!flagArgument(node, [name], null)) return x;
      const axes = x.shape.map((_, d) => d);
      return transposed(x, [...axes.slice(0, -2), elementAt(axes, axes.length - 1), elementAt(axes, axes.length - 2)]);
    };
    return [multiplied(turned(a, 'transpose_a'), turned(b, 'transpose_b'))];
  },
};

const power: SourceOperator = {
  lower: (node, inputs, graph) => {
    const [x, exponent] = operandValues(node, inputs, graph, ['y', 'x2']);
    if (exponent?.data?.length === 1 && Number(exponent.data[0]) === 2)
      return [emit.multiply(graph, inputAt(node, [x], 0) as Value, x as Value)];
    return [emit.plain(graph, 'POW', inputAt(node, [x], 0) as Value, inputAt(node, [exponent], 0) as Value)];
  },
  evaluate: (node, inputs) => {
    const [x, exponent] = operandArrays(node, inputs, ['y', 'x2']) as [NdArray, NdArray];
    return [combined(x, exponent, (a, b) => a ** b)];
  },
};

/** Ranges of `x[...]` along each axis; integers drop their axis. */
function itemRanges(node: NodeReader, shape: readonly number[]): emit.AxisRange[] {
  const value = argumentOf(node, ['key', 'slice_spec'], 1);
  const keys = Array.isArray(value) ? value : [value];
  if (keys.length > shape.length) throw node.refused(`it takes ${keys.length} indices of [${shape.join(', ')}]`);
  return shape.map((size, d): emit.AxisRange => {
    const key = keys[d];
    if (key === undefined) return { begin: 0, end: size, step: 1 };
    if (typeof key === 'number' && Number.isInteger(key) && key >= -size && key < size) {
      const at = key < 0 ? key + size : key;
      return { begin: at, end: at + 1, step: 1, drop: true };
    }
    const { start, stop, step } = sliceOf(node, key);
    if (step < 1) throw node.refused('it slices backwards');
    const bound = (at: number): number => Math.min(size, Math.max(0, at < 0 ? at + size : at));
    const [begin, end] = [bound(start ?? 0), bound(stop ?? size)];
    if (end <= begin) throw node.refused(`its slice of [${shape.join(', ')}] is empty`);
    return { begin, end, step };
  });
}

/** A slice: Keras 3 stores `{class_name: '__slice__', config}`, Keras 2 `{start, stop, step}`. */
function sliceOf(node: NodeReader, key: unknown): { start: number | null; stop: number | null; step: number } {
  const { config = key } = (key ?? {}) as { config?: unknown };
  const { start = null, stop = null, step = null } = (config ?? {}) as Record<string, unknown>;
  const isBound = (bound: unknown): bound is number | null =>
    bound === null || (typeof bound === 'number' && Number.isInteger(bound));
  if (typeof config !== 'object' || !isBound(start) || !isBound(stop) || !isBound(step))
    throw node.refused('it takes elements by something else than integers and slices');
  return { start, stop, step: step ?? 1 };
}

const getItem: SourceOperator = {
  lower: (node, inputs, graph) => {
    const x = inputAt(node, inputs, 0);
    return [emit.slice(graph, x, itemRanges(node, x.shape))];
  },
  evaluate: (node, inputs) => {
    const x = inputAt(node, inputs, 0);
    const ranges = itemRanges(node, x.shape);
    const strides = stridesOf(x.shape);
    const start = ranges.reduce((sum, { begin }, d) => sum + begin * elementAt(strides, d), 0);
    const shape = ranges.map(({ begin, end, step }) => Math.ceil((end - begin) / step));
    const steps = ranges.map(({ step }, d) => step * elementAt(strides, d));
    const kept = shape.filter((_, d) => elementAt(ranges, d).drop !== true);
    return [reshaped(gatheredBy(x, shape, start, steps), kept)];
  },
};

const absolute = elementwise((graph, x) => emit.plain(graph, 'ABS', x), Math.abs);
const negative = elementwise(
  (graph, x) => emit.plain(graph, 'NEG', x),
  (x) => -x,
);
const exponential = elementwise((graph, x) => emit.plain(graph, 'EXP', x), Math.exp);
const logarithm = elementwise((graph, x) => emit.plain(graph, 'LOG', x), Math.log);
const squareRoot = elementwise((graph, x) => emit.plain(graph, 'SQRT', x), Math.sqrt);
const square = elementwise(
  (graph, x) => emit.multiply(graph, x, x),
  (x) => x * x,
);
const reciprocalRoot = elementwise(
  (graph, x) => emit.plain(graph, 'RSQRT', x),
  (x) => 1 / Math.sqrt(x),
);
const [mean, total, largest, least] = [
  reduction('MEAN', 'mean'),
  reduction('SUM', 'sum'),
  reduction('REDUCE_MAX', 'max'),
  reduction('REDUCE_MIN', 'min'),
];
const reshape = reshaping(newShape);
const geluFunction = activationLayer((node) => gelu(flagArgument(node, ['approximate'], null)));
const leaky = activationLayer((node) => leakyRelu(numberArgument(node, ['negative_slope', 'alpha'], 1, 0.2)));
const softmaxFunction = activationLayer((node) => softmax(integerArguments(node, ['axis'], 1)?.[0] ?? -1));

export const functions: OperatorTable = {
  Absolute: absolute,
  Clip: clipped,
  Elu: named('elu'),
  Exp: exponential,
  ExpandDims: expandDims,
  Gelu: geluFunction,
  GetItem: getItem,
  HardSigmoid: named('hard_sigmoid'),
  HardSilu: named('hard_silu'),
  LeakyRelu: leaky,
  Log: logarithm,
  LogSoftmax: named('log_softmax'),
  Matmul: matmul,
  Max: largest,
  Mean: mean,
  Min: least,
  Negative: negative,
  Power: power,
  Relu: named('relu'),
  Relu6: named('relu6'),
  Rsqrt: reciprocalRoot,
  Selu: named('selu'),
  Sigmoid: named('sigmoid'),
  Silu: named('silu'),
  Softplus: named('softplus'),
  Softsign: named('softsign'),
  Sqrt: squareRoot,
  Square: square,
  Squeeze: squeeze,
  Stack: stack,
  Sum: total,
  Tanh: named('tanh'),
  Transpose: transpose,
  'tf.__operators__.getitem': getItem,
  'tf.clip_by_value': clipped,
  'tf.expand_dims': expandDims,
  'tf.linalg.matmul': matmul,
  'tf.math.abs': absolute,
  'tf.math.exp': exponential,
  'tf.math.log': logarithm,
  'tf.math.negative': negative,
  'tf.math.pow': power,
  'tf.math.reduce_max': largest,
  'tf.math.reduce_mean': mean,
  'tf.math.reduce_min': least,
  'tf.math.reduce_sum': total,
  'tf.math.rsqrt': reciprocalRoot,
  'tf.math.sigmoid': named('sigmoid'),
  'tf.math.softplus': named('softplus'),
  'tf.math.sqrt': squareRoot,
  'tf.math.square': square,
  'tf.math.tanh': named('tanh'),
  'tf.nn.elu': named('elu'),
  'tf.nn.gelu': geluFunction,
  'tf.nn.leaky_relu': leaky,
  'tf.nn.relu': named('relu'),
  'tf.nn.relu6': named('relu6'),
  'tf.nn.silu': named('silu'),
  'tf.nn.softmax': softmaxFunction,
  'tf.nn.swish': named('silu'),
  'tf.reshape': reshape,
  'tf.squeeze': squeeze,
  'tf.stack': stack,
  'tf.transpose': transpose,
};

/** `Reshape` is a layer and a function, told apart by the attribute that holds the shape. */
export const reshapeFunction = reshape;
