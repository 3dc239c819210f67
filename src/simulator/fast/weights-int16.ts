// Weights of int16x8 operators for the kernels: 32-bit sums, which are checked here, a 64-bit bias and a single
// rounding.

import { multiplyWide } from '../arithmetic/fixed-point.js';
import type { ChannelRequantize } from '../arithmetic/profile.js';
import type { Accumulation } from '../operators/accumulator.js';

/** Filters of `depth` weights each. */
export interface Filters {
  readonly weight: (channel: number, position: number) => number;
  readonly channels: number;
  readonly depth: number;
}

const maxInput = 32768;

/**
 * For each channel: int64 bias, 15-bit multiplier as int32, and right shift as int32 (TFLite's
 * MultiplyByQuantizedMultiplier for 64-bit accumulators).
 * @returns null if the kernels would not be exact
 */
export function wideConstants(
  { weight, channels, depth }: Filters,
  accumulation: Accumulation,
  requantize: ChannelRequantize,
): Uint8Array | null {
  const { wide, bias, multipliers, inputZero, outputZero } = accumulation;
  if (!wide || requantize !== multiplyWide || inputZero !== 0 || outputZero !== 0) return null;
  const out = new DataView(new ArrayBuffer(16 * channels));
  for (let channel = 0; channel < channels; channel++) {
    let sum = 0;
    for (let i = 0; i < depth; i++) sum += Math.abs(weight(channel, i));
    const own = bias[channel] as number;
    const [multiplier, shift] = [multipliers.multiplier[channel] as number, multipliers.shift[channel] as number];
    const right = 15 - shift;
    const reduced = multiplier < 0x7fff0000 ? (multiplier + 0x8000) >> 16 : 0x7fff;
    const largest = Math.abs(own) + sum * maxInput;
    if (sum * maxInput >= 2 ** 31 || largest >= 2 ** 47 || right < 1 || right > 46) return null;
    // Beyond 32 bits results wrap, but the kernels here saturate.
    if ((largest * reduced) / 2 ** right >= 2 ** 31 - 1) return null;
    out.setBigInt64(16 * channel, BigInt(own), true);
    out.setInt32(16 * channel + 8, reduced, true);
    out.setInt32(16 * channel + 12, right, true);
  }
  return new Uint8Array(out.buffer);
}

/** Filters back to back, each padded with zeros to a multiple of 8. */
export function paddedFilters({ weight, channels, depth }: Filters): Int8Array {
  const padded = Math.ceil(depth / 8) * 8;
  const out = new Int8Array(channels * padded);
  for (let channel = 0; channel < channels; channel++)
    for (let i = 0; i < depth; i++) out[channel * padded + i] = weight(channel, i);
  return out;
}
