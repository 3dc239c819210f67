// The fixed-point 1 / sqrt(x) of TFLite (common.h GetInvSqrtQuantizedMultiplierExp): Newton-Raphson in Q3.28.

import {
  int32Max,
  saturatingRoundingDoublingHighMul as mul,
  type QuantizedMultiplier,
  roundingDivideByPot,
  saturatingShiftLeft,
} from './fixed-point.js';

/** @param x a whole number, not negative */
export function inverseSquareRoot(x: number): QuantizedMultiplier {
  // 1 / sqrt(1) is 1; for 0 the result does not matter.
  if (x <= 1) return { multiplier: int32Max, shift: 0 };
  let input = x;
  let shift = 11;
  while (input >= 1 << 29) {
    input = Math.trunc(input / 4);
    shift += 1;
  }
  const pairs = Math.floor((Math.clz32(input) - 1) / 2) - 1;
  shift -= pairs;
  input <<= 2 * pairs;
  const value = input >> 1;
  const half = roundingDivideByPot(value, 1);
  const threeHalves = (1 << 28) + (1 << 27);
  let estimate = 1 << 28;
  for (let i = 0; i < 5; i++) {
    // A product of two Q3 is Q6, of three Q9.
    const cube = saturatingShiftLeft(mul(mul(estimate, estimate), estimate), 6);
    estimate = saturatingShiftLeft((mul(threeHalves, estimate) - mul(half, cube)) | 0, 3);
  }
  let multiplier = mul(estimate, 1518500250);
  if (shift < 0) {
    multiplier = (multiplier << -shift) | 0;
    shift = 0;
  }
  return { multiplier, shift: -shift };
}
