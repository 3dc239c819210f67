// What calibration keeps of a tensor's values. The runs are split into folds, so that what is chosen on some can be
// judged on the others.

import { type OutputActivation, type RelevantEnds, relevantEnds } from '../../evaluate/index.js';
import { type Extremes, extremesOf, float32Max } from '../../simulator/index.js';
import { Histogram, type HistogramData } from './histogram.js';

export interface TensorStatistics {
  readonly runs: number;
  readonly min: number;
  readonly max: number;
  /** Exponential moving averages of each run's smallest and largest value. */
  readonly movingMin: number;
  readonly movingMax: number;
  /** Means of the folds' smallest and largest values: far from `min` and `max` where these are rare. */
  readonly foldMin: number;
  readonly foldMax: number;
  /** Beyond these, values make no difference to int8 probabilities that are made of them; null where all do. */
  readonly relevant: RelevantEnds | null;
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
  private relevant: RelevantEnds | null = null;
  private readonly histogram: Histogram | null;

  /** @param squash what alone reads the tensor, where that makes probabilities */
  constructor(
    withHistogram: boolean,
    private readonly activation: OutputActivation | null = null,
  ) {
    this.histogram = withHistogram ? new Histogram() : null;
  }

  /**
   * @param values what one run gave
   * @returns the first value that is no finite number, or the largest of float32, where kernels stop; null where there
   * is none. The lowest is allowed: masks are made of it.
   */
  add(values: Float32Array, { min, max, finite }: Extremes = extremesOf(values)): number | null {
    const bad = finite ? undefined : values.find((value) => !Number.isFinite(value));
    if (bad !== undefined) return bad;
    if (max >= float32Max) return max;
    if (values.length === 0) return null;
    // The past counts in full only once there is one: the first runs are plainly averaged.
    const past = Math.min(momentum, this.runs / (this.runs + 1));
    this.movingMin = past * this.movingMin + (1 - past) * min;
    this.movingMax = past * this.movingMax + (1 - past) * max;
    this.runs += 1;
    this.min = Math.min(this.min, min);
    this.max = Math.max(this.max, max);
    if (this.activation !== null) this.relevant = wider(this.relevant, relevantEnds(values, this.activation));
    this.histogram?.add(values, Math.max(-min, max));
    return null;
  }

  /** null where no run gave a value. */
  get statistics(): TensorStatistics | null {
    if (this.runs === 0) return null;
    const { runs, min, max, movingMin, movingMax, relevant } = this;
    return {
      runs,
      min,
      max,
      movingMin,
      movingMax,
      foldMin: min,
      foldMax: max,
      relevant,
      histogram: this.histogram?.data ?? null,
    };
  }
}

function wider(one: RelevantEnds | null, other: RelevantEnds | null): RelevantEnds | null {
  return one === null || other === null ? (one ?? other) : { min: Math.min(one.min, other.min), max: one.max };
}

/** Of several folds together; null where none gave a value. */
export function combine(folds: readonly (TensorStatistics | null)[]): TensorStatistics | null {
  const known = folds.filter((fold) => fold !== null);
  if (known.length === 0) return null;
  const runs = known.reduce((sum, fold) => sum + fold.runs, 0);
  const mean = (figure: (fold: TensorStatistics) => number): number =>
    known.reduce((sum, fold) => sum + figure(fold) * fold.runs, 0) / runs;
  const histograms = known.flatMap(({ histogram }) => (histogram === null ? [] : [histogram]));
  return {
    runs,
    min: Math.min(...known.map(({ min }) => min)),
    max: Math.max(...known.map(({ max }) => max)),
    movingMin: mean(({ movingMin }) => movingMin),
    movingMax: mean(({ movingMax }) => movingMax),
    foldMin: mean(({ min }) => min),
    foldMax: mean(({ max }) => max),
    relevant: known.map(({ relevant }) => relevant).reduce(wider),
    histogram: histograms.length < known.length ? null : Histogram.sumOf(histograms),
  };
}
