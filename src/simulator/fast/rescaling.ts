// The ways in which the kernels bring int32 sums to int8 (src/kernels/assembly/requantize.ts), and where each is exact.
//
// The fixed-point arithmetic of a profile is a staircase over the sums: it is known by where its steps are, at most 255 of them between the
// limits of the output. A float32 multiply and add is one too; with a factor and an offset under which every step falls on the same
// sum it gives the same results for all sums, at a fraction of the price. Such a pair is searched for each channel, step by step.

import { int32Max, int32Min, type QuantizedMultiplier } from '../arithmetic/fixed-point.js';

/** What an output channel's sums are, and what is to become of them. */
export interface ChannelSums {
  /** The smallest and the largest sum that any input gives. */
  readonly lowest: number;
  readonly highest: number;
  /** The arithmetic of the profile, which never falls where the sum grows. */
  readonly requantize: (sum: number) => number;
  /** What it multiplies with. */
  readonly multiplier: QuantizedMultiplier;
  /** Whether it is multiplyDoubleRounding. */
  readonly roundsTwice: boolean;
}

/** Zero point and limits of the output. */
export interface OutputLimits {
  readonly zero: number;
  readonly low: number;
  readonly high: number;
}

/** round(factor * (sum - shifted) + offset); the offset is the second one for negative sums. */
export interface FloatRescaling {
  readonly factor: number;
  readonly offsets: readonly [number, number];
  /** For precision: results are small where sums are. */
  readonly shifted: number;
}

/** float32 adds whole numbers exactly below this, and rounds what it adds to them. */
const roundingBias = 1.5 * 2 ** 23;

/** Steps of the staircase: the first sum that gives `first + i`, for every i. */
interface Steps {
  readonly first: number;
  readonly sums: Int32Array;
}

/** @returns null where none is found, or sums leave 32 bits */
export function floatRescaling(channel: ChannelSums, limits: OutputLimits): FloatRescaling | null {
  const { lowest, highest, multiplier } = channel;
  const left = Math.max(0, multiplier.shift);
  if (lowest * 2 ** left < int32Min || highest * 2 ** left > int32Max) return null;
  const constant = constantResult(channel, limits);
  if (constant !== null) return { factor: 0, offsets: [constant, constant], shifted: 0 };
  const factor = multiplier.multiplier * 2 ** (multiplier.shift - 31);
  if (Math.max(-lowest, highest) * factor > 2 ** 21) return null;
  const steps = stepsOf(channel, limits, factor);
  const shifted = Math.max(lowest, Math.min(highest, Math.round(-limits.zero / factor)));
  const fits = lowest - shifted >= int32Min && highest - shifted <= int32Max;
  return (fits ? withOneOffset(factor, shifted, steps) : null) ?? withTwoOffsets(factor, steps);
}

/** What every input gives, or null: dead channels have tiny scales. */
export function constantResult({ lowest, highest, requantize }: ChannelSums, { zero, low, high }: OutputLimits): number | null {
  const first = Math.max(low, Math.min(high, requantize(lowest) + zero));
  const last = Math.max(low, Math.min(high, requantize(highest) + zero));
  return first === last ? first : null;
}

function stepsOf({ lowest, highest, requantize }: ChannelSums, { zero, low, high }: OutputLimits, factor: number): Steps {
  const resultOf = (sum: number): number => requantize(sum) + zero;
  const first = Math.max(low, resultOf(lowest)) + 1;
  const last = Math.min(high, resultOf(highest));
  const sums = new Int32Array(last - first + 1);
  for (let i = 0; i < sums.length; i++) {
    let sum = Math.max(lowest + 1, Math.min(highest, Math.ceil((first + i - zero - 0.5) / factor)));
    if (resultOf(sum) < first + i) {
      do sum++;
      while (resultOf(sum) < first + i);
    } else while (resultOf(sum - 1) >= first + i) sum--;
    sums[i] = sum;
  }
  return { first, sums };
}

/** Steps in the last place of the factor to try: nearest first, as the scale is what the model says. */
const factorSteps = Array.from({ length: 33 }, (_, i) => (i % 2 === 0 ? -i : i + 1) / 2);
/** Where to try within the interval of offsets that would do if float32 did not round. */
const fractions = [0.5, 0.3, 0.7, 0.1, 0.9, 0.4, 0.6, 0.2, 0.8];

function* factorsNear(real: number): Generator<number> {
  const bits = new Int32Array(Float32Array.of(real).buffer)[0] as number;
  for (const step of factorSteps) yield new Float32Array(Int32Array.of(bits + step).buffer)[0] as number;
}

function withOneOffset(real: number, shifted: number, steps: Steps): FloatRescaling | null {
  const { length } = steps.sums;
  for (const factor of factorsNear(real)) {
    const offset = offsetFor(factor, shifted, steps, 0, length, 0, length);
    if (offset !== null) return { factor, offsets: [offset, offset], shifted };
  }
  return null;
}

function withTwoOffsets(real: number, steps: Steps): FloatRescaling | null {
  const { sums } = steps;
  const atLeastZero = sums.findIndex((sum) => sum >= 0);
  const aboveZero = sums.findIndex((sum) => sum > 0);
  const [negative, notPositive] = [atLeastZero, aboveZero].map((found) => (found < 0 ? sums.length : found)) as [number, number];
  for (const factor of factorsNear(real)) {
    const first = offsetFor(factor, 0, steps, negative, sums.length, notPositive, sums.length);
    const second = first === null ? null : offsetFor(factor, 0, steps, 0, negative, 0, notPositive);
    // From the last negative sum to the first that is not, the staircase goes up, too.
    if (first !== null && second !== null && float32Result(-1, factor, second) <= float32Result(0, factor, first)) {
      return { factor, offsets: [first, second], shifted: 0 };
    }
  }
  return null;
}

/**
 * An offset under which the sums of steps `from` to `to` give their results, and those before the steps `fromBelow` to `toBelow` one
 * less; or null.
 */
function offsetFor(factor: number, shifted: number, { first, sums }: Steps, from: number, to: number, fromBelow: number, toBelow: number): number | null {
  let [low, high] = [-Infinity, Infinity];
  for (let i = from; i < to; i++) low = Math.max(low, first + i - 0.5 - factor * ((sums[i] as number) - shifted));
  for (let i = fromBelow; i < toBelow; i++) high = Math.min(high, first + i - 0.5 - factor * ((sums[i] as number) - 1 - shifted));
  if (low >= high) return null;
  if (low === -Infinity) low = high === Infinity ? 0 : high - 0.5;
  if (high === Infinity) high = low + 0.5;
  for (const fraction of fractions) {
    const offset = Math.fround(low + (high - low) * fraction);
    let holds = true;
    for (let i = from; holds && i < to; i++) holds = float32Result((sums[i] as number) - shifted, factor, offset) >= first + i;
    for (let i = fromBelow; holds && i < toBelow; i++) holds = float32Result((sums[i] as number) - 1 - shifted, factor, offset) < first + i;
    if (holds) return offset;
  }
  return null;
}

/** What the kernel computes. */
function float32Result(sum: number, factor: number, offset: number): number {
  return Math.fround(Math.fround(Math.fround(Math.fround(sum) * factor) + offset) + roundingBias) - roundingBias;
}

/**
 * Whether the kernels' fixed-point way is exact for every int8 result: it rounds twice, and twice the rounded sum must stay whole in float32.
 * With 14 bits of fraction and 8 before the point it does; or else all sums are small enough. Larger results saturate.
 */
export function isExactInFixedPoint(channel: ChannelSums, limits: OutputLimits): boolean {
  const { lowest, highest, roundsTwice } = channel;
  const { multiplier, shift } = channel.multiplier;
  if (!roundsTwice || lowest < int32Min || highest > int32Max) return false;
  if (shift <= 0 && constantResult(channel, limits) !== null) return true;
  const largest = (Math.max(-lowest, highest) * multiplier) / 2 ** 31;
  return shift <= -1 && largest < 2 ** 30 && (shift >= -14 || largest < 2 ** 23 - 1) && largest * 2 ** shift < 2 ** 22 - 512;
}

/** Bytes of the constants of 8 channels. */
export const constantsBytes = 112;

const ways = { oneOffset: 0, twoOffsets: 1, fixedPoint: 2 } as const;
const wayAt = 96;

export function writeFloatConstants(constants: DataView, channels: readonly FloatRescaling[]): void {
  const oneOffset = channels.every(({ offsets: [first, second] }) => first === second);
  constants.setInt32(wayAt, oneOffset ? ways.oneOffset : ways.twoOffsets, true);
  for (const [c, { factor, offsets }] of channels.entries()) {
    const [first, second] = new Int32Array(Float32Array.from(offsets).buffer) as unknown as [number, number];
    constants.setFloat32(4 * c, factor, true);
    constants.setInt32(32 + 4 * c, first, true);
    constants.setInt32(64 + 4 * c, first ^ second, true);
  }
}

/** A channel that always gives the same is nothing but an addend. */
export function writeFixedPointConstants(constants: DataView, channels: readonly ChannelSums[], limits: OutputLimits): void {
  constants.setInt32(wayAt, ways.fixedPoint, true);
  for (const [c, channel] of channels.entries()) {
    const constant = constantResult(channel, limits);
    constants.setInt32(4 * c, constant === null ? channel.multiplier.multiplier : 0, true);
    constants.setFloat32(32 + 4 * c, constant === null ? 2 ** (channel.multiplier.shift - 1) : 0, true);
    constants.setFloat32(64 + 4 * c, roundingBias + (constant ?? limits.zero), true);
  }
}
