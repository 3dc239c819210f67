// Calibration statistics of a tensor's values. The runs are split into folds, so that choices made on some can be
// judged on the others.

import { type OutputActivation, type RelevantEnds, relevantEnds } from '../../evaluate/index.js';
import { type Extremes, extremesOf, float32Max } from '../../simulator/index.js';
import { Histogram, type HistogramData } from './histogram.js';

/** What calibration saw of one tensor; real values. */
export interface TensorStatistics {
  /** Number of runs. */
  readonly runs: number;
  readonly min: number;
  readonly max: number;
  /** Exponential moving averages of each run's smallest and largest value. */
  readonly movingMin: number;
  readonly movingMax: number;
  /** Means of the folds' smallest and largest values: far from `min` and `max` if these are rare. */
  readonly foldMin: number;
  readonly foldMax: number;
  /** Values beyond these limits make no difference to the int8 probabilities computed from them; null if all matter. */
  readonly relevant: RelevantEnds | null;
  /** null if it was not requested. */
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

  /** @param activation the only reader of the tensor, if it computes probabilities */
  constructor(
    withHistogram: boolean,
    private readonly activation: OutputActivation | null = null,
  ) {
    this.histogram = withHistogram ? new Histogram() : null;
  }

  /**
   * @param values of one run
   * @returns the first value that is not finite, or is the largest float32, where kernels stop; null if there is none.
   * The lowest float32 is allowed: masks use it.
   */
  add(values: Float32Array, { min, max, finite }: Extremes = extremesOf(values)): number | null {
    const bad = finite ? undefined : values.find((value) => !Number.isFinite(value));
    if (bad !== undefined) return bad;
    if (max >= float32Max) return max;
    if (values.length === 0) return null;
    // Bias correction: the first runs are averaged plainly.
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

  /** null if no run gave a value. */
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

/** Statistics of several folds together; null if none gave a value. */
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
