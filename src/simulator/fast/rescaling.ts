// The methods by which the kernels convert int32 sums to int8 (src/simulator/kernels/assembly/requantize.ts), and when
// each is exact.
//
// A profile's fixed-point arithmetic is a step function of the sum, determined by the positions of its steps, at most
// 255 within the output's limits. A float32 multiply-add is a step function too. If every step is at the same sum for
// some factor and offset, both give the same result for all sums, and float32 is much faster. Such a pair is searched
// for each channel, step by step.

import { int32Max, int32Min, type QuantizedMultiplier } from '../arithmetic/fixed-point.js';

/** The sums of an output channel, and how they are rescaled. */
export interface ChannelSums {
  /** The smallest and the largest sum that any input can give. */
  readonly lowest: number;
  readonly highest: number;
  /** The profile's arithmetic, which is monotonic. */
  readonly requantize: (sum: number) => number;
  /** Its multiplier. */
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

/** round(factor * (sum - shifted) + offset), with the second offset for negative sums. */
export interface FloatRescaling {
  readonly factor: number;
  readonly offsets: readonly [number, number];
  /** Subtracted for precision: small results come from small sums. */
  readonly shifted: number;
}

/** Below this, float32 adds whole numbers exactly and rounds sums to whole numbers. */
const roundingBias = 1.5 * 2 ** 23;

/** The steps: for every i, the first sum whose result is `first + i`. */
interface Steps {
  readonly first: number;
  readonly sums: Int32Array;
}

/** @returns null if none is found, or if sums exceed 32 bits */
export function floatRescaling(channel: ChannelSums, limits: OutputLimits): FloatRescaling | null {
  const { lowest, highest, multiplier } = channel;
  const left = Math.max(0, multiplier.shift);
  if (lowest * 2 ** left < int32Min || highest * 2 ** left > int32Max) return null;
  const constant = constantResult(channel, limits);
  if (constant !== null) return { factor: 0, offsets: [constant, constant], shifted: 0 };
  const factor = realOf(multiplier);
  if (Math.max(-lowest, highest) * factor > 2 ** 21) return null;
  const steps = stepsOf(channel, limits);
  const shifted = Math.max(lowest, Math.min(highest, Math.round(-limits.zero / factor)));
  const fits = lowest - shifted >= int32Min && highest - shifted <= int32Max;
  const agrees = (rescaling: FloatRescaling): boolean => agreesBetweenSteps(rescaling, channel, limits);
  return (fits ? withOneOffset(factor, shifted, steps, agrees) : null) ?? withTwoOffsets(factor, steps, agrees);
}

function realOf({ multiplier, shift }: QuantizedMultiplier): number {
  return multiplier * 2 ** (shift - 31);
}

/** The result of every input, or null. Dead channels have tiny scales. */
export function constantResult(
  { lowest, highest, requantize }: ChannelSums,
  { zero, low, high }: OutputLimits,
): number | null {
  const first = Math.max(low, Math.min(high, requantize(lowest) + zero));
  const last = Math.max(low, Math.min(high, requantize(highest) + zero));
  return first === last ? first : null;
}

export function stepsOf(channel: ChannelSums, { zero, low, high }: OutputLimits): Steps {
  const { lowest, highest, requantize, roundsTwice, multiplier } = channel;
  const first = Math.max(low, requantize(lowest) + zero) + 1;
  const last = Math.min(high, requantize(highest) + zero);
  const sums = new Int32Array(last - first + 1);
  const firstSum =
    roundsTwice && multiplier.shift <= 0 && multiplier.shift >= lowestExactShift
      ? firstSums(multiplier)
      : searchedSums(channel);
  for (let i = 0; i < sums.length; i++) sums[i] = firstSum(first + i - zero);
  return { first, sums };
}

/** 2^8 results, 2^13 parts of each, 31 bits of multiplier. */
const lowestExactShift = -13;

/**
 * The first sum whose result, after two roundings, is at least a given one. The second rounding (ties away from zero)
 * needs a minimum product, and the first (ties upwards) a minimum sum. Products stay below 2^53 for the right shifts
 * that occur.
 */
function firstSums({ multiplier, shift }: QuantizedMultiplier): (result: number) => number {
  const unit = 2 ** -shift;
  const [half, below] = shift === 0 ? [0, 0] : [unit / 2, 1];
  return (result) => {
    const rounded = result * unit - half;
    const product = (rounded < 0 ? rounded + below : rounded) * 0x80000000 - 0x40000000;
    const sum = Math.ceil(product / multiplier);
    return (sum - 1) * multiplier >= product ? sum - 1 : sum * multiplier < product ? sum + 1 : sum;
  };
}

function searchedSums({ lowest, highest, requantize, multiplier }: ChannelSums): (result: number) => number {
  const factor = realOf(multiplier);
  return (result) => {
    let sum = Math.max(lowest + 1, Math.min(highest, Math.ceil((result - 0.5) / factor)));
    if (requantize(sum) < result) {
      do sum++;
      while (requantize(sum) < result);
    } else while (requantize(sum - 1) >= result) sum--;
    return sum;
  };
}

/** Offsets in units in the last place of the factor to try, nearest first, since the model gives the scale. */
const factorSteps = Array.from({ length: 33 }, (_, i) => (i % 2 === 0 ? -i : i + 1) / 2);
/** Positions to try within the interval of offsets that would work without float32 rounding. */
const fractions = [0.5, 0.3, 0.7, 0.1, 0.9, 0.4, 0.6, 0.2, 0.8];

const bitsOf = new Int32Array(1);
const floatOf = new Float32Array(bitsOf.buffer);

/** The float32 a number of units in the last place away. */
function beside(real: number, step: number): number {
  floatOf[0] = real;
  bitsOf[0] = (bitsOf[0] as number) + step;
  return floatOf[0] as number;
}

type Agrees = (rescaling: FloatRescaling) => boolean;

function withOneOffset(real: number, shifted: number, steps: Steps, agrees: Agrees): FloatRescaling | null {
  const { length } = steps.sums;
  for (const step of factorSteps) {
    const factor = beside(real, step);
    const offset = offsetFor(factor, shifted, steps, 0, length, 0, length);
    const found: FloatRescaling | null = offset === null ? null : { factor, offsets: [offset, offset], shifted };
    if (found !== null && agrees(found)) return found;
  }
  return null;
}

function withTwoOffsets(real: number, steps: Steps, agrees: Agrees): FloatRescaling | null {
  const { sums } = steps;
  const atLeastZero = sums.findIndex((sum) => sum >= 0);
  const aboveZero = sums.findIndex((sum) => sum > 0);
  const [negative, notPositive] = [atLeastZero, aboveZero].map((found) => (found < 0 ? sums.length : found)) as [
    number,
    number,
  ];
  for (const step of factorSteps) {
    const factor = beside(real, step);
    const first = offsetFor(factor, 0, steps, negative, sums.length, notPositive, sums.length);
    const second = first === null ? null : offsetFor(factor, 0, steps, 0, negative, 0, notPositive);
    const found: FloatRescaling | null =
      first === null || second === null ? null : { factor, offsets: [first, second], shifted: 0 };
    if (found !== null && agrees(found)) return found;
  }
  return null;
}

/**
 * An offset for which the sums of steps `from` to `to` give their results, and the sums before steps `fromBelow` to
 * `toBelow` give one less; or null.
 */
function offsetFor(
  factor: number,
  shifted: number,
  { first, sums }: Steps,
  from: number,
  to: number,
  fromBelow: number,
  toBelow: number,
): number | null {
  let [low, high] = [-Infinity, Infinity];
  for (let i = from; i < to; i++) low = Math.max(low, first + i - 0.5 - factor * ((sums[i] as number) - shifted));
  for (let i = fromBelow; i < toBelow; i++)
    high = Math.min(high, first + i - 0.5 - factor * ((sums[i] as number) - 1 - shifted));
  if (low >= high) return null;
  if (low === -Infinity) low = high === Infinity ? 0 : high - 0.5;
  if (high === Infinity) high = low + 0.5;
  for (const fraction of fractions) {
    const offset = Math.fround(low + (high - low) * fraction);
    let holds = true;
    for (let i = from; holds && i < to; i++)
      holds = float32Result((sums[i] as number) - shifted, factor, offset) >= first + i;
    for (let i = fromBelow; holds && i < toBelow; i++)
      holds = float32Result((sums[i] as number) - 1 - shifted, factor, offset) < first + i;
    if (holds) return offset;
  }
  return null;
}

/**
 * Before the first step and after the last one both functions must be constant too, and up to where the sums change
 * sign.
 */
function agreesBetweenSteps(
  { factor, offsets, shifted }: FloatRescaling,
  channel: ChannelSums,
  { zero, low, high }: OutputLimits,
): boolean {
  const { lowest, highest, requantize } = channel;
  return [lowest, highest, -1, 0].every((sum) => {
    if (sum < lowest || sum > highest) return true;
    const given = float32Result(sum - shifted, factor, offsets[sum - shifted < 0 ? 1 : 0]);
    return Math.max(low, Math.min(high, given)) === Math.max(low, Math.min(high, requantize(sum) + zero));
  });
}

/** The kernel's computation. */
function float32Result(sum: number, factor: number, offset: number): number {
  return Math.fround(Math.fround(Math.fround(Math.fround(sum) * factor) + offset) + roundingBias) - roundingBias;
}

/**
 * Whether the kernels' fixed-point method is exact for every int8 result. It rounds twice, and twice the rounded sum
 * must be exact in float32: with 14 fraction bits and 8 integer bits it is, or if all sums are small enough. Larger
 * results saturate.
 */
export function isExactInFixedPoint(channel: ChannelSums, limits: OutputLimits): boolean {
  const { lowest, highest, roundsTwice } = channel;
  const { multiplier, shift } = channel.multiplier;
  if (!roundsTwice || lowest < int32Min || highest > int32Max) return false;
  if (shift <= 0 && constantResult(channel, limits) !== null) return true;
  const largest = (Math.max(-lowest, highest) * multiplier) / 2 ** 31;
  return (
    shift <= -1 && largest < 2 ** 30 && (shift >= -14 || largest < 2 ** 23 - 1) && largest * 2 ** shift < 2 ** 22 - 512
  );
}

/** Bytes of the constants for 8 channels. */
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

/** A channel with a constant result only needs an offset. */
export function writeFixedPointConstants(
  constants: DataView,
  channels: readonly ChannelSums[],
  limits: OutputLimits,
): void {
  constants.setInt32(wayAt, ways.fixedPoint, true);
  for (const [c, channel] of channels.entries()) {
    const constant = constantResult(channel, limits);
    constants.setInt32(4 * c, constant === null ? channel.multiplier.multiplier : 0, true);
    constants.setFloat32(32 + 4 * c, constant === null ? 2 ** (channel.multiplier.shift - 1) : 0, true);
    constants.setFloat32(64 + 4 * c, roundingBias + (constant ?? limits.zero), true);
  }
}
