// The fixed-point logistic and tanh of gemmlowp (fixedpoint.h) over 16 bits, which TensorFlow Lite's integer LSTM uses.
// A raw value in the format Qm.n represents raw / 2^n, with m + n = 15. Constants are those of the 32-bit version,
// rounded to 16 bits.

import { roundingDivideByPot } from './fixed-point.js';
import { expOfMinusPowers, newton, smallInterval } from './gemmlowp.js';

const most = 32767;
const least = -32768;

const wrap = (x: number): number => (x << 16) >> 16;
const saturate = (x: number): number => Math.min(most, Math.max(least, x));
/** Rounds a 32-bit constant to 16 bits. */
const of32 = (raw: number): number => (raw + (1 << 15)) >> 16;

/** SaturatingRoundingDoublingHighMul. */
function mul(a: number, b: number): number {
  if (a === least && b === least) return most;
  const product = a * b;
  return Math.trunc((product + (product >= 0 ? 1 << 14 : 1 - (1 << 14))) / (1 << 15));
}

const shiftLeft = (x: number, exponent: number): number => saturate(x * 2 ** exponent);

const expOfMinusEighth = of32(smallInterval.expOfMinusEighth);
const third = of32(smallInterval.third);
const powers = expOfMinusPowers.map(([exponent, factor]) => [exponent, of32(factor)] as const);

/** exp(a) for a in [-1/4, 0], Q0.15 to Q0.15. */
function expOnSmallInterval(a: number): number {
  const x = wrap(a + (1 << 12));
  const x2 = mul(x, x);
  const x3 = mul(x2, x);
  const x4 = mul(x2, x2);
  const tail = roundingDivideByPot(wrap(mul(wrap(roundingDivideByPot(x4, 2) + x3), third) + x2), 1);
  return saturate(expOfMinusEighth + mul(expOfMinusEighth, wrap(x + tail)));
}

/** exp(a) for a <= 0 in Q`integerBits`, as Q0.15. */
function expOnNegativeValues(a: number, integerBits: number): number {
  if (a === 0) return most;
  const fractionalBits = 15 - integerBits;
  const quarter = 1 << (fractionalBits - 2);
  const inInterval = wrap((a & (quarter - 1)) - quarter);
  let result = expOnSmallInterval(shiftLeft(inInterval, integerBits));
  const remainder = wrap(inInterval - a);
  for (const [exponent, factor] of powers) {
    if (integerBits > exponent && (remainder & (1 << (fractionalBits + exponent))) !== 0) result = mul(result, factor);
  }
  if (integerBits > 5 && a < -(1 << (fractionalBits + 5))) return 0;
  return result;
}

/** (a + 1) / 2 for a in Q0.15, rounded half away from zero. */
function halfOfOnePlus(a: number): number {
  const sum = a + most;
  return Math.trunc((sum + (sum >= 0 ? 1 : -1)) / 2);
}

const constant48Over17 = of32(newton.constant48Over17);
const constantNeg32Over17 = of32(newton.constantNeg32Over17);
/** In Q2.13. */
const one = 1 << 13;

/** 1 / halfDenominator in three Newton-Raphson steps, in Q2.13. */
function reciprocalOf(halfDenominator: number): number {
  let x = wrap(constant48Over17 + mul(halfDenominator, constantNeg32Over17));
  for (let i = 0; i < 3; i++) x = wrap(x + shiftLeft(mul(x, wrap(one - mul(halfDenominator, x))), 2));
  return x;
}

/** logistic(a) for a in Q`integerBits`, as Q0.15. */
export function logistic16(a: number, integerBits: number): number {
  if (a === 0) return 1 << 14;
  const positive = shiftLeft(reciprocalOf(halfOfOnePlus(expOnNegativeValues(a > 0 ? -a : a, integerBits))), 1);
  return a > 0 ? positive : wrap(most - positive);
}

/** tanh(a) for a in Q`integerBits`, as Q0.15. */
export function tanh16(a: number, integerBits: number): number {
  if (a === 0) return 0;
  // exp(-2|a|): the same raw value in a format with one more integer bit represents twice the number.
  const exponential = expOnNegativeValues(a > 0 ? -a : a, integerBits + 1);
  const positive = shiftLeft(wrap(reciprocalOf(halfOfOnePlus(exponential)) - one), 2);
  return a > 0 ? positive : -positive;
}
