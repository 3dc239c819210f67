// SOFTMAX in int8 along the last dimension, in gemmlowp's fixed point. Tables hold exp of every possible difference to
// the row's maximum, 256 x int32 in Q0.31, and the same rounded to the 12 integer bits of their sum; 0 for differences
// too large to count.

import { touch } from './bounds';

const sumIntegerBits: i32 = 12;

/** gemmlowp's SaturatingRoundingDoublingHighMul, which cannot saturate here. */
// @ts-ignore: decorator
@inline
function highMultiply(a: i32, b: i32): i32 {
  return <i32>((<i64>a * <i64>b + (1 << 30)) >> 31);
}

/** gemmlowp's SaturatingRoundingMultiplyByPOT<2>. */
// @ts-ignore: decorator
@inline
function times4(x: i32): i32 {
  return x > 0x1fffffff ? i32.MAX_VALUE : x < -0x1fffffff ? i32.MIN_VALUE : x << 2;
}

/**
 * 1 / (1 + x) for x in [0, 1), Q0.31: three steps of Newton and Raphson from 48/17 - 32/17 * half of the denominator
 * (gemmlowp one_over_one_plus_x).
 */
function overOnePlus(x: i32): i32 {
  const half = <i32>((<i64>x + <i64>i32.MAX_VALUE + 1) >> 1);
  let estimate = 1515870810 + highMultiply(half, -1010580540);
  for (let i = 0; i < 3; i++) {
    const rest = (1 << 29) - highMultiply(half, estimate);
    estimate += times4(highMultiply(estimate, rest));
  }
  return estimate > 0x3fffffff ? i32.MAX_VALUE : estimate << 1;
}

export function softmaxInt8(input: usize, output: usize, rows: i32, depth: i32, tables: usize): void {
  touch(tables, 2048);
  const rounded = tables + 1024;
  for (let row = 0; row < rows; row++) {
    touch(input, depth);
    touch(output, depth);
    let largest: i32 = -128;
    for (let i = 0; i < depth; i++) largest = max(largest, <i32>load<i8>(input + i));
    let sum = 0;
    for (let i = 0; i < depth; i++) sum += load<i32>(rounded + 4 * <usize>(largest - <i32>load<i8>(input + i)));
    const headroom = clz(sum);
    const scale = overOnePlus(<i32>((<u32>sum << headroom) - (<u32>1 << 31)));
    const shift = sumIntegerBits - headroom + 23;
    const half = <i64>1 << (shift - 1);
    for (let i = 0; i < depth; i++) {
      const product = highMultiply(scale, load<i32>(tables + 4 * <usize>(largest - <i32>load<i8>(input + i))));
      store<i8>(output + i, <i8>min<i64>(127, ((<i64>product + half) >> shift) - 128));
    }
    input += depth;
    output += depth;
  }
}
