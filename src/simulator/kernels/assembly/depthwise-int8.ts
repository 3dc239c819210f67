// DEPTHWISE_CONV_2D in int8, one output channel per input channel. Two taps are interleaved and multiplied at once, for
// 32 channels if available, otherwise 8. Constants are stored in blocks of 8 channels, the last of which overlaps the
// previous one if the number of channels is not a multiple of 8: for each block 8 int32 biases and the constants of
// requantize.ts, and separately, for each pair of taps and each block, 8 x 2 weights as int16.

import { touch } from './bounds';
import { blockHeader as header, neighboursOfStride1, neighboursOfStride2, pairHigh, pairLow } from './neighbours-int8';
import { rescale8, toInt8 } from './requantize';
import { tapAddresses, tapOffsets } from './taps';
import { insideBegin, insideEnd, Window } from './window';

/**
 * @param neighbourWeights for 3x3 filters with horizontal stride 1 or 2 and no dilation the weights of
 * neighbours-int8.ts, otherwise 0
 * @param scratch twice 4 bytes per tap, one more tap if their number is odd, then `inputChannels` bytes for positions
 * outside the image
 */
export function depthwiseInt8(
  geometry: usize, input: usize, output: usize, headers: usize, weights: usize, neighbourWeights: usize, scratch: usize,
  inputZero: i32, low: i32, high: i32,
): void {
  const window = changetype<Window>(geometry);
  const channels = window.inputChannels;
  const taps = window.filterHeight * window.filterWidth;
  const pairs = (taps + 1) / 2;
  const addresses = scratch;
  const offsets = scratch + 8 * pairs;
  const outside = scratch + 16 * <usize>pairs;
  touch(scratch, 16 * pairs + channels);
  memory.fill(outside, <u8>inputZero, channels);
  store<u32>(addresses + 8 * pairs - 4, <u32>outside);
  tapOffsets(window, 1, offsets);
  if (taps & 1) store<u32>(offsets + 8 * pairs - 4, load<u32>(offsets));
  const begin = insideBegin(window.padLeft, window.strideW, window.outputWidth);
  const end = insideEnd(window.padLeft, window.strideW, window.outputWidth, window.inputWidth,
      (window.filterWidth - 1) * window.dilationW);
  const step = window.strideW * channels;
  const neighbours = neighbourWeights != 0;
  for (let b = 0; b < window.batches; b++) {
    for (let y = 0; y < window.outputHeight; y++) {
      const top = y * window.strideH - window.padTop;
      const whole = top >= 0 && top + (window.filterHeight - 1) * window.dilationH < window.inputHeight;
      let x = 0;
      while (x < window.outputWidth) {
        if (whole && x >= begin && x < end) {
          const row = (b * window.inputHeight + top) * window.inputWidth;
          const first = input + (row + x * window.strideW - window.padLeft) * channels;
          // Two at once if neighbours share columns; the last one alone if the number is odd.
          const twice = neighbours ? (end - x) & ~1 : 0;
          const line = window.inputWidth * channels;
          if (twice > 0 && window.strideW == 1) {
            neighboursOfStride1(twice / 2, first, line, headers, neighbourWeights, channels, output, low, high);
          } else if (twice > 0) {
            neighboursOfStride2(twice / 2, first, line, headers, neighbourWeights, channels, output, low, high);
          }
          const alone = end - x - twice;
          positions(alone, first + twice * step, step, offsets, pairs, headers, weights, channels,
              output + twice * channels, low, high);
          output += (end - x) * channels;
          x = end;
        } else {
          tapAddresses(window, input, b, y, x, 1, outside, addresses);
          positions(1, 0, 0, addresses, pairs, headers, weights, channels, output, low, high);
          output += channels;
          x++;
        }
      }
    }
  }
}

/** `count` positions whose taps are at `base` plus the table's entries; `base` then advances by `step`. */
function positions(
  count: i32, base: usize, step: i32, table: usize, pairs: i32, headers: usize, weights: usize, channels: i32,
      output: usize,
  lowest: i32, highest: i32,
): void {
  const low = i8x16.splat(<i8>lowest);
  const high = i8x16.splat(<i8>highest);
  const perPair = <usize>((channels + 7) / 8) * 32;
  const end = table + 8 * pairs;
  for (; count > 0; count--) {
    let constants = headers;
    let panel = weights;
    let channel = 0;
    for (; channel + 32 <= channels; channel += 32) {
      touch(constants, 4 * header);
      let s0 = v128.load(constants), s1 = v128.load(constants, 16);
      let s2 = v128.load(constants + header), s3 = v128.load(constants + header, 16);
      let s4 = v128.load(constants + 2 * header), s5 = v128.load(constants + 2 * header, 16);
      let s6 = v128.load(constants + 3 * header), s7 = v128.load(constants + 3 * header, 16);
      const at = base + channel;
      let w = panel;
      for (let tap = table; tap < end; tap += 8) {
        const from0 = at + <usize>load<u32>(tap), from1 = at + <usize>load<u32>(tap, 4);
        touch(from0, 32);
        touch(from1, 32);
        touch(w, 128);
        let a = v128.load8x8_s(from0), b = v128.load8x8_s(from1);
        s0 = i32x4.add(s0, pairLow(a, b, v128.load(w)));
        s1 = i32x4.add(s1, pairHigh(a, b, v128.load(w, 16)));
        a = v128.load8x8_s(from0, 8), b = v128.load8x8_s(from1, 8);
        s2 = i32x4.add(s2, pairLow(a, b, v128.load(w, 32)));
        s3 = i32x4.add(s3, pairHigh(a, b, v128.load(w, 48)));
        a = v128.load8x8_s(from0, 16), b = v128.load8x8_s(from1, 16);
        s4 = i32x4.add(s4, pairLow(a, b, v128.load(w, 64)));
        s5 = i32x4.add(s5, pairHigh(a, b, v128.load(w, 80)));
        a = v128.load8x8_s(from0, 24), b = v128.load8x8_s(from1, 24);
        s6 = i32x4.add(s6, pairLow(a, b, v128.load(w, 96)));
        s7 = i32x4.add(s7, pairHigh(a, b, v128.load(w, 112)));
        w += perPair;
      }
      touch(output + channel, 32);
      const y01 = toInt8(rescale8(s0, s1, constants + 32), rescale8(s2, s3, constants + 32 + header), low, high);
      const y23 = toInt8(rescale8(s4, s5, constants + 32 + 2 * header), rescale8(s6, s7,
          constants + 32 + 3 * header), low, high);
      v128.store(output + channel, y01);
      v128.store(output + channel, y23, 16);
      constants += 4 * header;
      panel += 128;
    }
    for (; channel < channels; channel += 8) {
      const own = <usize>min(channel, channels - 8);
      touch(constants, header);
      let s0 = v128.load(constants), s1 = v128.load(constants, 16);
      const at = base + own;
      let w = panel;
      for (let tap = table; tap < end; tap += 8) {
        const from0 = at + <usize>load<u32>(tap), from1 = at + <usize>load<u32>(tap, 4);
        touch(from0, 8);
        touch(from1, 8);
        touch(w, 32);
        const a = v128.load8x8_s(from0), b = v128.load8x8_s(from1);
        s0 = i32x4.add(s0, pairLow(a, b, v128.load(w)));
        s1 = i32x4.add(s1, pairHigh(a, b, v128.load(w, 16)));
        w += perPair;
      }
      const scaled = rescale8(s0, s1, constants + 32);
      touch(output + own, 8);
      v128.store64_lane(output + own, toInt8(scaled, scaled, low, high), 0);
      constants += header;
      panel += 32;
    }
    base += step;
    output += channels;
  }
}
