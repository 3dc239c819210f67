// DEPTHWISE_CONV_2D in int16x8, one output channel per input channel, 8 channels at a time; the last 8 overlap the
// previous ones if the number of channels is not a multiple of 8. Weights are stored as in the file: all channels for
// each tap.

import { touch } from './bounds';
import { tapAddresses } from './taps';
import { toInt16, wideConstants } from './wide';
import { Window } from './window';

/**
 * @param scratch 4 bytes per tap, rounded up to a multiple of 16, then 32 bytes, then `2 * inputChannels` zero bytes
 * for positions outside the image
 */
export function depthwiseInt16(geometry: usize, input: usize, output: usize, weights: usize, constants: usize,
    scratch: usize, low: i32, high: i32): void {
  const window = changetype<Window>(geometry);
  const channels = window.inputChannels;
  const taps = window.filterHeight * window.filterWidth;
  const sums = scratch + <usize>((4 * taps + 15) & ~15);
  const outside = sums + 32;
  const lastTap = scratch + 4 * taps;
  touch(outside, 2 * channels);
  touch(weights, taps * channels);
  touch(constants, wideConstants * <usize>channels);
  memory.fill(outside, 0, 2 * channels);
  for (let b = 0; b < window.batches; b++) {
    for (let y = 0; y < window.outputHeight; y++) {
      for (let x = 0; x < window.outputWidth; x++) {
        tapAddresses(window, input, b, y, x, 2, outside, scratch);
        for (let channel = 0; channel < channels; channel += 8) {
          const own = <usize>min(channel, channels - 8);
          let c0 = i32x4.splat(0), c1 = c0;
          let w = weights + own;
          for (let tap = scratch; tap < lastTap; tap += 4) {
            const from = <usize>load<u32>(tap) + 2 * own;
            touch(from, 16);
            const values = v128.load(from);
            const filter = v128.load8x8_s(w);
            c0 = i32x4.add(c0, i32x4.extmul_low_i16x8_s(values, filter));
            c1 = i32x4.add(c1, i32x4.extmul_high_i16x8_s(values, filter));
            w += channels;
          }
          v128.store(sums, c0);
          v128.store(sums, c1, 16);
          touch(output + 2 * own, 16);
          for (let i: usize = 0; i < 8; i++) {
            store<i16>(output + 2 * (own + i), toInt16(load<i32>(sums + 4 * i),
                constants + wideConstants * (own + i), low, high));
          }
        }
        output += 2 * channels;
      }
    }
  }
}
