// Converts sums of int16x8 operators to int16: a 64-bit bias is added, the multiplier has 15 bits, and the product is
// rounded once.

/** Constants of a channel: int64 bias, int32 multiplier, int32 shift to the right, at least 1. */
export const wideConstants: usize = 16;

// @ts-ignore: decorator
@inline
export function toInt16(sum: i32, constants: usize, low: i32, high: i32): i16 {
  const shift = <i64>load<i32>(constants, 12);
  const product = (<i64>sum + load<i64>(constants)) * <i64>load<i32>(constants, 8) + (<i64>1 << (shift - 1));
  return <i16>max<i64>(low, min<i64>(high, product >> shift));
}

// @ts-ignore: decorator
@inline
export function sumOf4(sums: v128): i32 {
  return i32x4.extract_lane(sums, 0) + i32x4.extract_lane(sums, 1) + i32x4.extract_lane(sums,
      2) + i32x4.extract_lane(sums, 3);
}
