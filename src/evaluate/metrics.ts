// Metrics over a whole dataset: fractions between 0 and 1, and SNR in dB.

import { elementAt } from '../base/checked.js';
import { quantileOf } from '../base/quantile.js';

/** How often each class was predicted for each label. */
export interface Confusion {
  /** matrix[label][predicted] */
  readonly matrix: readonly (readonly number[])[];
  /** Names of the classes; null if the dataset has none. */
  readonly classes: readonly string[] | null;
}

export function argMax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if (elementAt(values, i) > elementAt(values, best)) best = i;
  return best;
}

/** Whether the label is among the k largest scores; equal scores are ranked by index. */
export function inTopK(scores: ArrayLike<number>, label: number, k: number): boolean {
  const own = scores[label];
  if (own === undefined) return false;
  let above = 0;
  for (let i = 0; i < scores.length; i++) {
    const score = elementAt(scores, i);
    if (score > own || (score === own && i < label)) above += 1;
  }
  return above < k;
}

/**
 * Area under the ROC curve: the probability that a positive sample (label not 0) scores above a negative one; ties
 * count half.
 */
export function areaUnderRoc(scores: readonly number[], labels: readonly number[]): number {
  const order = scores.map((_, i) => i).sort((a, b) => elementAt(scores, a) - elementAt(scores, b));
  let rankSum = 0;
  let positives = 0;
  for (let i = 0; i < order.length; ) {
    let j = i;
    while (j < order.length && scores[elementAt(order, j)] === scores[elementAt(order, i)]) j += 1;
    const rank = (i + 1 + j) / 2;
    for (let k = i; k < j; k++) {
      if (labels[elementAt(order, k)] === 0) continue;
      rankSum += rank;
      positives += 1;
    }
    i = j;
  }
  const negatives = order.length - positives;
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives);
}

/** Minimum, median and 95th percentile. */
export interface Distribution {
  readonly min: number;
  readonly median: number;
  readonly p95: number;
}

/** @returns zeros if there are no values */
export function distributionOf(values: readonly number[]): Distribution {
  const sorted = [...values].sort((a, b) => a - b);
  const quantile = (share: number): number => (sorted.length === 0 ? 0 : quantileOf(sorted, share));
  return { min: quantile(0), median: quantile(0.5), p95: quantile(0.95) };
}
