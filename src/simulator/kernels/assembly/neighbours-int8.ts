// DEPTHWISE_CONV_2D in int8 with 3x3 filters without dilation: computes two horizontal neighbours at once, which share
// columns. For each column the upper two rows are interleaved vertically; for the third row, pairs of columns. Weights
// for each block of 8 channels, as pairs of int16: columns 0, 1, 2 of the upper rows; then for the third row (0, 1) and
// (2, -); and for a second position one column further, (-, 0) and (1, 2).

import { touch } from './bounds';
import { channelConstants, rescale8, toInt8 } from './requantize';

/** 8 x int32 bias, then the constants of the rescaling. */
export const blockHeader: usize = 32 + channelConstants;

const blockWeights: usize = 224;

// @ts-ignore: decorator
@inline
function interleaveLow(a: v128, b: v128): v128 {
  return v128.shuffle<i16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
}

// @ts-ignore: decorator
@inline
function interleaveHigh(a: v128, b: v128): v128 {
  return v128.shuffle<i16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}

// @ts-ignore: decorator
@inline
export function pairLow(a: v128, b: v128, weights: v128): v128 {
  return i32x4.dot_i16x8_s(interleaveLow(a, b), weights);
}

// @ts-ignore: decorator
@inline
export function pairHigh(a: v128, b: v128, weights: v128): v128 {
  return i32x4.dot_i16x8_s(interleaveHigh(a, b), weights);
}

/** `count` pairs of positions; `stride` (1 or 2) is a constant after inlining, so that unused code disappears. */
// @ts-ignore: decorator
@inline
function neighbours(
  stride: i32, count: i32, base: usize, line: i32, headers: usize, weights: usize, channels: i32, output: usize,
      lowest: i32, highest: i32,
): void {
  const low = i8x16.splat(<i8>lowest);
  const high = i8x16.splat(<i8>highest);
  for (; count > 0; count--) {
    let constants = headers;
    let w = weights;
    for (let channel = 0; channel < channels; channel += 8) {
      const own = <usize>min(channel, channels - 8);
      touch(constants, blockHeader);
      touch(w, blockWeights);
      let first0 = v128.load(constants), first1 = v128.load(constants, 16);
      let second0 = first0, second1 = first1;
      let at = base + own;
      let below = at + line;
      touch(at, 8);
      touch(below, 8);
      let a = v128.load8x8_s(at), b = v128.load8x8_s(below);
      let lower = interleaveLow(a, b), upper = interleaveHigh(a, b);
      first0 = i32x4.add(first0, i32x4.dot_i16x8_s(lower, v128.load(w)));
      first1 = i32x4.add(first1, i32x4.dot_i16x8_s(upper, v128.load(w, 16)));
      at += channels;
      below += channels;
      touch(at, 8);
      touch(below, 8);
      a = v128.load8x8_s(at), b = v128.load8x8_s(below);
      lower = interleaveLow(a, b), upper = interleaveHigh(a, b);
      first0 = i32x4.add(first0, i32x4.dot_i16x8_s(lower, v128.load(w, 32)));
      first1 = i32x4.add(first1, i32x4.dot_i16x8_s(upper, v128.load(w, 48)));
      if (stride == 1) {
        second0 = i32x4.add(second0, i32x4.dot_i16x8_s(lower, v128.load(w)));
        second1 = i32x4.add(second1, i32x4.dot_i16x8_s(upper, v128.load(w, 16)));
      }
      at += channels;
      below += channels;
      touch(at, 8);
      touch(below, 8);
      a = v128.load8x8_s(at), b = v128.load8x8_s(below);
      lower = interleaveLow(a, b), upper = interleaveHigh(a, b);
      first0 = i32x4.add(first0, i32x4.dot_i16x8_s(lower, v128.load(w, 64)));
      first1 = i32x4.add(first1, i32x4.dot_i16x8_s(upper, v128.load(w, 80)));
      if (stride == 1) {
        second0 = i32x4.add(second0, i32x4.dot_i16x8_s(lower, v128.load(w, 32)));
        second1 = i32x4.add(second1, i32x4.dot_i16x8_s(upper, v128.load(w, 48)));
      }
      if (stride == 2) {
        second0 = i32x4.add(second0, i32x4.dot_i16x8_s(lower, v128.load(w)));
        second1 = i32x4.add(second1, i32x4.dot_i16x8_s(upper, v128.load(w, 16)));
      }
      at += channels;
      below += channels;
      touch(at, 8);
      touch(below, 8);
      a = v128.load8x8_s(at), b = v128.load8x8_s(below);
      lower = interleaveLow(a, b), upper = interleaveHigh(a, b);
      if (stride == 1) {
        second0 = i32x4.add(second0, i32x4.dot_i16x8_s(lower, v128.load(w, 64)));
        second1 = i32x4.add(second1, i32x4.dot_i16x8_s(upper, v128.load(w, 80)));
      }
      if (stride == 2) {
        second0 = i32x4.add(second0, i32x4.dot_i16x8_s(lower, v128.load(w, 32)));
        second1 = i32x4.add(second1, i32x4.dot_i16x8_s(upper, v128.load(w, 48)));
      }
      if (stride == 2) {
        at += channels;
        below += channels;
        touch(at, 8);
        touch(below, 8);
        a = v128.load8x8_s(at), b = v128.load8x8_s(below);
        lower = interleaveLow(a, b), upper = interleaveHigh(a, b);
        second0 = i32x4.add(second0, i32x4.dot_i16x8_s(lower, v128.load(w, 64)));
        second1 = i32x4.add(second1, i32x4.dot_i16x8_s(upper, v128.load(w, 80)));
      }
      let third = base + own + 2 * line;
      touch(third, 8);
      touch(third + channels, 8);
      a = v128.load8x8_s(third), b = v128.load8x8_s(third + channels);
      lower = interleaveLow(a, b), upper = interleaveHigh(a, b);
      first0 = i32x4.add(first0, i32x4.dot_i16x8_s(lower, v128.load(w, 96)));
      first1 = i32x4.add(first1, i32x4.dot_i16x8_s(upper, v128.load(w, 112)));
      if (stride == 1) {
        second0 = i32x4.add(second0, i32x4.dot_i16x8_s(lower, v128.load(w, 160)));
        second1 = i32x4.add(second1, i32x4.dot_i16x8_s(upper, v128.load(w, 176)));
      }
      third += 2 * channels;
      touch(third, 8);
      touch(third + channels, 8);
      a = v128.load8x8_s(third), b = v128.load8x8_s(third + channels);
      lower = interleaveLow(a, b), upper = interleaveHigh(a, b);
      first0 = i32x4.add(first0, i32x4.dot_i16x8_s(lower, v128.load(w, 128)));
      first1 = i32x4.add(first1, i32x4.dot_i16x8_s(upper, v128.load(w, 144)));
      second0 = i32x4.add(second0, i32x4.dot_i16x8_s(lower, v128.load(w + (stride == 1 ? 192 : 96))));
      second1 = i32x4.add(second1, i32x4.dot_i16x8_s(upper, v128.load(w + (stride == 1 ? 208 : 112))));
      if (stride == 2) {
        third += 2 * channels;
        touch(third, 8);
        a = v128.load8x8_s(third);
        second0 = i32x4.add(second0, pairLow(a, a, v128.load(w, 128)));
        second1 = i32x4.add(second1, pairHigh(a, a, v128.load(w, 144)));
      }
      const y = toInt8(rescale8(first0, first1, constants + 32), rescale8(second0, second1, constants + 32), low, high);
      touch(output + own, 8);
      touch(output + own + channels, 8);
      v128.store64_lane(output + own, y, 0);
      v128.store64_lane(output + own + channels, y, 1);
      constants += blockHeader;
      w += blockWeights;
    }
    base += 2 * stride * channels;
    output += 2 * channels;
  }
}

/** `count` pairs of positions from `base` on, with lines of `line` bytes; 9 taps for each channel, in blocks of 8. */
export function neighboursOfStride1(
  count: i32, base: usize, line: i32, headers: usize, weights: usize, channels: i32, output: usize, lowest: i32,
      highest: i32,
): void {
  neighbours(1, count, base, line, headers, weights, channels, output, lowest, highest);
}

export function neighboursOfStride2(
  count: i32, base: usize, line: i32, headers: usize, weights: usize, channels: i32, output: usize, lowest: i32,
      highest: i32,
): void {
  neighbours(2, count, base, line, headers, weights, channels, output, lowest, highest);
}
