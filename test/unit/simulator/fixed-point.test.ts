import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  multiplyDoubleRounding,
  multiplyWide,
  quantizeMultiplier,
  roundHalfAway,
  roundingDivideByPot,
  saturatingRoundingDoublingHighMul,
} from '../../../src/simulator/arithmetic/fixed-point.js';

const int32 = fc.integer({ min: -2147483648, max: 2147483647 });

/** gemmlowp's definition, literally, in 64-bit integers. */
function referenceHighMul(a: number, b: number): number {
  if (a === b && a === -2147483648) return 2147483647;
  const product = BigInt(a) * BigInt(b);
  const nudge = product >= 0n ? 1n << 30n : 1n - (1n << 30n);
  return Number((product + nudge) / (1n << 31n));
}

function referenceDivide(x: number, exponent: number): number {
  const mask = (1n << BigInt(exponent)) - 1n;
  const remainder = BigInt(x) & mask;
  const threshold = (mask >> 1n) + (x < 0 ? 1n : 0n);
  return Number((BigInt(x) >> BigInt(exponent)) + (remainder > threshold ? 1n : 0n));
}

test('the high multiply equals its 64-bit definition', () => {
  fc.assert(
    fc.property(int32, int32, (a, b) => saturatingRoundingDoublingHighMul(a, b) === referenceHighMul(a, b)),
    { numRuns: 20000, seed: 1 },
  );
  for (const a of [-2147483648, -1, 0, 1, 2147483647]) {
    for (const b of [-2147483648, -1073741824, 0, 1073741824, 2147483647])
      expect(saturatingRoundingDoublingHighMul(a, b)).toBe(referenceHighMul(a, b));
  }
});

test('the rounding shift equals its definition, for every exponent', () => {
  fc.assert(
    fc.property(
      int32,
      fc.integer({ min: 0, max: 31 }),
      (x, exponent) => roundingDivideByPot(x, exponent) === referenceDivide(x, exponent),
    ),
    { numRuns: 20000, seed: 2 },
  );
});

test('a quantized multiplier stands for the real one, to 31 bits', () => {
  fc.assert(
    fc.property(fc.double({ min: 1e-9, max: 1e6, noNaN: true }), (real) => {
      const { multiplier, shift } = quantizeMultiplier(real);
      return (
        multiplier >= 2 ** 30 &&
        multiplier < 2 ** 31 &&
        Math.abs(multiplier * 2 ** (shift - 31) - real) <= real * 2 ** -31
      );
    }),
    { seed: 3 },
  );
  expect(quantizeMultiplier(0)).toEqual({ multiplier: 0, shift: 0 });
  expect(quantizeMultiplier(1)).toEqual({ multiplier: 2 ** 30, shift: 1 });
  expect(quantizeMultiplier(0.5)).toEqual({ multiplier: 2 ** 30, shift: 0 });
  expect(quantizeMultiplier(1 - 2 ** -40)).toEqual({ multiplier: 2 ** 30, shift: 1 });
  expect(quantizeMultiplier(1e-30)).toEqual({ multiplier: 0, shift: 0 });
});

test('requantizing rounds twice', () => {
  // 3 * 0.25 = 0.75: the high multiply gives 3 * 0.5 = 1.5 -> 2, the shift 2 / 2 = 1; a single rounding agrees here,
  const quarter = quantizeMultiplier(0.25);
  expect(multiplyDoubleRounding(3, quarter.multiplier, quarter.shift)).toBe(1);
  // but 1 * 0.25 is rounded to 0.5 -> 1 first, then 1 / 2 = 0.5 -> 1, where a single rounding gives 0.
  expect(multiplyDoubleRounding(1, quarter.multiplier, quarter.shift)).toBe(1);
});

/** TFLite's common.cc for 64-bit accumulators, literally. */
function referenceWide(x: number, multiplier: number, shift: number): number {
  const reduced = multiplier < 0x7fff0000 ? (multiplier + 0x8000) >> 16 : 0x7fff;
  const total = BigInt(15 - shift);
  return Number((BigInt(x) * BigInt(reduced) + (1n << (total - 1n))) >> total);
}

test('requantizing a 64-bit accumulator equals its definition', () => {
  const multiplier = fc.integer({ min: 2 ** 30, max: 2 ** 31 - 1 });
  fc.assert(
    fc.property(
      fc.integer({ min: -(2 ** 47), max: 2 ** 47 - 1 }),
      multiplier,
      fc.integer({ min: -31, max: -16 }),
      (x, m, shift) => multiplyWide(x, m, shift) === referenceWide(x, m, shift),
    ),
    { numRuns: 20000, seed: 5 },
  );
  // With small shifts the sum itself must be small, or the result would not fit 32 bits.
  fc.assert(
    fc.property(
      fc.integer({ min: -(2 ** 24), max: 2 ** 24 }),
      multiplier,
      fc.integer({ min: -15, max: 7 }),
      (x, m, shift) => multiplyWide(x, m, shift) === referenceWide(x, m, shift),
    ),
    { numRuns: 20000, seed: 6 },
  );
});

test('ties go away from zero', () => {
  expect([-2.5, -0.5, 0.5, 1.5, 2.4999].map(roundHalfAway)).toEqual([-3, -1, 1, 2, 2]);
});
