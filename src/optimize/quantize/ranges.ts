// Chooses the range of every tensor from its calibration statistics.

import { defined, elementAt } from '../../base/checked.js';
import type { HistogramData } from './histogram.js';
import { type Range, widened } from './parameters.js';
import type { TensorStatistics } from './tensor-statistics.js';

export const rangeMethods = ['min-max', 'moving-average', 'percentile', 'mse', 'entropy', 'headroom'] as const;
/** How a tensor's range is derived from its values. */
export type RangeMethod = (typeof rangeMethods)[number];

/** Whether a method needs more than the smallest and largest values. */
export function needsHistogram(method: RangeMethod): boolean {
  return method !== 'min-max' && method !== 'moving-average' && method !== 'headroom';
}

/** @param levels number of steps in the range: 255 for int8 */
export function chooseRange(statistics: TensorStatistics, method: RangeMethod, levels = 255): Range {
  const { min, max, movingMin, movingMax, foldMin, foldMax, histogram } = statistics;
  const whole = { min, max };
  if (method === 'moving-average') return { min: movingMin, max: movingMax };
  // How far further samples may exceed these, judging by how these exceed each other.
  if (method === 'headroom') return { min: 2 * min - foldMin, max: 2 * max - foldMax };
  if (method === 'min-max' || histogram === null || histogram.width === 0) return whole;
  const distribution = new Distribution(histogram);
  switch (method) {
    case 'percentile':
      return distribution.percentile(whole, 0.9999);
    case 'mse':
      return distribution.minError(whole, levels);
    case 'entropy':
      return distribution.minDivergence(whole, levels);
  }
}

/** Without values that make no difference to the int8 probabilities computed from them. */
export function relevantRange(statistics: TensorStatistics, method: RangeMethod): Range {
  const { relevant } = statistics;
  const range = chooseRange(statistics, method);
  const [min, max] = [Math.max(range.min, relevant?.min ?? range.min), Math.min(range.max, relevant?.max ?? range.max)];
  return min < max ? { min, max } : range;
}

/** Step by which a search moves the ends of a range inwards. */
const steps = 100;

class Distribution {
  private readonly first: number;
  private readonly width: number;
  private readonly counts: readonly number[];
  private readonly zeros: number;
  /** Cumulative counts below a bin, and sums of values and squares. */
  private readonly sums: { readonly count: Float64Array; readonly value: Float64Array; readonly square: Float64Array };

  constructor({ width, zeros, first, counts }: HistogramData) {
    this.first = first;
    this.width = width;
    this.counts = counts;
    this.zeros = zeros;
    const [count, value, square] = [
      new Float64Array(counts.length + 1),
      new Float64Array(counts.length + 1),
      new Float64Array(counts.length + 1),
    ];
    counts.forEach((times, i) => {
      const center = this.centerOf(i);
      count[i + 1] = elementAt(count, i) + times;
      value[i + 1] = elementAt(value, i) + times * center;
      square[i + 1] = elementAt(square, i) + times * center * center;
    });
    this.sums = { count, value, square };
  }

  /** Cuts off the values beyond a share, half of them at either end. */
  percentile(whole: Range, share: number): Range {
    const total = defined(this.sums.count.at(-1)) + this.zeros;
    const outside = (total * (1 - share)) / 2;
    const below = this.counts.findIndex((_, i) => elementAt(this.sums.count, i + 1) > outside);
    let above = this.counts.length - 1;
    while (above > 0 && defined(this.sums.count.at(-1)) - elementAt(this.sums.count, above) <= outside) above -= 1;
    return {
      min: Math.max(whole.min, (below + this.first) * this.width),
      max: Math.min(whole.max, (above + 1 + this.first) * this.width),
    };
  }

  /** The range with the least squared error of rounding and clamping together. */
  minError(whole: Range, levels: number): Range {
    return this.search(whole, (range) => this.squaredError(range, levels));
  }

  /**
   * The range under which the distribution of quantized values is closest to the original: least Kullback-Leibler
   * divergence (S. Migacz, 8-bit inference with TensorRT, GTC 2017).
   */
  minDivergence(whole: Range, levels: number): Range {
    let best = { range: whole, divergence: this.divergence(whole, levels) };
    for (let step = 1; step < steps; step++) {
      const share = 1 - step / steps;
      const range = { min: whole.min * share, max: whole.max * share };
      const divergence = this.divergence(range, levels);
      if (divergence < best.divergence) best = { range, divergence };
    }
    return best.range;
  }

  /** Moves one end inwards, then the other, while the cost decreases. */
  private search(whole: Range, cost: (range: Range) => number): Range {
    let best = widened(whole);
    let least = cost(best);
    for (let round = 0; round < 4; round++) {
      const before = least;
      for (let step = 0; step < steps; step++) {
        const share = 1 - step / steps;
        for (const range of [
          { min: best.min, max: whole.max * share },
          { min: whole.min * share, max: best.max },
        ]) {
          const candidate = widened(range);
          const found = cost(candidate);
          if (found < least) [best, least] = [candidate, found];
        }
      }
      if (least === before) break;
    }
    return best;
  }

  /**
   * 0 is exact in every range; values inside have a mean squared error of step^2 / 12, values outside that of their
   * distance.
   */
  private squaredError({ min, max }: Range, levels: number): number {
    const step = (max - min) / levels;
    if (step === 0) return Infinity;
    const [low, high] = [this.binOf(min), this.binOf(max)];
    const { count, value, square } = this.sums;
    const end = count.length - 1;
    const outside = (from: number, to: number, limit: number): number => {
      const [n, sum, squares] = [count, value, square].map((sums) => elementAt(sums, to) - elementAt(sums, from)) as [
        number,
        number,
        number,
      ];
      return squares - 2 * limit * sum + limit * limit * n;
    };
    const inside = elementAt(count, high) - elementAt(count, low);
    return (inside * step * step) / 12 + outside(0, low, min) + outside(high, end, max);
  }

  private divergence({ min, max }: Range, levels: number): number {
    const [low, high] = [this.binOf(min), this.binOf(max)];
    if (high <= low) return Infinity;
    const inside = this.counts.slice(low, high);
    const reference = [...inside];
    reference[0] = elementAt(reference, 0) + elementAt(this.sums.count, low);
    reference[inside.length - 1] =
      defined(reference.at(-1)) + defined(this.sums.count.at(-1)) - elementAt(this.sums.count, high);
    const quantized = new Array<number>(inside.length).fill(0);
    for (let level = 0; level < levels; level++) {
      const [from, to] = [
        Math.floor((level * inside.length) / levels),
        Math.floor(((level + 1) * inside.length) / levels),
      ];
      const members = inside.slice(from, to);
      const filled = members.filter((times) => times > 0).length;
      const total = members.reduce((sum, times) => sum + times, 0);
      for (let i = from; i < to; i++) if (elementAt(inside, i) > 0) quantized[i] = total / filled;
    }
    const [referenceTotal, quantizedTotal] = [reference, quantized].map((all) =>
      all.reduce((sum, times) => sum + times, 0),
    ) as [number, number];
    if (quantizedTotal === 0) return Infinity;
    let divergence = 0;
    reference.forEach((times, i) => {
      if (times === 0) return;
      const [p, q] = [times / referenceTotal, elementAt(quantized, i) / quantizedTotal];
      // A bin that only contains clamped values has no counterpart.
      divergence += p * Math.log(p / Math.max(q, 1e-9));
    });
    return divergence;
  }

  private centerOf(bin: number): number {
    return (bin + 0.5 + this.first) * this.width;
  }

  private binOf(value: number): number {
    return Math.min(this.counts.length, Math.max(0, Math.round(value / this.width) - this.first));
  }
}
