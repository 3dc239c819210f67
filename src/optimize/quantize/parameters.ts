// Scales and zero points from ranges, as TFLite's converter computes them: real = (q - zeroPoint) * scale.

import { roundHalfAway } from '../../simulator/index.js';
import type { IntegerType, NumberFormat } from './number-format.js';

export interface Range {
  readonly min: number;
  readonly max: number;
}

/** With 0 in it, so that 0 is exact: padding and RELU need it. */
export function widened({ min, max }: Range): Range {
  return { min: Math.min(0, min), max: Math.max(0, max) };
}

export function rangeOfValues(values: Float32Array): Range {
  let min = Infinity;
  let max = -Infinity;
  for (const value of values) {
    if (Number.isNaN(value)) return { min: Number.NaN, max: Number.NaN };
    min = Math.min(min, value);
    max = Math.max(max, value);
  }
  return { min, max };
}

/** The smallest normal float32: a scale must stay finite and positive. */
const smallestScale = 2 ** -126;

/** What else a scale must obey. */
export interface ScaleLimits {
  /** The least that kernels take. */
  readonly floor: number;
  /** For a range of nothing but 0, which any scale serves. */
  readonly ofZero: number;
}

/** int8 is asymmetric, of the range widened to hold 0; int16 is symmetric. */
export function activationFormat(
  range: Range,
  type: IntegerType,
  { floor, ofZero }: ScaleLimits = { floor: 0, ofZero: 1 },
): NumberFormat {
  const { min: low, max: high } = widened(range);
  const least = Math.max(smallestScale, floor);
  if (high === low) return { type, scale: Math.max(least, ofZero), zeroPoint: type === 'int8' ? -128 : 0 };
  if (type === 'int16')
    return { type, scale: Math.max(least, Math.fround(Math.max(-low, high) / 32767)), zeroPoint: 0 };
  const scale = Math.max(floor, (high - low) / 255);
  const zeroPoint = roundHalfAway(-128 - low / scale);
  return { type, scale: Math.max(least, Math.fround(scale)), zeroPoint: Math.min(127, Math.max(-128, zeroPoint)) };
}

/** Symmetric int8 weights in [-127, 127]: the largest magnitude becomes 127. */
export function weightScale(largest: number): number {
  return largest === 0 ? 1 : Math.max(smallestScale, Math.fround(largest / 127));
}

/** The scale that the weights of these channels share, whatever their bias. */
export function symmetricScale(channels: readonly Channel[]): number {
  let largest = 0;
  for (const { weights } of channels) for (const weight of weights) largest = Math.max(largest, Math.abs(weight));
  return weightScale(largest);
}

/** The quotient is rounded to float32 first, as the converter computes it. */
export function quantizeWeight(value: number, scale: number): number {
  return Math.min(127, Math.max(-127, roundHalfAway(Math.fround(value / scale))));
}

const int32Max = 2 ** 31 - 1;

/** What one accumulator sums: the weights and bias of one output channel. */
export interface Channel {
  readonly weights: Float32Array;
  readonly bias: number;
}

export interface SharedScale {
  readonly scale: number;
  /** Set where the scale had to grow beyond what the weights alone need. */
  readonly grown: boolean;
}

/**
 * The scale that these channels share, grown where an accumulator would not fit 32 bits: the converter's rule keeps
 * the bias within half of int32; beyond it, |bias| + 255 * sum|w|, the most that any input can make of it, must stay
 * below 2^31.
 * @returns null where no finite scale helps
 */
export function sharedScale(channels: readonly Channel[], inputScale: number): SharedScale | null {
  const maxBias = channels.reduce((largest, { bias }) => Math.max(largest, Math.abs(bias)), 0);
  // The product with the input's scale, which is the bias's, must stay a normal number too.
  const own = Math.max(symmetricScale(channels), Math.fround(smallestScale / inputScale) * 1.001);
  let scale = Math.max(own, Math.fround(maxBias / (inputScale * (int32Max / 2))));
  for (let attempt = 0; attempt < 8 && Number.isFinite(scale); attempt++) {
    const accumulator = channels.reduce((max, channel) => Math.max(max, maxAccumulator(channel, scale, inputScale)), 0);
    if (accumulator < int32Max) return { scale, grown: scale > own };
    scale = Math.fround((scale * accumulator * 1.001) / int32Max);
  }
  return null;
}

function maxAccumulator({ weights, bias }: Channel, scale: number, inputScale: number): number {
  let sum = 0;
  for (const weight of weights) sum += Math.abs(quantizeWeight(weight, scale));
  return Math.abs(bias) / (inputScale * scale) + 255 * sum;
}
