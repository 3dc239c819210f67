// SOFTMAX over the last dimension. int8: TFLite reference_ops::Softmax with gemmlowp's exponential; the output scale
// is 1/256 with zero point -128.

import { quantizeMultiplier, roundingDivideByPot, saturatingRoundingDoublingHighMul } from '../arithmetic/fixed-point.js';
import { expOnNegativeValues, reciprocal } from '../arithmetic/gemmlowp.js';
import {
  byType,
  inputOf,
  invalid,
  type Operand,
  type OperatorContext,
  type OperatorFamily,
  optionsOf,
  outputOf,
  quantizationOf,
  requireShape,
  requireType,
} from './operator.js';

const diffIntegerBits = 5;
const sumIntegerBits = 12;

function rowsOf(context: OperatorContext): { input: Operand; output: Operand; rows: number; depth: number } {
  const input = inputOf(context, 0);
  const output = outputOf(context);
  requireType(context, output, input.type);
  requireShape(context, output, input.shape);
  const depth = input.shape.at(-1) ?? 0;
  if (depth === 0) throw invalid(context, 'an empty last dimension');
  return { input, output, rows: input.data.length / depth, depth };
}

function prepareInt8(context: OperatorContext): () => void {
  const { input, output, rows, depth } = rowsOf(context);
  const { scale, zeroPoint } = quantizationOf(context, output);
  if (scale !== 1 / 256 || zeroPoint !== -128)
    throw invalid(context, `an int8 output with scale ${scale} and zero point ${zeroPoint}; it must be 1/256 and -128`);
  const real = Math.min(optionsOf(context, 'SoftmaxOptions').beta * quantizationOf(context, input).scale * 2 ** (31 - diffIntegerBits), 2147483647);
  if (!(real > 1)) throw invalid(context, `beta times input scale is too small (${real})`);
  const { multiplier, shift } = quantizeMultiplier(real);
  const diffMin = -Math.floor(((2 ** diffIntegerBits - 1) * 2 ** (31 - diffIntegerBits)) / 2 ** shift);
  const from = input.data as Int8Array;
  const to = output.data as Int8Array;
  // exp for every possible difference to the row's maximum, computed once.
  const exponentials = Int32Array.from({ length: 256 }, (_, i) =>
    -i < diffMin ? 0 : expOnNegativeValues(saturatingRoundingDoublingHighMul((-i * 2 ** shift) | 0, multiplier), diffIntegerBits),
  );
  return () => {
    for (let r = 0; r < rows; r++) {
      const start = r * depth;
      let max = -128;
      for (let c = 0; c < depth; c++) max = Math.max(max, from[start + c] as number);
      let sum = 0;
      for (let c = 0; c < depth; c++) {
        const diff = max - (from[start + c] as number);
        if (-diff >= diffMin) sum = (sum + roundingDivideByPot(exponentials[diff] as number, sumIntegerBits)) | 0;
      }
      const { scale: shifted, bitsOverUnit } = reciprocal(sum, sumIntegerBits);
      for (let c = 0; c < depth; c++) {
        const diff = max - (from[start + c] as number);
        const value =
          -diff >= diffMin ? roundingDivideByPot(saturatingRoundingDoublingHighMul(shifted, exponentials[diff] as number), bitsOverUnit + 23) - 128 : -128;
        to[start + c] = Math.min(value, 127);
      }
    }
  };
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

export const softmax: OperatorFamily = {
  name: 'SOFTMAX',
  types: ['float32', 'int8'],
  prepare: (context) => byType(context, inputOf(context, 0), { float32: prepareFloat, int8: prepareInt8 })(context),
  work: () => ({ kind: 'elementwise', macs: 0 }),
  memory: () => ({ options: [4, 4], persistent: [56] }),
};
