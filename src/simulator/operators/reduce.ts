// MEAN, SUM, REDUCE_MAX, REDUCE_MIN, REDUCE_PROD, REDUCE_ANY, REDUCE_ALL over constant axes. int8, int16 MEAN and SUM:
// TFLite reference_ops::QuantizedMeanOrSum, which divides by folding the count into the multiplier.

import {
  multiplyDoubleRounding,
  multiplyRoundingUp,
  quantizeMultiplier,
  roundHalfAway,
  toInt32,
} from '../arithmetic/fixed-point.js';
import { clamp, integerLimits } from './activation.js';
import { constantIntegers, resolveAxis } from './axes.js';
import {
  elementwiseFamily,
  inputOf,
  invalid,
  type Operand,
  type OperatorContext,
  type OperatorFamily,
  type OperatorMemory,
  optionsOf,
  outputOf,
  quantizationOf,
  requireType,
} from './operator.js';
import { forEachPosition, strides } from './positions.js';
import { whereKnown } from './shapes.js';

interface Reduction {
  readonly input: Operand;
  readonly output: Operand;
  /** Input elements per output element. */
  readonly count: number;
}

/** The dimensions that are reduced. */
function reducedOf(context: OperatorContext): ReadonlySet<number> {
  const rank = inputOf(context, 0).shape.length;
  return new Set(
    constantIntegers(context, inputOf(context, 1)).map((axis) => (rank === 0 ? 0 : resolveAxis(context, axis, rank))),
  );
}

const reducedShape = whereKnown((context) => {
  const { shape } = inputOf(context, 0);
  const reduced = reducedOf(context);
  const kept = shape.map((size, d) => (reduced.has(d) ? 1 : size));
  return [optionsOf(context, 'ReducerOptions').keepDims ? kept : kept.filter((_, d) => !reduced.has(d))];
}, 1);

function reductionOf(context: OperatorContext): Reduction {
  const input = inputOf(context, 0);
  const output = outputOf(context);
  requireType(context, output, input.type);
  return { input, output, count: output.count === 0 ? 0 : input.count / output.count };
}

/** For every input element, the index of its output element. */
function targetsOf(context: OperatorContext): Int32Array {
  const input = inputOf(context, 0);
  const reduced = reducedOf(context);
  const kept = input.shape.map((size, d) => (reduced.has(d) ? 1 : size));
  const stride = strides(kept).map((value, d) => (reduced.has(d) ? 0 : value));
  const targets = new Int32Array(input.count);
  forEachPosition(input.shape, (position, index) => {
    targets[index] = position.reduce((sum, at, d) => sum + at * (stride[d] as number), 0);
  });
  return targets;
}

/** Folds the inputs of every output element in order. */
function folded(
  context: OperatorContext,
  first: number,
  fold: (acc: number, value: number) => number,
  finish = (acc: number, _index: number): number => acc,
): () => void {
  const { input, output } = reductionOf(context);
  const targets = targetsOf(context);
  const from = input.data as Float32Array;
  const to = output.data as Float32Array;
  const sums = new Float64Array(output.count);
  return () => {
    sums.fill(first);
    for (let i = 0; i < targets.length; i++)
      sums[targets[i] as number] = fold(sums[targets[i] as number] as number, from[i] as number);
    for (let i = 0; i < to.length; i++) to[i] = finish(sums[i] as number, i);
  };
}

const { fround } = Math;

function meanFloat(context: OperatorContext): () => void {
  const { count } = reductionOf(context);
  return folded(
    context,
    0,
    (acc, value) => fround(acc + value),
    (acc) => acc / count,
  );
}

/** The final step for the sum of an output element. */
function quantizedSumOf(context: OperatorContext, mean: boolean): (sum: number) => number {
  const { input, output, count } = reductionOf(context);
  const from = quantizationOf(context, input);
  const to = quantizationOf(context, output);
  let { multiplier, shift } = quantizeMultiplier(from.scale / to.scale);
  if (mean && count > 0) {
    const extra = Math.min(31 - Math.clz32(count), 32, 31 + shift);
    multiplier = Number((BigInt(multiplier) << BigInt(extra)) / BigInt(count));
    shift -= extra;
  }
  const [low, high] = integerLimits(output);
  const { requantize } = context.arithmetic;
  return (sum) => clamp(requantize((sum - from.zeroPoint * count) | 0, multiplier, shift) + to.zeroPoint, low, high);
}

/** The same as in optimized_ops::QuantizedMeanOrSum. */
function floatSumOf(context: OperatorContext): (sum: number) => number {
  const { input, output, count } = reductionOf(context);
  const [from, to] = [quantizationOf(context, input), quantizationOf(context, output)];
  const scale = fround(from.scale / to.scale);
  const bias = fround(fround(-from.zeroPoint * scale) * count);
  const [low, high] = integerLimits(output);
  return (sum) => clamp(toInt32(roundHalfAway(fround(fround(fround(sum) * scale) + bias))) + to.zeroPoint, low, high);
}

/** Quantized operands have the same scale, so stored values are compared. */
function extreme(context: OperatorContext, name: 'REDUCE_MAX' | 'REDUCE_MIN'): () => void {
  const input = inputOf(context, 0);
  if (input.type === 'int8' || input.type === 'uint8' || input.type === 'int16') {
    const from = quantizationOf(context, input);
    const to = quantizationOf(context, outputOf(context));
    if (from.scale !== to.scale || from.zeroPoint !== to.zeroPoint)
      throw invalid(context, 'input and output are not quantized alike');
  }
  return name === 'REDUCE_MAX'
    ? folded(context, -Infinity, (acc, value) => (value > acc ? value : acc))
    : folded(context, Infinity, (acc, value) => (value < acc ? value : acc));
}

type Prepare = OperatorFamily['prepare'];

/** TFLM's index and axis buffers, and for integers the sums (reduce_common.cc). */
function memoryOf(context: OperatorContext): OperatorMemory {
  const input = inputOf(context, 0);
  const sums = (context.name === 'MEAN' || context.name === 'SUM') && (input.type === 'int8' || input.type === 'int16');
  return {
    options: [1, 1],
    persistent: [44],
    scratch: [...(sums ? [4 * outputOf(context).count] : []), 4 * input.shape.length, 4 * inputOf(context, 1).count],
  };
}

/**
 * Height and width of images with dimensions kept, in 8 bits: optimized_integer_ops::Mean. The zero points are combined
 * into one integer that is added at the end; SIMD computes blocks of 16 channels.
 */
function imageMeanOf(context: OperatorContext): ((sum: number, channel: number) => number) | null {
  const { input, output, count } = reductionOf(context);
  // The kernel compares these numbers literally; equivalent negative axes do not count.
  const axes = constantIntegers(context, inputOf(context, 1));
  const spatial =
    ['1,2', '2,1'].includes(axes.join()) && input.shape.length === 4 && optionsOf(context, 'ReducerOptions').keepDims;
  if (!context.arithmetic.meanAddsBias || !spatial || input.type === 'int16') return null;
  const from = quantizationOf(context, input);
  const to = quantizationOf(context, output);
  const shifted = fround(fround(from.zeroPoint * from.scale) / to.scale);
  const bias = to.zeroPoint - Math.trunc(fround(shifted + (shifted > 0 ? 0.5 : -0.5)));
  const { multiplier, shift } = quantizeMultiplier(fround(from.scale / fround(count * to.scale)));
  const [low, high] = integerLimits(output);
  const channels = input.shape[3] as number;
  const inBlocks = channels - (channels % 16);
  return (sum, channel) =>
    clamp((channel < inBlocks ? multiplyRoundingUp : multiplyDoubleRounding)(sum, multiplier, shift) + bias, low, high);
}

/** The final step for the sum of an output element, by its index. */
export function quantizedMeanOf(context: OperatorContext): (sum: number, index: number) => number {
  const ofImage = imageMeanOf(context);
  if (ofImage === null) return quantizedSumOf(context, true);
  const channels = outputOf(context).shape[3] as number;
  return (sum, index) => ofImage(sum, index % channels);
}

const meanInteger: Prepare = (context) =>
  folded(context, 0, (acc, value) => (acc + value) | 0, quantizedMeanOf(context));
const sumInteger: Prepare = (context) => {
  const finish = context.arithmetic.sumsInFloat ? floatSumOf(context) : quantizedSumOf(context, false);
  return folded(context, 0, (acc, value) => (acc + value) | 0, finish);
};
const maxOf: Prepare = (context) => extreme(context, 'REDUCE_MAX');
const minOf: Prepare = (context) => extreme(context, 'REDUCE_MIN');
const extremes = (prepare: Prepare) => ({
  float32: prepare,
  int8: prepare,
  uint8: prepare,
  int16: prepare,
  int32: prepare,
});

export const mean = elementwiseFamily(
  'MEAN',
  reducedShape,
  { float32: meanFloat, int8: meanInteger, uint8: meanInteger, int16: meanInteger },
  memoryOf,
);
export const sum = elementwiseFamily(
  'SUM',
  reducedShape,
  {
    float32: (context) => folded(context, 0, (acc, value) => fround(acc + value)),
    int8: sumInteger,
    uint8: sumInteger,
    int16: sumInteger,
    int32: (context) => folded(context, 0, (acc, value) => (acc + value) | 0),
  },
  memoryOf,
);
export const reduceMax = elementwiseFamily('REDUCE_MAX', reducedShape, extremes(maxOf), memoryOf);
export const reduceMin = elementwiseFamily('REDUCE_MIN', reducedShape, extremes(minOf), memoryOf);
export const reduceProd = elementwiseFamily(
  'REDUCE_PROD',
  reducedShape,
  { float32: (context) => folded(context, 1, (acc, value) => fround(acc * value)) },
  memoryOf,
);
export const reduceAll = elementwiseFamily(
  'REDUCE_ALL',
  reducedShape,
  { bool: (context) => folded(context, 1, (acc, value) => acc && (value === 0 ? 0 : 1)) },
  memoryOf,
);
export const reduceAny = elementwiseFamily(
  'REDUCE_ANY',
  reducedShape,
  { bool: (context) => folded(context, 0, (acc, value) => acc || (value === 0 ? 0 : 1)) },
  memoryOf,
);
