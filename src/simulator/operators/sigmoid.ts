// LOGISTIC and TANH. int8: TFLite reference_integer_ops::Logistic and Tanh with gemmlowp's functions on Q4.27 input;
// the outputs have scale 1/256, zero point -128, and scale 1/128, zero point 0.

import type { OperatorName } from '../../tflite/index.js';
import { quantizeMultiplier, roundingDivideByPot } from '../arithmetic/fixed-point.js';
import { logistic as fixedLogistic, tanh as fixedTanh } from '../arithmetic/gemmlowp.js';
import { byType, inputOf, type OperatorContext, type OperatorFamily, outputOf, quantizationOf, requireShape, requireType } from './operator.js';

const integerBits = 4;

interface Curve {
  readonly name: OperatorName;
  readonly real: (x: number) => number;
  readonly fixed: (raw: number, integerBits: number) => number;
  /** The output is raw / 2^outputShift + outputZero. */
  readonly outputShift: number;
  readonly outputZero: number;
}

function prepareInt8(context: OperatorContext, curve: Curve): () => void {
  const input = inputOf(context, 0);
  const output = outputOf(context);
  requireType(context, output, 'int8');
  requireShape(context, output, input.shape);
  const { scale, zeroPoint } = quantizationOf(context, input);
  const { multiplier, shift } = quantizeMultiplier(scale * 2 ** (31 - integerBits));
  const radius = Math.floor(((2 ** integerBits - 1) * 2 ** (31 - integerBits)) / 2 ** shift);
  const { requantize } = context.arithmetic;
  // 256 possible inputs: the function becomes a table.
  const table = Int8Array.from({ length: 256 }, (_, i) => {
    const centered = i - 128 - zeroPoint;
    if (centered <= -radius) return -128;
    if (centered >= radius) return 127;
    const value = roundingDivideByPot(curve.fixed(requantize(centered, multiplier, shift), integerBits), curve.outputShift) + curve.outputZero;
    return Math.max(-128, Math.min(127, value));
  });
  const from = input.data as Int8Array;
  const to = output.data as Int8Array;
  return () => {
    for (let i = 0; i < to.length; i++) to[i] = table[(from[i] as number) + 128] as number;
  };
}

function prepareFloat(context: OperatorContext, curve: Curve): () => void {
  const input = inputOf(context, 0);
  const output = outputOf(context);
  requireType(context, output, 'float32');
  requireShape(context, output, input.shape);
  const from = input.data as Float32Array;
  const to = output.data as Float32Array;
  return () => {
    for (let i = 0; i < to.length; i++) to[i] = curve.real(from[i] as number);
  };
}

function family(curve: Curve): OperatorFamily {
  return {
    name: curve.name,
    types: ['float32', 'int8'],
    prepare: (context) => byType(context, inputOf(context, 0), { float32: prepareFloat, int8: prepareInt8 })(context, curve),
    work: () => ({ kind: 'elementwise', macs: 0 }),
    memory: () => ({ persistent: [16] }),
  };
}

export const logistic = family({ name: 'LOGISTIC', real: (x) => 1 / (1 + Math.exp(-x)), fixed: fixedLogistic, outputShift: 23, outputZero: -128 });
export const tanh = family({ name: 'TANH', real: Math.tanh, fixed: fixedTanh, outputShift: 24, outputZero: 0 });
