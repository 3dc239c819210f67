// Converts int32 accumulators to int8 exactly like the profile's fixed-point arithmetic. Each block of 8 channels uses
// one of three methods; the host chooses it and verifies that every result is exact (src/simulator/fast/rescaling.ts).

/**
 * Constants of 8 channels. For float32: 8 factors, 8 offsets, 8 bit patterns in which the offset for negative sums
 * differs. For fixed point: 8 int32 multipliers, 8 float32 2^-s / 2, and 8 float32 1.5 * 2^23 plus the output's zero
 * point. Then the method, as int32.
 */
export const channelConstants: usize = 112;

export const oneOffset: i32 = 0;
export const twoOffsets: i32 = 1;

/** Adding this to a float32 leaves the nearest whole number in the low bits. */
const roundingBias: f32 = 12582912.0;
const roundingBits: i32 = 0x4b400000;

/** Four channels in float32, rounded; only the constants depend on the profile. */
// @ts-ignore: decorator
@inline
function round4(sums: v128, factors: usize, offsets: v128): v128 {
  const scaled = f32x4.mul(f32x4.convert_i32x4_s(sums), v128.load(factors));
  const rounded = f32x4.add(f32x4.add(scaled, offsets), f32x4.splat(roundingBias));
  return i32x4.sub(rounded, i32x4.splat(roundingBits));
}

/** The offset of each of four channels, by the sign of its sum. */
// @ts-ignore: decorator
@inline
function offsets4(sums: v128, offsets: usize): v128 {
  return v128.xor(v128.load(offsets), v128.and(v128.load(offsets, 32), i32x4.shr_s(sums, 31)));
}

/**
 * Four channels like SaturatingRoundingDoublingHighMul followed by RoundingDivideByPOT (gemmlowp). The high multiply is
 * the low dword of (x * m + 2^30) >> 31 in 64 bits; it cannot saturate, as m > 0. Rounding v / 2^s half away from zero
 * equals rounding v - 1 half up for negative v; with one extra bit that is always set there are no ties left, and
 * float32's rounding is sufficient.
 */
// @ts-ignore: decorator
@inline
function fixedPoint4(sums: v128, constants: usize): v128 {
  const multiplier = v128.load(constants);
  const half = i64x2.splat(1 << 30);
  const low = i64x2.shr_u(i64x2.add(i64x2.extmul_low_i32x4_s(sums, multiplier), half), 31);
  const high = i64x2.shr_u(i64x2.add(i64x2.extmul_high_i32x4_s(sums, multiplier), half), 31);
  const product = v128.shuffle<i32>(low, high, 0, 2, 4, 6);
  const lowered = i32x4.add(product, i32x4.shr_s(product, 31));
  const untied = v128.or(i32x4.add(lowered, lowered), i32x4.splat(1));
  const rounded = f32x4.add(f32x4.mul(f32x4.convert_i32x4_s(untied), v128.load(constants, 32)), v128.load(constants,
      64));
  return i32x4.sub(rounded, i32x4.splat(roundingBits));
}

/** One position of 8 channels as int16, with the output's zero point added, by each method. */
// @ts-ignore: decorator
@inline
export function withOneOffset8(sums0: v128, sums1: v128, constants: usize): v128 {
  return i16x8.narrow_i32x4_s(round4(sums0, constants, v128.load(constants, 32)), round4(sums1, constants + 16,
      v128.load(constants, 48)));
}

// @ts-ignore: decorator
@inline
export function withTwoOffsets8(sums0: v128, sums1: v128, constants: usize): v128 {
  return i16x8.narrow_i32x4_s(round4(sums0, constants, offsets4(sums0, constants + 32)), round4(sums1,
      constants + 16, offsets4(sums1, constants + 48)));
}

// @ts-ignore: decorator
@inline
export function inFixedPoint8(sums0: v128, sums1: v128, constants: usize): v128 {
  return i16x8.narrow_i32x4_s(fixedPoint4(sums0, constants), fixedPoint4(sums1, constants + 16));
}

/** The method of 8 channels. */
// @ts-ignore: decorator
@inline
export function wayOf(constants: usize): i32 {
  return load<i32>(constants, 96);
}

/** The same by the method in the constants. */
// @ts-ignore: decorator
@inline
export function rescale8(sums0: v128, sums1: v128, constants: usize): v128 {
  const way = wayOf(constants);
  if (way == oneOffset) return withOneOffset8(sums0, sums1, constants);
  return way == twoOffsets ? withTwoOffsets8(sums0, sums1, constants) : inFixedPoint8(sums0, sums1, constants);
}

/** Two positions of 8 channels, clamped to the limits of activation and type. */
// @ts-ignore: decorator
@inline
export function toInt8(first: v128, second: v128, low: v128, high: v128): v128 {
  return i8x16.min_s(i8x16.max_s(i8x16.narrow_i16x8_s(first, second), low), high);
}
