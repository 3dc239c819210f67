// Metrics of a whole dataset. Fractions between 0 and 1, SNR in dB.

import { quantileOf } from '../base/quantile.js';

export interface Confusion {
  /** matrix[label][predicted] */
  readonly matrix: readonly (readonly number[])[];
  readonly classes: readonly string[] | null;
}

export function argMax(values: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < values.length; i++) if ((values[i] as number) > (values[best] as number)) best = i;
  return best;
}

/** Whether the label is among the k largest scores; equal scores rank by their index. */
export function inTopK(scores: ArrayLike<number>, label: number, k: number): boolean {
  const own = scores[label];
  if (own === undefined) return false;
  let above = 0;
  for (let i = 0; i < scores.length; i++) {
    const score = scores[i] as number;
    if (score > own || (score === own && i < label)) above += 1;
  }
  return above < k;
}

/** Area under the ROC curve: the chance that a positive (label not 0) scores above a negative, ties counting half. */
export function areaUnderRoc(scores: readonly number[], labels: readonly number[]): number {
  const order = scores.map((_, i) => i).sort((a, b) => (scores[a] as number) - (scores[b] as number));
  let rankSum = 0;
  let positives = 0;
  for (let i = 0; i < order.length; ) {
    let j = i;
    while (j < order.length && scores[order[j] as number] === scores[order[i] as number]) j += 1;
    const rank = (i + 1 + j) / 2;
    for (let k = i; k < j; k++) {
      if (labels[order[k] as number] === 0) continue;
      rankSum += rank;
      positives += 1;
    }
    i = j;
  }
  const negatives = order.length - positives;
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives);
}

export interface Distribution {
  readonly min: number;
  readonly median: number;
  readonly p95: number;
}

/** @returns zeros where there are no values */
export function distributionOf(values: readonly number[]): Distribution {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => (sorted.length === 0 ? 0 : quantileOf(sorted, share));
  return { min: at(0), median: at(0.5), p95: at(0.95) };
}
