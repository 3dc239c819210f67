// What calibration keeps of a tensor's values.

import { Histogram, type HistogramData } from './histogram.js';

export interface TensorStatistics {
  readonly min: number;
  readonly max: number;
  /** Exponential moving averages of each run's smallest and largest value. */
  readonly movingMin: number;
  readonly movingMax: number;
  /** null where it was not asked for. */
  readonly histogram: HistogramData | null;
}

/** Weight of the past in the moving averages. */
const momentum = 0.99;

export class TensorStatisticsCollector {
  private min = Infinity;
  private max = -Infinity;
  private movingMin = 0;
  private movingMax = 0;
  private runs = 0;
  private readonly histogram: Histogram | null;

  constructor(withHistogram: boolean) {
    this.histogram = withHistogram ? new Histogram() : null;
  }

  /**
   * @param values what one run gave
   * @returns the first value that is no finite number, null where there is none
   */
  add(values: Float32Array): number | null {
    let min = Infinity;
    let max = -Infinity;
    let sum = 0;
    for (let i = 0; i < values.length; i++) {
      const value = values[i] as number;
      if (value < min) min = value;
      if (value > max) max = value;
      // Neither comparison holds for NaN, but it stays in the sum.
      sum += value;
    }
    if (!Number.isFinite(sum)) {
      const bad = values.find((value) => !Number.isFinite(value));
      if (bad !== undefined) return bad;
    }
    if (values.length === 0) return null;
    // The past counts in full only once there is one: the first runs are plainly averaged.
    const past = Math.min(momentum, this.runs / (this.runs + 1));
    this.movingMin = past * this.movingMin + (1 - past) * min;
    this.movingMax = past * this.movingMax + (1 - past) * max;
    this.runs += 1;
    this.min = Math.min(this.min, min);
    this.max = Math.max(this.max, max);
    this.histogram?.add(values, Math.max(-min, max));
    return null;
  }

  /** null where no run gave a value. */
  get statistics(): TensorStatistics | null {
    if (this.runs === 0) return null;
    const { min, max, movingMin, movingMax } = this;
    return { min, max, movingMin, movingMax, histogram: this.histogram?.data ?? null };
  }
}
