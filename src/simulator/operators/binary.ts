// Binary operators with broadcasting: DIV, FLOOR_DIV, FLOOR_MOD, MAXIMUM, MINIMUM, POW, SQUARED_DIFFERENCE,
// LOGICAL_AND, LOGICAL_OR. int8: TFLite's reference_ops and TFLM's squared_difference.cc.

import type { ElementType } from '../../formats/tflite/index.js';
import { multiplySmallerThanOne, quantizeMultiplier } from '../arithmetic/fixed-point.js';
import { reciprocal } from '../arithmetic/gemmlowp.js';
import { clamp, clampFloat, floatLimits, quantizedLimits } from './activation.js';
import { elementwise } from './broadcast.js';
import {
  elementwiseFamily,
  ends,
  inputOf,
  type Operand,
  type OperatorContext,
  type OperatorFamily,
  optionsOf,
  outputOf,
  quantizationOf,
  requireType,
} from './operator.js';
import { broadcastShape } from './shapes.js';

type Prepare = OperatorFamily['prepare'];

/** Both inputs and the output have the first one's type. */
export function threeOperands(context: OperatorContext): readonly [Operand, Operand, Operand] {
  const [a, b, output] = [inputOf(context, 0), inputOf(context, 1), outputOf(context)];
  requireType(context, b, a.type);
  requireType(context, output, a.type);
  return [a, b, output];
}

const plain =
  (combine: (x: number, y: number) => number): Prepare =>
  (context) =>
    elementwise(context, ...threeOperands(context), combine);

function divFloat(context: OperatorContext): () => void {
  const [low, high] = floatLimits(context, optionsOf(context, 'DivOptions').fusedActivationFunction);
  return elementwise(context, ...threeOperands(context), (x, y) => clampFloat(Math.fround(x / y), low, high));
}

function divInt32(context: OperatorContext): () => void {
  const [low, high] = floatLimits(context, optionsOf(context, 'DivOptions').fusedActivationFunction);
  // Division by zero is undefined in C; here it gives 0.
  return elementwise(context, ...threeOperands(context), (x, y) => (y === 0 ? 0 : clamp(Math.trunc(x / y), low, high)));
}

/** reference_ops::DivElementwise: the reciprocal of the divisor in Q0.31, then the quotient of the scales. */
function divQuantized(context: OperatorContext): () => void {
  const [a, b, output] = threeOperands(context);
  const [qa, qb, qo] = [a, b, output].map((operand) => quantizationOf(context, operand)) as [
    Quantization,
    Quantization,
    Quantization,
  ];
  const { multiplier, shift } = quantizeMultiplier(Math.fround(qa.scale / Math.fround(qb.scale * qo.scale)));
  const [low, high] = quantizedLimits(context, output, optionsOf(context, 'DivOptions').fusedActivationFunction);
  const { requantize } = context.arithmetic;
  return elementwise(context, a, b, output, (x, y) => {
    const [first, second] = [x - qa.zeroPoint, y - qb.zeroPoint];
    // For a divisor of 0, the reciprocal follows from the kernel's arithmetic.
    const dividend = second < 0 ? -first : first;
    const { scale, bitsOverUnit } = reciprocal(Math.abs(second), 31);
    // CountLeadingSignBits without the sign itself.
    const headroom = Math.clz32(dividend >= 0 ? dividend : ~dividend) - 1;
    const quotient = requantize(dividend, scale, headroom);
    return clamp(
      multiplySmallerThanOne(quotient, { multiplier, shift: shift - bitsOverUnit - headroom }) + qo.zeroPoint,
      low,
      high,
    );
  });
}

interface Quantization {
  readonly scale: number;
  readonly zeroPoint: number;
}

/**
 * Both inputs are converted to twice the larger scale with 7 extra bits (none for int16); the difference is squared,
 * which may wrap.
 */
function squaredDifferenceQuantized(context: OperatorContext): () => void {
  const [a, b, output] = threeOperands(context);
  const leftShift = a.type === 'int16' ? 0 : 7;
  const [qa, qb, qo] = [a, b, output].map((operand) => quantizationOf(context, operand)) as [
    Quantization,
    Quantization,
    Quantization,
  ];
  const twiceLarger = 2 * Math.max(qa.scale, qb.scale);
  const ma = quantizeMultiplier(qa.scale / twiceLarger);
  const mb = quantizeMultiplier(qb.scale / twiceLarger);
  const mo = quantizeMultiplier(twiceLarger ** 2 / (2 ** (2 * leftShift) * qo.scale));
  const [low, high] = quantizedLimits(context, output, 0);
  const { requantize } = context.arithmetic;
  return elementwise(context, a, b, output, (x, y) => {
    const difference =
      requantize((x - qa.zeroPoint) << leftShift, ma.multiplier, ma.shift) -
      requantize((y - qb.zeroPoint) << leftShift, mb.multiplier, mb.shift);
    return clamp(requantize(Math.imul(difference, difference), mo.multiplier, mo.shift) + qo.zeroPoint, low, high);
  });
}

const floorDivide = (x: number, y: number): number => Math.floor(x / y);
/** The remainder with the divisor's sign. */
const floorModulo = (x: number, y: number): number => {
  const rest = x % y;
  return rest !== 0 && rest < 0 !== y < 0 ? rest + y : rest;
};
const wideFloorModulo = (x: bigint, y: bigint): bigint => {
  const rest = x % y;
  return rest !== 0n && rest < 0n !== y < 0n ? rest + y : rest;
};
/** TensorFlow Lite fails if any stored divisor is 0, even if its real value is not (CheckNonZero). */
const noZeroDivisor =
  (prepare: Prepare): Prepare =>
  (context) => {
    const step = prepare(context);
    const { data, label } = inputOf(context, 1);
    return () => {
      if ((data as Int32Array).some((value) => Number(value) === 0))
        throw ends(context, `divisors ${label} with a stored 0, at which the kernel ends with an error`);
      step();
    };
  };
/** TensorFlow Lite Micro has no such check in DIV, and no integer kernels for FLOOR_DIV and FLOOR_MOD. */
const noZeroDivisorInTflite =
  (prepare: Prepare): Prepare =>
  (context) =>
    context.arithmetic.runtime === 'tflm' ? prepare(context) : noZeroDivisor(prepare)(context);
const divides = (combine: (x: number, y: number) => number): Prepare => noZeroDivisor(plain(combine));
const larger = (x: number, y: number): number => (x > y ? x : y);
const smaller = (x: number, y: number): number => (x < y ? x : y);
const anyNumber = (combine: (x: number, y: number) => number): Partial<Record<ElementType, Prepare>> => ({
  float32: plain(combine),
  int8: plain(combine),
  uint8: plain(combine),
  int16: plain(combine),
  int32: plain(combine),
  int64: plain(combine),
});

export const div = elementwiseFamily(
  'DIV',
  broadcastShape(0, 1),
  {
    float32: divFloat,
    int8: noZeroDivisorInTflite(divQuantized),
    uint8: noZeroDivisorInTflite(divQuantized),
    int16: noZeroDivisorInTflite(divQuantized),
    int32: noZeroDivisorInTflite(divInt32),
  },
  () => ({
    options: [1, 1],
    persistent: [28],
  }),
);
export const floorDiv = elementwiseFamily('FLOOR_DIV', broadcastShape(0, 1), {
  float32: plain((x, y) => Math.floor(Math.fround(x / y))),
  int8: divides(floorDivide),
  int16: divides(floorDivide),
  int32: divides(floorDivide),
});
export const floorMod = elementwiseFamily('FLOOR_MOD', broadcastShape(0, 1), {
  float32: plain(floorModulo),
  int8: divides(floorModulo),
  int16: divides(floorModulo),
  int32: divides(floorModulo),
  // Elements of int64 tensors are bigint; the signature of `divides` covers number only.
  int64: divides(wideFloorModulo as unknown as (x: number, y: number) => number),
});
export const maximum = elementwiseFamily('MAXIMUM', broadcastShape(0, 1), anyNumber(larger));
export const minimum = elementwiseFamily('MINIMUM', broadcastShape(0, 1), anyNumber(smaller));
export const pow = elementwiseFamily('POW', broadcastShape(0, 1), {
  float32: plain(Math.pow),
  int32: plain((x, y) => Math.trunc(x ** y) | 0),
});
export const squaredDifference = elementwiseFamily(
  'SQUARED_DIFFERENCE',
  broadcastShape(0, 1),
  {
    float32: plain((x, y) => Math.fround(x - y) ** 2),
    int8: squaredDifferenceQuantized,
    int16: squaredDifferenceQuantized,
    int32: plain((x, y) => Math.imul(x - y, x - y)),
  },
  () => ({ persistent: [72] }),
);
export const logicalAnd = elementwiseFamily('LOGICAL_AND', broadcastShape(0, 1), {
  bool: plain((x, y) => (x !== 0 && y !== 0 ? 1 : 0)),
});
export const logicalOr = elementwiseFamily('LOGICAL_OR', broadcastShape(0, 1), {
  bool: plain((x, y) => (x !== 0 || y !== 0 ? 1 : 0)),
});
