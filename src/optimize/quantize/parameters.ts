// Scales and zero points from ranges, as TFLite's converter computes them: real = (q - zeroPoint) * scale.

import { roundHalfAway } from '../../simulator/index.js';
import type { IntegerType, NumberFormat } from './number-format.js';

/** The smallest and the largest real value of a tensor. */
export interface Range {
  /** Real value. */
  readonly min: number;
  /** Real value. */
  readonly max: number;
}

/** Includes 0, so that 0 is exact: padding and RELU need it. */
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

/** The smallest normal float32: a scale must be finite and positive. */
const smallestScale = 2 ** -126;

/** Further constraints on a scale. */
export interface ScaleLimits {
  /** The minimum that kernels support. */
  readonly floor: number;
  /** For a range of zeros only, for which any scale works. */
  readonly ofZero: number;
}

/** int8 is asymmetric, with the range extended to include 0; int16 is symmetric. */
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

/** The common scale of the weights of these channels, ignoring biases. */
export function symmetricScale(channels: readonly Channel[]): number {
  let largest = 0;
  for (const { weights } of channels) for (const weight of weights) largest = Math.max(largest, Math.abs(weight));
  return weightScale(largest);
}

/** The quotient is first rounded to float32, as in the converter. */
export function quantizeWeight(value: number, scale: number): number {
  return Math.min(127, Math.max(-127, roundHalfAway(Math.fround(value / scale))));
}

const int32Max = 2 ** 31 - 1;

/** The terms of one accumulator: weights and bias of one output channel. */
export interface Channel {
  readonly weights: Float32Array;
  readonly bias: number;
}

export interface SharedScale {
  readonly scale: number;
  /** Whether the scale had to be larger than the weights alone need. */
  readonly grown: boolean;
}

/**
 * The common scale of these channels, enlarged if an accumulator would overflow 32 bits. The converter's rule limits
 * the bias to half of int32; in addition |bias| + 255 * sum|w|, the largest possible sum, must stay below 2^31.
 * @returns null if no finite scale suffices
 */
export function sharedScale(channels: readonly Channel[], inputScale: number): SharedScale | null {
  const maxBias = channels.reduce((largest, { bias }) => Math.max(largest, Math.abs(bias)), 0);
  // The bias scale, its product with the input scale, must be a normal number too.
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
