// LOGISTIC and TANH. int8: TFLM's reference_integer_ops::Logistic and Tanh, with gemmlowp's functions on Q4.27 inputs;
// output scale 1/256 with zero point -128, and 1/128 with zero point 0. In TFLite a table computed in float32.

import type { OperatorName } from '../../formats/tflite/index.js';
import { quantizeMultiplier, roundingDivideByPot } from '../arithmetic/fixed-point.js';
import { logistic as fixedLogistic, tanh as fixedTanh } from '../arithmetic/gemmlowp.js';
import { logistic16, tanh16 } from '../arithmetic/gemmlowp-int16.js';
import { logisticTable } from '../arithmetic/lookup.js';
import { clamp, integerLimits } from './activation.js';
import { mapFloatTable } from './float-table.js';
import { mapElements, mapTable, sameOperands } from './map.js';
import {
  bound,
  elementwiseFamily,
  inputOf,
  invalid,
  type OperatorContext,
  type OperatorFamily,
  quantizationOf,
} from './operator.js';
import { sameShape } from './shapes.js';

const { fround } = Math;
const integerBits = 4;

interface Curve {
  readonly name: OperatorName;
  readonly real: (x: number) => number;
  /** The same with every step rounded to float32. */
  readonly float32: (x: number) => number;
  readonly fixed: (raw: number, integerBits: number) => number;
  /** The output is raw / 2^outputShift + outputZero. */
  readonly outputShift: number;
  readonly outputZero: number;
  /** int16 in fixed point, without a table. */
  readonly fixed16: (raw: number, integerBits: number) => number;
  /** int16: output of the table; integer bits and largest shift for power-of-two scales that need no multiplier. */
  readonly table: (x: number) => number;
  readonly tableIntegerBits: number;
  readonly tableMaxShift: number;
}

/** The output covers its range from the type's lowest value, so that uint8 is int8 plus 128. */
function prepare8(context: OperatorContext, curve: Curve): () => void {
  const { input } = sameOperands(context);
  if (context.arithmetic.curvesInFloat) return mapFloatTable(context, curve.float32);
  const { scale, zeroPoint } = quantizationOf(context, input);
  const { multiplier, shift } = quantizeMultiplier(scale * 2 ** (31 - integerBits));
  const radius = Math.floor(((2 ** integerBits - 1) * 2 ** (31 - integerBits)) / 2 ** shift);
  const [low, high] = integerLimits(input);
  const outputZero = curve.outputZero + low + 128;
  const { requantize } = context.arithmetic;
  return mapTable(context, (value) => {
    const centered = value - zeroPoint;
    if (centered <= -radius) return low;
    if (centered >= radius) return high;
    return (
      roundingDivideByPot(curve.fixed(requantize(centered, multiplier, shift), integerBits), curve.outputShift) +
      outputZero
    );
  });
}

/** Maximum distance of a logarithm from a whole number (TFLite CheckedLog2). */
const powerOfTwoTolerance = 1e-3;

/**
 * The left shift that converts an input with a power-of-two scale to the table's integer bits; null if the scale needs
 * a multiplier.
 */
function shiftOnly(context: OperatorContext, curve: Curve): number | null {
  const logarithm = Math.log2(quantizationOf(context, inputOf(context, 0)).scale);
  const power = Math.round(logarithm) + 15 - curve.tableIntegerBits;
  const isPowerOfTwo = Math.abs(logarithm - Math.round(logarithm)) < powerOfTwoTolerance;
  return isPowerOfTwo && power >= 0 && power <= curve.tableMaxShift ? power : null;
}

/** The input in units of 1 / (3 * 4096), as the table expects: a multiplier and a rounding right shift. */
function tableInput(context: OperatorContext, curve: Curve): (value: number) => number {
  const power = shiftOnly(context, curve);
  if (power !== null) return (value) => value * 3 * 2 ** power;
  const { scale } = quantizationOf(context, inputOf(context, 0));
  let multiplier = scale * 4096 * 3;
  let shift = 0;
  while (multiplier <= 32767 / 2 && shift <= 30) {
    shift += 1;
    multiplier *= 2;
  }
  const whole = Math.trunc(multiplier);
  const round = shift > 0 ? 2 ** (shift - 1) : 0;
  return (value) => (Math.imul(value, whole) + round) >> shift;
}

function prepareInt16(context: OperatorContext, curve: Curve): () => void {
  const { output } = sameOperands(context);
  if (Math.abs(Math.log2(quantizationOf(context, output).scale) + 15) >= powerOfTwoTolerance)
    throw invalid(context, 'an int16 output has scale 1/32768');
  const power = shiftOnly(context, curve);
  if (context.arithmetic.curves16InFixedPoint && power !== null)
    return mapElements(context, (value) =>
      curve.fixed16(clamp(value * 2 ** power, -32768, 32767), curve.tableIntegerBits),
    );
  const bring = tableInput(context, curve);
  return mapElements(context, (value) => curve.table(bring(value)));
}

/** reference_integer_ops::Logistic in int16: the table at |x|, 9 bits between its entries. */
export function logisticInt16(x: number): number {
  const magnitude = Math.abs(x);
  const index = magnitude >> 9;
  const base = logisticTable[index] as number;
  const result =
    index >= 255 ? 0x7fff << 10 : (base << 9) + (magnitude & 0x1ff) * ((logisticTable[index + 1] as number) - base);
  return (x >= 0 ? result + (1 << 9) : (1 << 25) - result + (1 << 9) - 1) >>> 10;
}

/** reference_integer_ops::Tanh in int16: 2 * logistic(2x) - 1 from the same table. */
export function tanhInt16(x: number): number {
  const magnitude = Math.abs(x);
  const index = magnitude >> 8;
  const base = logisticTable[index] as number;
  const result =
    index >= 255 ? 0xffff << 8 : (base << 8) + (magnitude & 0xff) * ((logisticTable[index + 1] as number) - base);
  return (x >= 0 ? result - (1 << 23) + (1 << 7) : -result + (1 << 23) + (1 << 7) - 1) >> 8;
}

function prepareFloat(context: OperatorContext, curve: Curve): () => void {
  return mapElements(context, curve.real);
}

function family(curve: Curve): OperatorFamily {
  const prepares = { float32: prepareFloat, int8: prepare8, uint8: prepare8, int16: prepareInt16 };
  return elementwiseFamily(curve.name, sameShape, bound(prepares, curve), () => ({ persistent: [16] }));
}

export const logistic = family({
  name: 'LOGISTIC',
  real: (x) => 1 / (1 + Math.exp(-x)),
  float32: (x) => 1 / fround(1 + fround(Math.exp(-x))),
  fixed: fixedLogistic,
  fixed16: logistic16,
  outputShift: 23,
  outputZero: -128,
  table: logisticInt16,
  tableIntegerBits: 3,
  tableMaxShift: 0,
});
export const tanh = family({
  name: 'TANH',
  real: Math.tanh,
  float32: Math.tanh,
  fixed: fixedTanh,
  fixed16: tanh16,
  outputShift: 24,
  outputZero: 0,
  table: tanhInt16,
  tableIntegerBits: 3,
  tableMaxShift: 1,
});
