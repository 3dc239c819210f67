// LOG_SOFTMAX over the last dimension. 8 bits (output scale 1/16, zero point the type's highest value): TFLite
// reference_ops::LogSoftmaxQuantized, or optimized_ops::LogSoftmax in float32.

import { quantizeMultiplier, roundHalfEven, roundingDivideByPot } from '../arithmetic/fixed-point.js';
import { expOnNegativeValues, logAboveOne } from '../arithmetic/gemmlowp.js';
import { clamp, integerLimits } from './activation.js';
import { rowsOf } from './map.js';
import { elementwiseFamily, inputOf, invalid, type OperatorContext, quantizationOf } from './operator.js';
import { sameShape } from './shapes.js';

const { fround } = Math;
const integerBits = 5;
const sumIntegerBits = 12;
const outputIntegerBits = 4;

function prepareFloat(context: OperatorContext): () => void {
  const { input, output, depth, rows } = rowsOf(context);
  const from = input.data as Float32Array;
  const to = output.data as Float32Array;
  return () => {
    for (let r = 0; r < rows; r++) {
      const row = from.subarray(r * depth, (r + 1) * depth);
      const max = row.reduce((largest, value) => Math.max(largest, value), -Infinity);
      let sum = 0;
      for (const value of row) sum = fround(sum + fround(Math.exp(fround(value - max))));
      const log = fround(Math.log(sum));
      for (let c = 0; c < depth; c++) to[r * depth + c] = fround((row[c] as number) - max) - log;
    }
  };
}

/** exp and its sum in float32, tabulated for every possible difference to the row's maximum. */
function prepare8InFloat(context: OperatorContext): () => void {
  const { input, output, depth, rows } = rowsOf(context);
  const { scale } = quantizationOf(context, input);
  const to = quantizationOf(context, output);
  const table = Float32Array.from({ length: 256 }, (_, difference) => Math.exp(fround(-scale * difference)));
  const ratio = fround(scale / to.scale);
  const [low, high] = integerLimits(output);
  const [from, out] = [input.data as Int8Array, output.data as Int8Array];
  return () => {
    for (let start = 0; start < rows * depth; start += depth) {
      let max = low;
      for (let i = start; i < start + depth; i++) max = Math.max(max, from[i] as number);
      let sum = 0;
      for (let i = start; i < start + depth; i++) sum = fround(sum + (table[max - (from[i] as number)] as number));
      const offset = fround(fround(fround(scale * max) + fround(Math.log(sum))) / to.scale);
      for (let i = start; i < start + depth; i++) {
        const logarithm = fround(fround(ratio * (from[i] as number)) - offset);
        out[i] = clamp(roundHalfEven(logarithm) + to.zeroPoint, low, high);
      }
    }
  };
}

function prepare8(context: OperatorContext): () => void {
  const { input, output, depth, rows } = rowsOf(context);
  const to = quantizationOf(context, output);
  const [low, high] = integerLimits(output);
  if (to.scale !== 1 / 16 || to.zeroPoint !== high) {
    throw invalid(
      context,
      `an ${output.type} output with scale ${to.scale} and zero point ${to.zeroPoint}; it must be 1/16 and ${high}`,
    );
  }
  if (context.arithmetic.softmaxInFloat) return prepare8InFloat(context);
  const { multiplier, shift } = quantizeMultiplier(
    Math.min(quantizationOf(context, input).scale * 2 ** (31 - integerBits), 2147483647),
  );
  const reverse = quantizeMultiplier(2 ** (31 - shift) / multiplier);
  const diffMin = -Math.floor(((2 ** integerBits - 1) * 2 ** (31 - integerBits)) / 2 ** shift);
  const { requantize } = context.arithmetic;
  const from = input.data as Int8Array;
  const out = output.data as Int8Array;
  return () => {
    for (let r = 0; r < rows; r++) {
      const row = from.subarray(r * depth, (r + 1) * depth);
      const max = row.reduce((largest, value) => Math.max(largest, value), low);
      let sum = 0;
      for (const value of row) {
        if (value - max < diffMin) continue;
        sum =
          (sum +
            roundingDivideByPot(
              expOnNegativeValues(requantize(value - max, multiplier, shift), integerBits),
              sumIntegerBits,
            )) |
          0;
      }
      const log = logAboveOne(sum, sumIntegerBits, integerBits);
      const smallest = Math.max(diffMin - 1, requantize((log - 2 ** 31) | 0, reverse.multiplier, reverse.shift));
      for (let c = 0; c < depth; c++) {
        const difference = (row[c] as number) - max;
        const value =
          roundingDivideByPot(
            (requantize(difference, multiplier, shift) - log) | 0,
            31 - integerBits - outputIntegerBits,
          ) + high;
        out[r * depth + c] = difference > smallest ? clamp(value, low, high) : low;
      }
    }
  };
}

export const logSoftmax = elementwiseFamily(
  'LOG_SOFTMAX',
  sameShape,
  { float32: prepareFloat, int8: prepare8, uint8: prepare8 },
  (context) => (inputOf(context, 0).type === 'int8' ? { persistent: [28] } : {}),
);
