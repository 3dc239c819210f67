// Products of int8 rows with packed int8 filters. Four rows are widened to int16 and interleaved in pairs; a panel
// holds 8 filters: 8 int32 biases, the constants of requantize.ts, then 8 x 2 weights for each pair of depth elements.
// `i32x4.dot_i16x8_s` then computes 4 filters, two depth elements at a time.

import { touch } from './bounds';
import { channelConstants, inFixedPoint8, oneOffset, rescale8, toInt8, twoOffsets, wayOf, withOneOffset8,
    withTwoOffsets8 } from './requantize';

const header: usize = 32 + channelConstants;

/** Bytes of four packed rows. */
// @ts-ignore: decorator
@inline
export function packedBytes(depth: i32): i32 {
  return (depth + 7) / 8 * 64;
}

/** 8 elements of a row from `at` as int16, with zeros beyond the readable part. */
// @ts-ignore: decorator
@inline
function load8(row: usize, at: i32, depth: i32): v128 {
  if (at + 8 <= depth) {
    touch(row + at, 8);
    return v128.load8x8_s(row + at);
  }
  let bits: i64 = 0;
  for (let i = depth - 1; i >= at; i--) {
    touch(row + i, 1);
    bits = (bits << 8) | <i64>load<u8>(row + i);
  }
  return i16x8.extend_low_i8x16_s(i64x2.splat(bits));
}

/**
 * Interleaves four rows: for each pair of depth elements, the pairs of the four rows.
 * @param readable elements of a row that may be read, at least depth; those beyond depth are multiplied by weights of 0
 */
export function packRows(row0: usize, row1: usize, row2: usize, row3: usize, depth: i32, readable: i32,
    packed: usize): void {
  for (let at = 0; at < depth; at += 8) {
    const a = load8(row0, at, readable);
    const b = load8(row1, at, readable);
    const c = load8(row2, at, readable);
    const d = load8(row3, at, readable);
    const ab0 = v128.shuffle<i32>(a, b, 0, 4, 1, 5);
    const ab1 = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
    const cd0 = v128.shuffle<i32>(c, d, 0, 4, 1, 5);
    const cd1 = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
    touch(packed, 64);
    v128.store(packed, v128.shuffle<i64>(ab0, cd0, 0, 2));
    v128.store(packed, v128.shuffle<i64>(ab0, cd0, 1, 3), 16);
    v128.store(packed, v128.shuffle<i64>(ab1, cd1, 0, 2), 32);
    v128.store(packed, v128.shuffle<i64>(ab1, cd1, 1, 3), 48);
    packed += 64;
  }
}

/**
 * Four packed rows times all panels. The last panel overlaps the previous one if `channels` is not a multiple of 8;
 * with fewer than 8 channels the only panel is padded with zeros.
 */
export function multiply4(
  packed: usize, depth: i32, panels: usize, channels: i32,
  out0: usize, out1: usize, out2: usize, out3: usize,
  lowest: i32, highest: i32,
): void {
  const pairs = <usize>((depth + 1) / 2);
  const low = i8x16.splat(<i8>lowest);
  const high = i8x16.splat(<i8>highest);
  for (let channel = 0; channel < channels; channel += 8) {
    touch(panels, header + 16 * pairs);
    let c00 = v128.load(panels), c01 = v128.load(panels, 16);
    let c10 = c00, c11 = c01, c20 = c00, c21 = c01, c30 = c00, c31 = c01;
    let w = panels + header;
    let a = packed;
    const end = w + 16 * pairs;
    touch(packed, 16 * pairs);
    for (; w < end; w += 16) {
      const w0 = v128.load8x8_s(w), w1 = v128.load8x8_s(w, 8);
      let x = v128.load32_splat(a);
      c00 = i32x4.add(c00, i32x4.dot_i16x8_s(x, w0));
      c01 = i32x4.add(c01, i32x4.dot_i16x8_s(x, w1));
      x = v128.load32_splat(a, 4);
      c10 = i32x4.add(c10, i32x4.dot_i16x8_s(x, w0));
      c11 = i32x4.add(c11, i32x4.dot_i16x8_s(x, w1));
      x = v128.load32_splat(a, 8);
      c20 = i32x4.add(c20, i32x4.dot_i16x8_s(x, w0));
      c21 = i32x4.add(c21, i32x4.dot_i16x8_s(x, w1));
      x = v128.load32_splat(a, 12);
      c30 = i32x4.add(c30, i32x4.dot_i16x8_s(x, w0));
      c31 = i32x4.add(c31, i32x4.dot_i16x8_s(x, w1));
      a += 16;
    }
    const constants = panels + 32;
    const way = wayOf(constants);
    let y01: v128, y23: v128;
    if (way == oneOffset) {
      y01 = toInt8(withOneOffset8(c00, c01, constants), withOneOffset8(c10, c11, constants), low, high);
      y23 = toInt8(withOneOffset8(c20, c21, constants), withOneOffset8(c30, c31, constants), low, high);
    } else if (way == twoOffsets) {
      y01 = toInt8(withTwoOffsets8(c00, c01, constants), withTwoOffsets8(c10, c11, constants), low, high);
      y23 = toInt8(withTwoOffsets8(c20, c21, constants), withTwoOffsets8(c30, c31, constants), low, high);
    } else {
      y01 = toInt8(inFixedPoint8(c00, c01, constants), inFixedPoint8(c10, c11, constants), low, high);
      y23 = toInt8(inFixedPoint8(c20, c21, constants), inFixedPoint8(c30, c31, constants), low, high);
    }
    if (channels >= 8) {
      const at = <usize>min(channel, channels - 8);
      touch(out0 + at, 8);
      touch(out1 + at, 8);
      touch(out2 + at, 8);
      touch(out3 + at, 8);
      v128.store64_lane(out0 + at, y01, 0);
      v128.store64_lane(out1 + at, y01, 1);
      v128.store64_lane(out2 + at, y23, 0);
      v128.store64_lane(out3 + at, y23, 1);
    } else {
      storeFew(out0, i64x2.extract_lane(y01, 0), channels);
      storeFew(out1, i64x2.extract_lane(y01, 1), channels);
      storeFew(out2, i64x2.extract_lane(y23, 0), channels);
      storeFew(out3, i64x2.extract_lane(y23, 1), channels);
    }
    panels = end;
  }
}

/** One row, not packed, times all panels: for dense layers on single samples. `row16` has room for the widened row. */
export function multiply1(row: usize, depth: i32, panels: usize, channels: i32, out: usize, lowest: i32,
    highest: i32, row16: usize): void {
  const pairs = <usize>((depth + 1) / 2);
  const low = i8x16.splat(<i8>lowest);
  const high = i8x16.splat(<i8>highest);
  for (let at = 0; at < depth; at += 8) {
    touch(row16 + 2 * at, 16);
    v128.store(row16 + 2 * at, load8(row, at, depth));
  }
  for (let channel = 0; channel < channels; channel += 8) {
    touch(panels, header + 16 * pairs);
    let c0 = v128.load(panels), c1 = v128.load(panels, 16);
    let w = panels + header;
    let a = row16;
    const end = w + 16 * pairs;
    for (; w < end; w += 16) {
      const x = v128.load32_splat(a);
      c0 = i32x4.add(c0, i32x4.dot_i16x8_s(x, v128.load8x8_s(w)));
      c1 = i32x4.add(c1, i32x4.dot_i16x8_s(x, v128.load8x8_s(w, 8)));
      a += 4;
    }
    const scaled = rescale8(c0, c1, panels + 32);
    const y = toInt8(scaled, scaled, low, high);
    if (channels >= 8) {
      const at = <usize>min(channel, channels - 8);
      touch(out + at, 8);
      v128.store64_lane(out + at, y, 0);
    } else storeFew(out, i64x2.extract_lane(y, 0), channels);
    panels = end;
  }
}

/** The lowest `count` bytes of `values`. */
function storeFew(out: usize, values: i64, count: i32): void {
  for (let i = 0; i < count; i++) {
    touch(out + i, 1);
    store<u8>(out + i, <u8>values);
    values >>= 8;
  }
}
