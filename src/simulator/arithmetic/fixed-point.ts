// 32-bit fixed-point arithmetic as defined by the TFLite and TFLM reference kernels
// (tensorflow/lite/kernels/internal/common.h and quantization_util.cc; gemmlowp fixedpoint.h). Values are int32 in
// JavaScript numbers. 62-bit products are computed in two halves, since a double has 53 bits.

export const int32Max = 2147483647;
export const int32Min = -2147483648;

/**
 * gemmlowp's SaturatingRoundingDoublingHighMul: round(a * b / 2^31), ties away from zero on the positive side.
 * Its "nudge, then divide towards zero" equals floor((a * b + 2^30) / 2^31) for either sign.
 */
export function saturatingRoundingDoublingHighMul(a: number, b: number): number {
  if (a === int32Min && b === int32Min) return int32Max;
  const high = b >> 16;
  const low = b & 0xffff;
  return Math.floor((a * high + Math.floor((a * low + 1073741824) / 65536)) / 32768);
}

/** gemmlowp's RoundingDivideByPOT: x / 2^exponent, ties away from zero. */
export function roundingDivideByPot(x: number, exponent: number): number {
  if (exponent === 0) return x;
  // Exponents outside 0 to 31 are undefined in C; DIV and comparisons use them. On x86-64 the mask then has all bits
  // set, and the shift is modulo 32.
  if (exponent < 0 || exponent > 31) return (x >> (exponent & 31)) + (x >= 0 ? 1 : 0);
  const mask = exponent === 31 ? 0x7fffffff : (1 << exponent) - 1;
  const remainder = x & mask;
  const threshold = (mask >> 1) + (x < 0 ? 1 : 0);
  return (x >> exponent) + (remainder > threshold ? 1 : 0);
}

/** TFLite's MultiplyByQuantizedMultiplierSmallerThanOneExp. */
export function multiplySmallerThanOne(x: number, { multiplier, shift }: QuantizedMultiplier): number {
  return roundingDivideByPot(saturatingRoundingDoublingHighMul(x, multiplier), -shift);
}

/** x * multiplier * 2^shift, rounded twice: the default of TFLM and of the reference kernels. */
export function multiplyDoubleRounding(x: number, multiplier: number, shift: number): number {
  const left = Math.max(shift, 0);
  return roundingDivideByPot(saturatingRoundingDoublingHighMul((x << left) | 0, multiplier), left - shift);
}

/**
 * The same, with ties of the second rounding upwards: NEON's VRSHL, which TensorFlow emulates on x86 (gemmlowp
 * fixedpoint_neon.h, ruy).
 */
export function multiplyRoundingUp(x: number, multiplier: number, shift: number): number {
  const left = Math.max(shift, 0);
  const high = saturatingRoundingDoublingHighMul((x << left) | 0, multiplier);
  return shift >= 0 ? high : Math.floor((high + 2 ** (-shift - 1)) / 2 ** -shift);
}

/** x * multiplier * 2^shift, rounded once, ties upwards: TFLITE_SINGLE_ROUNDING. */
export function multiplySingleRounding(x: number, multiplier: number, shift: number): number {
  const total = 31 - shift;
  // The product has up to 62 bits; it is computed in halves, of which the lower one cannot exceed a double's 53 bits.
  const high = Math.floor(x / 65536);
  const low = x - high * 65536;
  if (total < 16) return Math.floor((x * multiplier + 2 ** (total - 1)) / 2 ** total);
  return Math.floor(
    (high * multiplier + Math.floor((low * multiplier + 2 ** (total - 1)) / 65536)) / 2 ** (total - 16),
  );
}

/**
 * TFLite's MultiplyByQuantizedMultiplier for 64-bit accumulators: the multiplier is reduced to 15 bits, the product is
 * rounded once regardless of the build's rounding of 32-bit products, and the result is truncated to 32 bits.
 */
export function multiplyWide(x: number, multiplier: number, shift: number): number {
  const reduced = multiplier < 0x7fff0000 ? (multiplier + 0x8000) >> 16 : 0x7fff;
  const total = 15 - shift;
  const rounded = x * reduced + 2 ** (total - 1);
  if (total > 0 && Math.abs(rounded) <= Number.MAX_SAFE_INTEGER) return Math.floor(rounded / 2 ** total) | 0;
  // Negative shifts are undefined in C; x86-64 takes them modulo 64.
  const product = BigInt.asIntN(64, BigInt(x) * BigInt(reduced) + (1n << BigInt((total - 1) & 63)));
  return Number(BigInt.asIntN(32, product >> BigInt(total & 63)));
}

/** gemmlowp's SaturatingRoundingMultiplyByPOT for a positive exponent. */
export function saturatingShiftLeft(x: number, exponent: number): number {
  const threshold = 2 ** (31 - exponent) - 1;
  if (x > threshold) return int32Max;
  if (x < -threshold) return int32Min;
  return x << exponent;
}

/** A real multiplier as a Q0.31 significand and a power of two. */
export interface QuantizedMultiplier {
  readonly multiplier: number;
  readonly shift: number;
}

/**
 * TFLite's QuantizeMultiplier: real = multiplier * 2^(shift - 31), with multiplier in [2^30, 2^31).
 * @param real not negative and finite
 */
export function quantizeMultiplier(real: number): QuantizedMultiplier {
  if (real === 0) return { multiplier: 0, shift: 0 };
  const { fraction, exponent } = splitExponent(real);
  let multiplier = roundHalfAway(fraction * 2147483648);
  let shift = exponent;
  if (multiplier === 2147483648) {
    multiplier = 1073741824;
    shift += 1;
  }
  return shift < -31 ? { multiplier: 0, shift: 0 } : { multiplier, shift };
}

/** C's conversion of a whole double to int32; on x86-64 values out of range become the smallest int32. */
export function toInt32(x: number): number {
  return x >= int32Min && x <= int32Max ? x : int32Min;
}

/** C's round(): ties away from zero. */
export function roundHalfAway(x: number): number {
  return x < 0 ? -Math.floor(-x + 0.5) : Math.floor(x + 0.5);
}

/** C's nearbyint(): ties to even. */
export function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  return rest < 0.5 || (rest === 0.5 && floor % 2 === 0) ? floor : floor + 1;
}

/** C's frexp(): x = fraction * 2^exponent with fraction in [0.5, 1). */
function splitExponent(x: number): { fraction: number; exponent: number } {
  let exponent = Math.max(-1023, Math.floor(Math.log2(x)) + 1);
  let fraction = x * 2 ** -exponent;
  while (fraction < 0.5) {
    fraction *= 2;
    exponent -= 1;
  }
  while (fraction >= 1) {
    fraction /= 2;
    exponent += 1;
  }
  return { fraction, exponent };
}
