// The smallest and largest value of a float tensor while a model runs, which calibration needs for every tensor.

import type { Kernels } from './kernels/index.js';
import type { Operand } from './operators/operator.js';

/** The smallest and the largest value, and whether all are finite. */
export interface Extremes {
  /** Infinity if there are no values. */
  readonly min: number;
  readonly max: number;
  /** False if a value is NaN or infinite, or if values are so large that their sum is infinite. */
  readonly finite: boolean;
}

export function extremesOf(values: Float32Array): Extremes {
  let min = Infinity;
  let max = -Infinity;
  let sum = 0;
  for (const value of values) {
    min = Math.min(min, value);
    max = Math.max(max, value);
    sum += value;
  }
  return { min, max, finite: Number.isFinite(sum) };
}

/** The same for a tensor in linear memory. */
export function fastExtremesOf(kernels: Kernels, { address, count, data }: Operand): Extremes {
  if (address === null || count === 0) return extremesOf(data as Float32Array);
  kernels.scanFloats(address, count);
  return { min: kernels.smallestFloat(), max: kernels.largestFloat(), finite: Number.isFinite(kernels.sumOfFloats()) };
}
