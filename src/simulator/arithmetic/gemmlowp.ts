// gemmlowp's fixed-point exponential, reciprocal, logistic and tanh (fixedpoint.h), which the int8 reference kernels of
// SOFTMAX, LOGISTIC and TANH use. A raw value in the format Qm.n represents raw / 2^n, with m + n = 31.

import {
  int32Max,
  saturatingRoundingDoublingHighMul as mul,
  roundingDivideByPot,
  saturatingShiftLeft,
} from './fixed-point.js';

/** exp(-2^k) in Q0.31 for k = -2 ... 4. */
export const expOfMinusPowers: readonly (readonly [number, number])[] = [
  [-2, 1672461947],
  [-1, 1302514674],
  [0, 790015084],
  [1, 290630308],
  [2, 39332535],
  [3, 720401],
  [4, 242],
];

/** Constants of the polynomial for exp around -1/8, in Q0.31. */
export const smallInterval = { expOfMinusEighth: 1895147668, third: 715827883 } as const;
const { expOfMinusEighth, third } = smallInterval;

/** exp(a) for a in [-1/4, 0], Q0.31 to Q0.31: a polynomial of degree 4 around -1/8. */
function expOnSmallInterval(a: number): number {
  const x = (a + (1 << 28)) | 0;
  const x2 = mul(x, x);
  const x3 = mul(x2, x);
  const x4 = mul(x2, x2);
  const x4Over4 = roundingDivideByPot(x4, 2);
  const tail = roundingDivideByPot((mul((x4Over4 + x3) | 0, third) + x2) | 0, 1);
  return (expOfMinusEighth + mul(expOfMinusEighth, (x + tail) | 0)) | 0;
}

/** exp(a) for a <= 0 in Q`integerBits`, as Q0.31. */
export function expOnNegativeValues(a: number, integerBits: number): number {
  if (a === 0) return int32Max;
  const fractionalBits = 31 - integerBits;
  const quarter = 1 << (fractionalBits - 2);
  const inInterval = ((a & (quarter - 1)) - quarter) | 0;
  let result = expOnSmallInterval(saturatingShiftLeft(inInterval, integerBits));
  const remainder = (inInterval - a) | 0;
  for (const [exponent, factor] of expOfMinusPowers) {
    if (integerBits > exponent && (remainder & (1 << (fractionalBits + exponent))) !== 0) result = mul(result, factor);
  }
  if (integerBits > 5 && a < -(1 << (fractionalBits + 5))) return 0;
  return result;
}

/** Initial values of the reciprocal's Newton-Raphson steps, in Q2.29. */
export const newton = { constant48Over17: 1515870810, constantNeg32Over17: -1010580540 } as const;
const { constant48Over17, constantNeg32Over17 } = newton;

/** Three Newton-Raphson steps for 2 / (1 + a) with a in [0, 1], in Q2.29. */
function newtonReciprocal(halfDenominator: number): number {
  let x = (constant48Over17 + mul(halfDenominator, constantNeg32Over17)) | 0;
  for (let i = 0; i < 3; i++) {
    const oneMinus = ((1 << 29) - mul(halfDenominator, x)) | 0;
    // A product of two Q2.29 values is Q4.27.
    x = (x + saturatingShiftLeft(mul(x, oneMinus), 2)) | 0;
  }
  return x;
}

/** (a + b) / 2, rounded half away from zero. */
function roundingHalfSum(a: number, b: number): number {
  const sum = a + b;
  return Math.trunc((sum + (sum >= 0 ? 1 : -1)) / 2);
}

/** 1 / (1 + a) for a in [0, 1] in Q0.31. */
export function oneOverOnePlus(a: number): number {
  return saturatingShiftLeft(newtonReciprocal(roundingHalfSum(a, int32Max)), 1);
}

/** (1 - a) / (1 + a) for a in [0, 1] in Q0.31. */
function oneMinusOverOnePlus(a: number): number {
  return saturatingShiftLeft((newtonReciprocal(roundingHalfSum(a, int32Max)) - (1 << 29)) | 0, 2);
}

/** The reciprocal of x in Q`integerBits`, as Q0.31 and a count of bits (TFLite's GetReciprocal). */
export function reciprocal(x: number, integerBits: number): { scale: number; bitsOverUnit: number } {
  const headroom = Math.clz32(x);
  const shiftedMinusOne = ((x << headroom) - 0x80000000) | 0;
  return { scale: oneOverOnePlus(shiftedMinusOne), bitsOverUnit: integerBits - headroom };
}

/** 1 / (1 + exp(-a)) for a in Q`integerBits`, as Q0.31. */
export function logistic(a: number, integerBits: number): number {
  if (a === 0) return 1 << 30;
  const positive = oneOverOnePlus(expOnNegativeValues(a > 0 ? -a : a, integerBits));
  return a > 0 ? positive : (int32Max - positive) | 0;
}

/** tanh(a) for a in Q`integerBits`, as Q0.31. */
export function tanh(a: number, integerBits: number): number {
  if (a === 0) return 0;
  // exp(-2|a|): the same raw value in a format with one more integer bit represents twice the number.
  const positive = oneMinusOverOnePlus(expOnNegativeValues(a > 0 ? -a : a, integerBits + 1));
  return a > 0 ? positive : -positive;
}

/** A raw value times 2^exponent, saturating for positive exponents, rounding for negative ones. */
function multiplyByPot(x: number, exponent: number): number {
  return exponent >= 0 ? saturatingShiftLeft(x, exponent) : roundingDivideByPot(x, -exponent);
}

const saturate = (x: number): number => Math.max(-2147483648, Math.min(int32Max, x));

/** ln(x) for x >= 1 in Q`inputBits`, in Q`outputBits` (TFLite's log_x_for_x_greater_than_or_equal_to_1). */
export function logAboveOne(x: number, inputBits: number, outputBits: number): number {
  const [log2, sqrtSqrtHalf, sqrtHalf, quarter] = [1488522236, 1805811301, 1518500250, 536870912];
  const [alphaN, alphaD, alphaI, alphaF] = [117049297, 127690142, 1057819769, 638450708];
  const accumBits = outputBits + 1;
  const shiftedQuarter = roundingDivideByPot(quarter, accumBits);
  // Reduces x to r close to [sqrt(1/2), 1) in two ways, and keeps the better one: x = r * 2^power.
  const headroomPlusOne = Math.clz32(x);
  const rA = saturatingShiftLeft(mul(multiplyByPot(x, headroomPlusOne - 1), sqrtHalf), 1);
  const powerA = saturate(multiplyByPot(inputBits - headroomPlusOne, 31 - accumBits) + shiftedQuarter);
  const headroomB = Math.clz32(mul(x, sqrtHalf)) - 1;
  const rB = multiplyByPot(x, headroomB);
  const powerB = saturate(multiplyByPot(inputBits - headroomB, 31 - accumBits) - shiftedQuarter);
  const r = Math.min(rA, rB);
  const power = Math.max(powerA, powerB);
  const p = roundingHalfSum(r, sqrtSqrtHalf);
  const difference = (r - sqrtSqrtHalf) | 0;
  const q = (difference + difference) | 0;
  const square = mul(q, q);
  const numerator = (mul(q, r) + mul(mul(q, square), alphaN)) | 0;
  const denominatorMinusOne = (mul(p, (((alphaI + q) | 0) + mul(alphaD, square)) | 0) + mul(alphaF, q)) | 0;
  const quotient = mul(roundingDivideByPot(numerator, accumBits), oneOverOnePlus(denominatorMinusOne));
  return multiplyByPot((mul(power, log2) + quotient) | 0, accumBits - outputBits);
}
