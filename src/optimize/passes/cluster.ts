// Weight sharing: the weights of each layer become one of N values, found by k-means (S. Han et al., Deep Compression,
// ICLR 2016). One-dimensional and initialized with quantiles, so it is deterministic.

import { elementAt } from '../../base/checked.js';
import { compact, copyModel, type Model } from '../../formats/tflite/index.js';
import { minWeights } from './prune.js';
import { storeWeights, weightMatrices } from './weight-matrix.js';

export interface ClusterOptions {
  /** Number of values per layer. */
  readonly clusters: number;
  /** Whether weights of exactly 0 stay 0, as one of the values. */
  readonly keepZeros?: boolean;
}

const maxRounds = 50;

export function cluster(model: Model, { clusters, keepZeros = false }: ClusterOptions): Model {
  const copy = copyModel(model);
  for (const matrix of weightMatrices(copy)) {
    if (matrix.values.length >= minWeights) storeWeights(copy, matrix, shared(matrix.values, clusters, keepZeros));
  }
  compact(copy);
  return copy;
}

function shared(values: Float32Array, clusters: number, keepZeros: boolean): Float32Array {
  const free = keepZeros ? values.filter((value) => value !== 0) : values.slice();
  const count = keepZeros && free.length < values.length ? clusters - 1 : clusters;
  if (free.length === 0 || count < 1) return values.slice();
  const centers = centersOf(free.toSorted(), Math.min(count, free.length));
  return values.map((value) => (keepZeros && value === 0 ? 0 : nearest(centers, value)));
}

/** @param sorted in ascending order */
function centersOf(sorted: Float32Array, count: number): Float64Array {
  const sums = new Float64Array(sorted.length + 1);
  for (let i = 0; i < sorted.length; i++) sums[i + 1] = elementAt(sums, i) + elementAt(sorted, i);
  let centers = Float64Array.from({ length: count }, (_, k) =>
    elementAt(sorted, Math.floor(((k + 0.5) * sorted.length) / count)),
  );
  for (let round = 0; round < maxRounds; round++) {
    // A center's values lie between the midpoints to its neighbours.
    const ends = Array.from(centers, (center, k) =>
      k + 1 < count ? lowerBound(sorted, (center + elementAt(centers, k + 1)) / 2) : sorted.length,
    );
    const moved = centers.map((center, k) => {
      const [from, to] = [k === 0 ? 0 : elementAt(ends, k - 1), elementAt(ends, k)];
      return to > from ? (elementAt(sums, to) - elementAt(sums, from)) / (to - from) : center;
    });
    const still = moved.every((center, k) => center === centers[k]);
    centers = moved;
    if (still) break;
  }
  return centers;
}

/** Number of values below. */
function lowerBound(sorted: ArrayLike<number>, value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (elementAt(sorted, middle) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function nearest(centers: Float64Array, value: number): number {
  const above = Math.min(centers.length - 1, lowerBound(centers, value));
  const [low, high] = [elementAt(centers, Math.max(0, above - 1)), elementAt(centers, above)];
  return Math.abs(value - low) <= Math.abs(high - value) ? low : high;
}
