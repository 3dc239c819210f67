// ADD of two int8 tensors of the same shape: both are converted to a common scale with 20 extra bits, added, and
// converted to the output's scale. The larger input scale is half of the common one.

import { touch } from './bounds';

/** Layout of the parameters (src/simulator/fast/add.ts): 11 int32 values. */
@unmanaged
class Scales {
  /** The input with the larger scale: its factor of one half is a shift. */
  zeroA: i32;
  shiftA: i32;
  zeroB: i32;
  extraBits: i32;
  multiplierB: i32;
  shiftB: i32;
  multiplier: i32;
  shift: i32;
  zero: i32;
  low: i32;
  high: i32;
}

/** @param count at least 8 */
export function addInt8(scales: usize, a: usize, b: usize, output: usize, count: i32): void {
  const s = changetype<Scales>(scales);
  const zeroA = i16x8.splat(<i16>s.zeroA), zeroB = i16x8.splat(<i16>s.zeroB);
  const multiplierB = i32x4.splat(s.multiplierB), multiplier = i32x4.splat(s.multiplier);
  const halfB = halfOf(s.shiftB), half = halfOf(s.shift);
  const zero = i32x4.splat(s.zero);
  const low = i8x16.splat(<i8>s.low), high = i8x16.splat(<i8>s.high);
  for (let i = 0; i < count; i += 8) {
    const at = <usize>min(i, count - 8);
    touch(a + at, 8);
    touch(b + at, 8);
    touch(output + at, 8);
    const x = i16x8.sub(v128.load8x8_s(a + at), zeroA), y = i16x8.sub(v128.load8x8_s(b + at), zeroB);
    const low4 = i32x4.add(
      i32x4.shl(i32x4.extend_low_i16x8_s(x), s.shiftA),
      scale(i32x4.shl(i32x4.extend_low_i16x8_s(y), s.extraBits), multiplierB, halfB, s.shiftB),
    );
    const high4 = i32x4.add(
      i32x4.shl(i32x4.extend_high_i16x8_s(x), s.shiftA),
      scale(i32x4.shl(i32x4.extend_high_i16x8_s(y), s.extraBits), multiplierB, halfB, s.shiftB),
    );
    const sums = i16x8.narrow_i32x4_s(
      i32x4.add(scale(low4, multiplier, half, s.shift), zero),
      i32x4.add(scale(high4, multiplier, half, s.shift), zero),
    );
    v128.store64_lane(output + at, i8x16.min_s(i8x16.max_s(i8x16.narrow_i16x8_s(sums, sums), low), high), 0);
  }
}

// @ts-ignore: decorator
@inline
function halfOf(shift: i32): v128 {
  return i32x4.splat(1 << (shift - 1));
}

/** gemmlowp's high multiply, then its rounding division by 2^shift for a shift of at least 1. */
// @ts-ignore: decorator
@inline
function scale(x: v128, multiplier: v128, half: v128, shift: i32): v128 {
  const nudge = i64x2.splat(1 << 30);
  const low = i64x2.shr_u(i64x2.add(i64x2.extmul_low_i32x4_s(x, multiplier), nudge), 31);
  const high = i64x2.shr_u(i64x2.add(i64x2.extmul_high_i32x4_s(x, multiplier), nudge), 31);
  const product = v128.shuffle<i32>(low, high, 0, 2, 4, 6);
  return i32x4.shr_s(i32x4.add(i32x4.add(product, i32x4.shr_s(product, 31)), half), shift);
}
