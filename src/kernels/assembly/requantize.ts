// From int32 accumulators to int8, exactly as SaturatingRoundingDoublingHighMul followed by RoundingDivideByPOT (gemmlowp) would. Two ways:
// one for any result, and a faster one where only results at or above the zero point matter because a fused activation cuts the rest.
// The host decides, and checks that the arithmetic is exact (src/simulator/fast/rescaling.ts).

/** Constants of 8 channels: 8 x int32 multiplier and 8 x float32 2^-s / 2; or 8 x float64 factor and 8 x float64 offset. */
export const channelConstants: usize = 128;

/**
 * Four channels. The high multiply is the low dword of (x * m + 2^30) >> 31 in 64 bits; it cannot saturate, as m > 0.
 * Rounding v / 2^s half away from zero is rounding v - 1 half up where v is negative; with one more bit, set, no ties are left and
 * float32's own rounding does. `bias` is 1.5 * 2^23 plus the output's zero point: the integer is in the low bits of the sum.
 */
// @ts-ignore: decorator
@inline
function scale4(sums: v128, constants: usize, bias: v128): v128 {
  const multiplier = v128.load(constants);
  const half = i64x2.splat(1 << 30);
  const low = i64x2.shr_u(i64x2.add(i64x2.extmul_low_i32x4_s(sums, multiplier), half), 31);
  const high = i64x2.shr_u(i64x2.add(i64x2.extmul_high_i32x4_s(sums, multiplier), half), 31);
  const product = v128.shuffle<i32>(low, high, 0, 2, 4, 6);
  const lowered = i32x4.add(product, i32x4.shr_s(product, 31));
  const untied = v128.or(i32x4.add(lowered, lowered), i32x4.splat(1));
  const rounded = f32x4.add(f32x4.mul(f32x4.convert_i32x4_s(untied), v128.load(constants, 32)), bias);
  return i32x4.sub(rounded, i32x4.splat(0x4b400000));
}

/**
 * Four channels whose negative results do not matter: floor(x * m / 2^(31 + s) + 1/2 + 2^-(s + 1)) for s > 0, both of gemmlowp's roundings
 * in one, as nested floors are. Everything is exact in float64 but the last addition, which rounds to the nearest; the offset is a
 * trace larger, so that there are no ties.
 */
// @ts-ignore: decorator
@inline
function scalePositive4(sums: v128, constants: usize, bias: v128): v128 {
  const low = f64x2.convert_low_i32x4_s(sums);
  const high = f64x2.convert_low_i32x4_s(v128.shuffle<i32>(sums, sums, 2, 3, 2, 3));
  const low2 = f64x2.add(f64x2.mul(low, v128.load(constants)), v128.load(constants, 64));
  const high2 = f64x2.add(f64x2.mul(high, v128.load(constants, 16)), v128.load(constants, 80));
  return v128.shuffle<i32>(f64x2.add(low2, bias), f64x2.add(high2, bias), 0, 2, 4, 6);
}

/** What `scalePositive8` wants to be given for an output's zero point: 1.5 * 2^52 more. */
// @ts-ignore: decorator
@inline
export function roundingBias64(outputZero: i32): v128 {
  return f64x2.splat(6755399441055744.0 + <f64>outputZero);
}

/** Like `scale8`, where only results at or above the zero point matter. */
// @ts-ignore: decorator
@inline
export function scalePositive8(sums0: v128, sums1: v128, constants: usize, bias: v128): v128 {
  return i16x8.narrow_i32x4_s(scalePositive4(sums0, constants, bias), scalePositive4(sums1, constants + 32, bias));
}

/** What `scale8` wants to be given for an output's zero point. */
// @ts-ignore: decorator
@inline
export function roundingBias(outputZero: i32): v128 {
  const biased: i32 = 12582912 + outputZero;
  return f32x4.splat(<f32>biased);
}

/** 8 channels of one position as int16, the output's zero point added. */
// @ts-ignore: decorator
@inline
export function scale8(sums0: v128, sums1: v128, constants: usize, bias: v128): v128 {
  return i16x8.narrow_i32x4_s(scale4(sums0, constants, bias), scale4(sums1, constants + 16, bias));
}

/** Two positions of 8 channels, clamped to the limits of activation and type. */
// @ts-ignore: decorator
@inline
export function toInt8(first: v128, second: v128, low: v128, high: v128): v128 {
  return i8x16.min_s(i8x16.max_s(i8x16.narrow_i16x8_s(first, second), low), high);
}
