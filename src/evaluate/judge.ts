// Collects what a metric needs from each run, and computes the metric over all samples.

import { elementAt } from '../base/checked.js';
import { fail } from '../base/errors.js';
import type { Dataset, Metric, Sample } from '../data/index.js';
import { areaUnderRoc, argMax, type Confusion, inTopK } from './metrics.js';

/** Larger matrices are unreadable, and their memory grows with the square. */
const maxConfusionClasses = 1000;

export type { Metric } from '../data/index.js';

/** Score of one sample. */
export interface SampleScore {
  readonly label: number | null;
  readonly score: number;
  readonly predicted: number;
  readonly hit: boolean;
  /** Sums of squares of the expected values and of the errors. */
  readonly signal: number;
  readonly error: number;
  readonly elements: number;
}

/** A metric over samples; NaN for a ROC curve over samples of one class. */
export function metricOf(metric: Metric, scores: readonly SampleScore[]): number {
  const sum = (of: (score: SampleScore) => number): number => scores.reduce((total, score) => total + of(score), 0);
  switch (metric) {
    case 'top1':
    case 'top5':
      return sum(({ hit }) => (hit ? 1 : 0)) / scores.length;
    case 'auc':
      return areaUnderRoc(
        scores.map(({ score }) => score),
        scores.map(({ label }) => label ?? 0),
      );
    case 'mse':
      return sum(({ error }) => error) / sum(({ elements }) => elements);
    case 'snr':
      return 10 * Math.log10(sum(({ signal }) => signal) / sum(({ error }) => error));
  }
}

export class Judge {
  private readonly judged: SampleScore[] = [];
  /** A single output is the probability of class 1. */
  private readonly classCount: number;

  /** @throws DATASET_NO_METRIC if the dataset lacks what its metric needs */
  constructor(
    private readonly dataset: Dataset,
    private readonly metric: Metric,
    private readonly outputLength: number,
  ) {
    const missing = (reason: string): Error => fail('DATASET_NO_METRIC', { dataset: dataset.name, reason });
    const needsLabels = metric === 'top1' || metric === 'top5' || metric === 'auc';
    if (needsLabels && !dataset.hasLabels) throw missing(`metric ${metric} needs labels`);
    if (!needsLabels && !dataset.hasTargets && dataset.windows === null)
      throw missing(`metric ${metric} needs targets`);
    this.classCount = outputLength === 1 ? 2 : outputLength;
    const { classes } = dataset;
    if (dataset.task === 'classification' && classes !== null && classes.length !== this.classCount) {
      const reason =
        `the labels have ${classes.length} classes, the model has ${outputLength} outputs; list all of them ` +
        'under classes, in the order of the outputs';
      throw fail('DATASET_LABELS', { where: dataset.path, reason });
    }
    if (metric === 'auc' && dataset.windows === null && outputLength > 2)
      throw missing(`metric auc needs one or two outputs, or windows; the model has ${outputLength}`);
  }

  /** Scores in the order of the samples. */
  get scores(): readonly SampleScore[] {
    return this.judged;
  }

  get count(): number {
    return this.judged.length;
  }

  /**
   * @param runs input and output of each run of the sample: one, or one per window
   * @throws OUTPUT_NOT_A_NUMBER, DATASET_MISMATCH, DATASET_LABELS
   */
  add(sample: Sample, runs: readonly { readonly input: Float32Array; readonly output: Float32Array }[]): void {
    const { dataset } = this;
    const { label } = sample;
    if (label !== null && dataset.task === 'classification' && label >= this.classCount) {
      throw fail('DATASET_LABELS', {
        where: dataset.path,
        reason: `sample ${sample.index} has label ${label}, but the model has ${this.classCount} classes`,
      });
    }
    let score = 0;
    const sums = { signal: 0, error: 0, elements: 0 };
    for (const { input, output } of runs) {
      const bad = output.find((value) => !Number.isFinite(value));
      if (bad !== undefined)
        throw fail('OUTPUT_NOT_A_NUMBER', { value: bad, sample: sample.index, dataset: dataset.name });
      const expected = sample.targets?.[0] ?? (dataset.windows === null ? null : input);
      const error = expected === null ? 0 : this.compare(expected, output, sums);
      score = dataset.windows?.aggregate === 'max' ? Math.max(score, error) : score + error / runs.length;
    }
    const output = runs[0]?.output ?? new Float32Array(0);
    this.judged.push({
      label,
      score: dataset.windows === null ? (output.at(-1) ?? 0) : score,
      ...this.decided(output, label),
      ...sums,
    });
  }

  /**
   * The predicted class, and whether it is the label. A single output counts as class 1 above 0.5, as in Keras'
   * BinaryAccuracy.
   */
  private decided(output: Float32Array, label: number | null): Pick<SampleScore, 'predicted' | 'hit'> {
    const { metric, dataset } = this;
    if (this.outputLength > 1 || (metric !== 'top1' && metric !== 'top5')) {
      return { predicted: argMax(output), hit: label !== null && inTopK(output, label, metric === 'top5' ? 5 : 1) };
    }
    const [probability = 0] = output;
    if (probability < 0 || probability > 1) {
      const reason =
        `the only output of the model is ${probability}, which is not a probability: metric ${metric} needs one ` +
        'output per class, or a sigmoid; auc takes any score';
      throw fail('DATASET_NO_METRIC', { dataset: dataset.name, reason });
    }
    const predicted = probability > 0.5 ? 1 : 0;
    return { predicted, hit: metric === 'top5' || predicted === label };
  }

  /** @throws DATASET_NO_METRIC if there are no samples, or only one class for a ROC curve */
  value(): number {
    const { judged, dataset } = this;
    const missing = (reason: string): Error => fail('DATASET_NO_METRIC', { dataset: dataset.name, reason });
    if (judged.length === 0) throw missing('it has no samples');
    if (this.metric === 'auc') {
      const positives = judged.filter(({ label }) => label !== 0).length;
      if (positives === 0 || positives === judged.length)
        throw missing('metric auc needs samples with label 0 and samples with other labels');
    }
    return metricOf(this.metric, judged);
  }

  confusion(): Confusion | null {
    const { classCount, dataset } = this;
    if (dataset.task !== 'classification' || classCount > maxConfusionClasses) return null;
    const matrix = Array.from({ length: classCount }, () => new Array<number>(classCount).fill(0));
    for (const { label, predicted } of this.judged) {
      const row = matrix[label ?? -1];
      if (row !== undefined) row[predicted] = (row[predicted] ?? 0) + 1;
    }
    return { matrix, classes: dataset.classes };
  }

  /** Mean squared error of one output; adds to the sample's sums. */
  private compare(
    expected: Float32Array,
    output: Float32Array,
    sums: { signal: number; error: number; elements: number },
  ): number {
    if (expected.length !== output.length) {
      throw fail('DATASET_MISMATCH', {
        dataset: this.dataset.name,
        reason: `${expected.length} target values for an output of ${output.length}`,
      });
    }
    let error = 0;
    for (let k = 0; k < output.length; k++) {
      error += (elementAt(output, k) - elementAt(expected, k)) ** 2;
      sums.signal += elementAt(expected, k) ** 2;
    }
    sums.error += error;
    sums.elements += output.length;
    return error / output.length;
  }
}
