// SOFTMAX over the last dimension. int8: TFLite reference_ops::Softmax with gemmlowp's exponential; the output scale
// is 1/256 with zero point -128.

import {
  quantizeMultiplier,
  roundHalfAway,
  roundingDivideByPot,
  saturatingRoundingDoublingHighMul,
} from '../arithmetic/fixed-point.js';
import { expOnNegativeValues, reciprocal } from '../arithmetic/gemmlowp.js';
import { interpolate, interpolationTable } from '../arithmetic/lookup.js';
import { clamp, integerLimits } from './activation.js';
import {
  byType,
  elementwiseFamily,
  ends,
  inputOf,
  invalid,
  type Operand,
  type OperatorContext,
  optionsOf,
  outputOf,
  quantizationOf,
  requireType,
} from './operator.js';
import { sameShape } from './shapes.js';

const diffIntegerBits = 5;
const sumIntegerBits = 12;

function rowsOf(context: OperatorContext): { input: Operand; output: Operand; rows: number; depth: number } {
  const input = inputOf(context, 0);
  const output = outputOf(context);
  if (input.type !== 'int8') requireType(context, output, input.type);
  const depth = input.shape.at(-1) ?? 0;
  if (depth === 0) throw invalid(context, 'an empty last dimension');
  return { input, output, rows: input.data.length / depth, depth };
}

/** optimized_ops::Softmax: exp and its sum in float32, tabulated for every possible difference to the row's maximum. */
function prepare8InFloat(context: OperatorContext): () => void {
  const { input, output, rows, depth } = rowsOf(context);
  const { fround } = Math;
  const { scale, zeroPoint } = quantizationOf(context, output);
  const slope = fround(-quantizationOf(context, input).scale * optionsOf(context, 'SoftmaxOptions').beta);
  const table = Float32Array.from({ length: 256 }, (_, difference) => Math.exp(fround(slope * difference)));
  const [low, high] = integerLimits(output);
  const [from, to] = [input.data as Int8Array, output.data as Int8Array];
  return () => {
    for (let start = 0; start < rows * depth; start += depth) {
      let max = -Infinity;
      for (let i = start; i < start + depth; i++) max = Math.max(max, from[i] as number);
      let sum = 0;
      for (let i = start; i < start + depth; i++) sum = fround(sum + (table[max - (from[i] as number)] as number));
      const inverse = fround(1 / fround(sum * scale));
      for (let i = start; i < start + depth; i++) {
        const value = fround((table[max - (from[i] as number)] as number) * inverse);
        to[i] = clamp(roundHalfAway(value) + zeroPoint, low, high);
      }
    }
  };
}

/**
 * exp of every possible difference to a row's maximum in Q0.31, and rounded to the bits of their sum; 0 for differences
 * too large to count.
 */
export function exponentialsOf(context: OperatorContext): {
  readonly exponentials: Int32Array;
  readonly rounded: Int32Array;
} {
  const { scale } = quantizationOf(context, inputOf(context, 0));
  const real = Math.min(optionsOf(context, 'SoftmaxOptions').beta * scale * 2 ** (31 - diffIntegerBits), 2147483647);
  if (!(real > 1)) throw invalid(context, `beta times input scale is too small (${real})`);
  const { multiplier, shift } = quantizeMultiplier(real);
  const diffMin = -Math.floor(((2 ** diffIntegerBits - 1) * 2 ** (31 - diffIntegerBits)) / 2 ** shift);
  const exponentials = Int32Array.from({ length: 256 }, (_, i) =>
    -i < diffMin
      ? 0
      : expOnNegativeValues(saturatingRoundingDoublingHighMul((-i * 2 ** shift) | 0, multiplier), diffIntegerBits),
  );
  return { exponentials, rounded: exponentials.map((value) => roundingDivideByPot(value, sumIntegerBits)) };
}

/** 8-bit input, 8- or 16-bit output: both represent 0 to 1 from the lowest value up. */
function prepare8(context: OperatorContext): () => void {
  const { input, output, rows, depth } = rowsOf(context);
  const { scale, zeroPoint } = quantizationOf(context, output);
  const bits = byType(context, output, { int8: 8, uint8: 8, int16: 16 });
  const [low, high] = integerLimits(output);
  // TFLM requires int8 scales to be exact, int16 within a thousandth.
  if (Math.abs(scale * 2 ** bits - 1) > (bits === 16 ? 0.001 : 0) || zeroPoint !== low)
    throw invalid(
      context,
      `an ${output.type} output with scale ${scale} and zero point ${zeroPoint}; it must be 1/${2 ** bits} and ${low}`,
    );
  if (context.arithmetic.softmaxInFloat) return prepare8InFloat(context);
  const { exponentials, rounded } = exponentialsOf(context);
  const from = input.data as Int8Array;
  const to = output.data as Int8Array | Int16Array;
  return () => {
    for (let r = 0; r < rows; r++) {
      const start = r * depth;
      let max = -Infinity;
      for (let c = 0; c < depth; c++) max = Math.max(max, from[start + c] as number);
      let sum = 0;
      for (let c = 0; c < depth; c++) sum = (sum + (rounded[max - (from[start + c] as number)] as number)) | 0;
      const { scale: shifted, bitsOverUnit } = reciprocal(sum, sumIntegerBits);
      // The reference kernel aborts here (TFLITE_CHECK on the exponent).
      if (bitsOverUnit + 31 - bits > 31)
        throw ends(
          context,
          `${depth} values so nearly equal that their exponentials sum to 512 or more, at which the kernel ` +
            'ends the program',
        );
      for (let c = 0; c < depth; c++) {
        const product = saturatingRoundingDoublingHighMul(
          shifted,
          exponentials[max - (from[start + c] as number)] as number,
        );
        to[start + c] = Math.min(roundingDivideByPot(product, bitsOverUnit + 31 - bits) + low, high);
      }
    }
  };
}

/** reference_ops::SoftmaxInt16: exp and 1 / (1 + x) from tables of int16. */
function prepareInt16(context: OperatorContext): () => void {
  const { input, output, rows, depth } = rowsOf(context);
  if (Math.abs(quantizationOf(context, output).scale * 32768 - 1) > 0.001)
    throw invalid(context, 'an int16 output has scale 1/32768');
  const { requantize, scaleProduct, softmaxTable } = context.arithmetic;
  const slope = scaleProduct(quantizationOf(context, input).scale * optionsOf(context, 'SoftmaxOptions').beta);
  const { multiplier, shift } = quantizeMultiplier(slope / (10 / 65535));
  const { exponentials, reciprocals } = tablesOf(softmaxTable);
  const from = input.data as Int16Array;
  const to = output.data as Int16Array;
  if (depth === 1) return () => to.fill(context.arithmetic.softmaxOfOne);
  return () => {
    for (let r = 0; r < rows; r++) {
      const start = r * depth;
      let max = -32768;
      for (let c = 0; c < depth; c++) max = Math.max(max, from[start + c] as number);
      let sum = 0;
      for (let c = 0; c < depth; c++) {
        const difference = requantize((from[start + c] as number) - max, multiplier, shift) + 32767;
        const exponential = interpolate(exponentials, clamp(difference, -32768, 32767));
        to[start + c] = exponential;
        sum += exponential;
      }
      const headroomPlusOne = Math.clz32(sum);
      const shifted = Math.floor((sum * 2 ** (headroomPlusOne - 1) + 2 ** 13) / 2 ** 14);
      const inverse = interpolate(reciprocals, clamp(shifted - 2 ** 15 - 2 ** 16, -32768, 32767));
      const rightShift = 31 - headroomPlusOne;
      for (let c = 0; c < depth; c++)
        to[start + c] = clamp(
          Math.floor(((to[start + c] as number) * inverse + 2 ** (rightShift - 1)) / 2 ** rightShift),
          0,
          32767,
        );
    }
  };
}

interface SoftmaxTables {
  /** exp(x) for x in [-10, 0]. */
  readonly exponentials: Int16Array;
  /** 1 / (1 + x) for x in [0, 1]. */
  readonly reciprocals: Int16Array;
}

const tables = new Map<(value: number) => number, SoftmaxTables>();

/** Created on first use, once for each rounding. */
function tablesOf(round: (value: number) => number): SoftmaxTables {
  const known = tables.get(round);
  if (known !== undefined) return known;
  // The input steps are given as int16 scales, from which the ends of the range follow.
  const made = {
    exponentials: interpolationTable({ scale: 10 / 65535, zero: 32767, outputScale: 2 / 65535, round }, Math.exp),
    reciprocals: interpolationTable(
      { scale: 1 / 65535, zero: -32768, outputScale: 2 / 65535, round },
      (x) => 1 / (1 + x),
    ),
  };
  tables.set(round, made);
  return made;
}

function prepareFloat(context: OperatorContext): () => void {
  const { input, output, rows, depth } = rowsOf(context);
  const beta = optionsOf(context, 'SoftmaxOptions').beta;
  const from = input.data as Float32Array;
  const to = output.data as Float32Array;
  return () => {
    for (let r = 0; r < rows; r++) {
      const start = r * depth;
      let max = -Infinity;
      for (let c = 0; c < depth; c++) max = Math.max(max, from[start + c] as number);
      let sum = 0;
      for (let c = 0; c < depth; c++) {
        const exponential = Math.exp(((from[start + c] as number) - max) * beta);
        to[start + c] = exponential;
        sum += exponential;
      }
      for (let c = 0; c < depth; c++) to[start + c] = (to[start + c] as number) / sum;
    }
  };
}

export const softmax = elementwiseFamily(
  'SOFTMAX',
  sameShape,
  { float32: prepareFloat, int8: prepare8, uint8: prepare8, int16: prepareInt16 },
  (context, { library }) => ({
    options: [4, 4],
    persistent: [56],
    scratch:
      library === 'esp-nn' && inputOf(context, 0).type === 'int8' ? [4 * (inputOf(context, 0).shape.at(-1) ?? 1)] : [],
  }),
);
