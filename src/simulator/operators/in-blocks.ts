// Integer ADD and MUL as TensorFlow's optimized kernels compute them on x86-64 (optimized_ops.h, integer_ops/add.h and
// mul.h, by NEON_2_SSE): in whole blocks of a run of elements. ADD converts to the common scale without the second
// rounding; results of both pass through int16. The rest of a run is computed as in the reference kernels.

import {
  multiplyDoubleRounding,
  type QuantizedMultiplier,
  roundingDivideByPot,
  saturatingRoundingDoublingHighMul,
} from '../arithmetic/fixed-point.js';
import type { Operand } from './operator.js';

/** Parameters of an integer ADD or SUB. */
export interface IntegerAdd {
  readonly zeros: { readonly a: number; readonly b: number; readonly output: number };
  readonly first: QuantizedMultiplier;
  readonly second: QuantizedMultiplier;
  readonly result: QuantizedMultiplier;
  readonly low: number;
  readonly high: number;
  readonly extraBits: number;
}

/** Parameters of an integer MUL. */
export interface IntegerMul {
  readonly zeros: { readonly a: number; readonly b: number; readonly output: number };
  readonly result: QuantizedMultiplier;
  readonly low: number;
  readonly high: number;
}

/** Kind of a run: element by element, or all elements with one. */
interface Runs {
  readonly length: number;
  readonly toOne: boolean;
}

/**
 * The runs of the innermost loop over two shapes (ProcessBroadcastShapes, BinaryBroadcastFiveFold); null if none is
 * computed in blocks.
 */
function runsOf(a: readonly number[], b: readonly number[]): Runs | null {
  const rank = Math.max(a.length, b.length);
  const sizes = (shape: readonly number[]): number[] => [...new Array<number>(rank - shape.length).fill(1), ...shape];
  let [first, second] = [sizes(a), sizes(b)];
  const differs = first.findLastIndex((size, d) => size !== second[d]);
  if (differs < 0) return { length: product(first), toOne: false };
  if (first[differs] !== 1) [first, second] = [second, first];
  if (first[differs] !== 1) return null;
  // The fast path covers dimensions from the last: shared, second operand only, shared, first operand only, shared.
  let d = rank - 1;
  const take = (fits: (x: number, y: number) => boolean): number => {
    let size = 1;
    for (; d >= 0 && fits(first[d] as number, second[d] as number); d--)
      size *= Math.max(first[d] as number, second[d] as number);
    return size;
  };
  const same = (x: number, y: number): boolean => x === y;
  const shared = take(same);
  const ofSecond = take((x) => x === 1);
  take(same);
  take((_, y) => y === 1);
  take(same);
  if (d >= 0) return null;
  return shared > 1 ? { length: shared, toOne: false } : { length: ofSecond, toOne: true };
}

const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);

/** The result of two elements in a block, and the output elements that are in blocks. */
export interface Blocks {
  readonly has: (index: number) => boolean;
  readonly combine: (x: number, y: number) => number;
}

/** @returns null if all elements are added as in the reference kernels */
export function addBlocks(
  a: Operand,
  b: Operand,
  { zeros, first, second, result, low, high, extraBits }: IntegerAdd,
): Blocks | null {
  const runs = runsOf(a.shape, b.shape);
  const broadcasts = a.count !== b.count;
  if (runs === null || (a.type === 'int16' && broadcasts)) return null;
  const block = a.type === 'uint8' || runs.toOne ? 8 : 16;
  const inBlocks = runs.length - (runs.length % block);
  const shiftsFirst = a.type === 'int16' || (a.type === 'int8' && !runs.toOne);
  const bring = (value: number, { multiplier, shift }: QuantizedMultiplier): number => {
    if (shiftsFirst) return saturatingRoundingDoublingHighMul(shifted(value, extraBits + shift), multiplier);
    return shifted(saturatingRoundingDoublingHighMul(shifted(value, extraBits), multiplier), shift);
  };
  const narrow = a.type === 'int16' ? (value: number): number => value : wrap16;
  return {
    has: (index) => index % runs.length < inBlocks,
    combine: (x, y) => {
      const sum = (bring(x - zeros.a, first) + bring(y - zeros.b, second)) | 0;
      const scaled = roundingDivideByPot(saturatingRoundingDoublingHighMul(sum, result.multiplier), -result.shift);
      return Math.min(high, Math.max(low, narrow(narrow(scaled) + zeros.output)));
    },
  };
}

/** @returns null if all elements are multiplied as in the reference kernels, or the results are the same */
export function mulBlocks(a: Operand, b: Operand, { zeros, result, low, high }: IntegerMul): Blocks | null {
  const runs = runsOf(a.shape, b.shape);
  const largest = 255 * 255 * result.multiplier * 2 ** (result.shift - 31);
  if (runs === null || a.type === 'int16' || largest + 256 < 32767) return null;
  const block = a.type === 'uint8' ? 8 : 16;
  const inBlocks = runs.length - (runs.length % block);
  const narrow = a.type === 'uint8' && runs.toOne ? wrap16 : saturate16;
  return {
    has: (index) => index % runs.length < inBlocks,
    combine: (x, y) => {
      const scaled = multiplyDoubleRounding((x - zeros.a) * (y - zeros.b), result.multiplier, result.shift);
      return Math.min(high, Math.max(low, wrap16(narrow(scaled) + zeros.output)));
    },
  };
}

const wrap16 = (value: number): number => (value << 16) >> 16;
const saturate16 = (value: number): number => Math.min(32767, Math.max(-32768, value));

/** Exact, however it rounds. */
function shifted(value: number, by: number): number {
  return by >= 0 ? value << by : value >> Math.min(31, -by);
}
