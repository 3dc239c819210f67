// DEPTHWISE_CONV_2D in float32, one output channel per input channel, 8 channels at a time. A panel holds 8 channels: 8
// biases, then 8 weights for each tap. Sums run in the order of the taps, with the bias last.

import { touch } from './bounds';
import { clampFloat } from './clamp';
import { tapAddresses, tapOffsets } from './taps';
import { insideBegin, insideEnd, Window } from './window';

/**
 * @param scratch twice 4 bytes per tap, rounded up to a multiple of 16, then `4 * inputChannels` zero bytes for
 * positions outside the image
 */
export function depthwiseFloat(geometry: usize, input: usize, output: usize, panels: usize, scratch: usize,
    lowest: f32, highest: f32): void {
  const window = changetype<Window>(geometry);
  const channels = window.inputChannels;
  const taps = window.filterHeight * window.filterWidth;
  const pixel = 4 * channels;
  const offsets = scratch + 4 * taps;
  const outside = scratch + <usize>((8 * taps + 15) & ~15);
  touch(scratch, <usize>((8 * taps + 15) & ~15) + pixel);
  memory.fill(outside, 0, pixel);
  tapOffsets(window, 4, offsets);
  const begin = insideBegin(window.padLeft, window.strideW, window.outputWidth);
  const end = insideEnd(window.padLeft, window.strideW, window.outputWidth, window.inputWidth,
      (window.filterWidth - 1) * window.dilationW);
  const step = window.strideW * pixel;
  for (let b = 0; b < window.batches; b++) {
    for (let y = 0; y < window.outputHeight; y++) {
      const top = y * window.strideH - window.padTop;
      const whole = top >= 0 && top + (window.filterHeight - 1) * window.dilationH < window.inputHeight;
      let x = 0;
      while (x < window.outputWidth) {
        if (whole && x >= begin && x < end) {
          const row = (b * window.inputHeight + top) * window.inputWidth;
          const first = input + (row + x * window.strideW - window.padLeft) * pixel;
          positions(end - x, first, step, offsets, taps, panels, channels, output, lowest, highest);
          output += (end - x) * pixel;
          x = end;
        } else {
          tapAddresses(window, input, b, y, x, 4, outside, scratch);
          positions(1, 0, 0, scratch, taps, panels, channels, output, lowest, highest);
          output += pixel;
          x++;
        }
      }
    }
  }
}

/** `count` positions whose taps lie at `base` plus the table's entries; `base` then moves on by `step`. */
function positions(count: i32, base: usize, step: i32, table: usize, taps: i32, panels: usize, channels: i32,
    output: usize, lowest: f32, highest: f32): void {
  const low = f32x4.splat(lowest), high = f32x4.splat(highest);
  const lastTap = table + 4 * taps;
  for (; count > 0; count--) {
    let w = panels;
    for (let channel = 0; channel < channels; channel += 8) {
      const at: usize = 4 * <usize>min(channel, channels - 8);
      touch(w, 32 + 32 * taps);
      const b0 = v128.load(w), b1 = v128.load(w, 16);
      w += 32;
      let c0 = f32x4.splat(0), c1 = c0;
      const own = base + at;
      for (let tap = table; tap < lastTap; tap += 4) {
        const from = own + <usize>load<u32>(tap);
        touch(from, 32);
        c0 = f32x4.add(c0, f32x4.mul(v128.load(from), v128.load(w)));
        c1 = f32x4.add(c1, f32x4.mul(v128.load(from, 16), v128.load(w, 16)));
        w += 32;
      }
      touch(output + at, 32);
      v128.store(output + at, clampFloat(f32x4.add(c0, b0), low, high));
      v128.store(output + at, clampFloat(f32x4.add(c1, b1), low, high), 16);
    }
    base += step;
    output += 4 * channels;
  }
}
