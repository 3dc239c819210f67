import { type Dataset, type Metric, runsOf, type Sample } from '../dataset/index.js';
import { fail } from '../errors.js';
import { elementCount } from '../tflite/index.js';
import { matchInputs, toModelInput, toRealValues } from './convert.js';
import { areaUnderRoc, argMax, type Confusion, type Distribution, distributionOf, inTopK } from './metrics.js';
import { type LatencyBasis, type Runner, splitOutputs } from './runner.js';
import type { Warning } from './warnings.js';

export interface Progress {
  readonly done: number;
  readonly total: number;
}

export interface EvaluateOptions {
  readonly limit?: number;
  readonly onProgress?: (progress: Progress) => void;
  readonly signal?: AbortSignal;
}

export interface Evaluation {
  readonly dataset: string;
  readonly metric: Metric;
  /** A fraction for top1, top5 and auc; mean squared error; or dB. */
  readonly value: number;
  readonly samples: number;
  readonly latencyMs: Distribution & { readonly basis: LatencyBasis };
  readonly confusion: Confusion | null;
  readonly warnings: readonly Warning[];
}

/** One judged sample: what the metric needs of it. */
interface Judged {
  readonly label: number | null;
  readonly score: number;
  readonly predicted: number;
  readonly hit: boolean;
  readonly signalPower: number;
  readonly errorPower: number;
  readonly elements: number;
}

/**
 * Runs the whole dataset and computes its metric.
 * @throws DATASET_NO_METRIC, DATASET_MISMATCH, and what the runner throws
 */
export async function evaluate(runner: Runner, dataset: Dataset, options: EvaluateOptions = {}): Promise<Evaluation> {
  const metric = requireMetric(dataset);
  const order = matchInputs(dataset, runner.inputs);
  const total = Math.min(dataset.count, options.limit ?? dataset.count);
  const latencies: number[] = [];
  const judged: Judged[] = [];
  let values = 0;
  let saturated = 0;
  for await (const sample of dataset.samples(options.limit)) {
    const outputs: Float32Array[] = [];
    const windows = runsOf(sample, dataset);
    for (const window of windows) {
      const input = toModelInput(window, runner.inputs, order, dataset.name);
      values += window.reduce((sum, part) => sum + part.length, 0);
      saturated += input.saturated;
      const { output, latencyMs } = await runner.run(input.bytes, options.signal);
      latencies.push(latencyMs);
      outputs.push(toRealValues(splitOutputs(output, runner.outputs)[0] as Uint8Array, runner.outputs[0] as Runner['outputs'][number]));
    }
    judged.push(judge(sample, windows, outputs, metric, dataset));
    options.onProgress?.({ done: judged.length, total });
  }
  if (judged.length === 0) throw fail('DATASET_NO_METRIC', { dataset: dataset.name, reason: 'it has no samples' });
  return {
    dataset: dataset.name,
    metric,
    value: metricValue(metric, judged),
    samples: judged.length,
    latencyMs: { ...distributionOf(latencies), basis: runner.basis },
    confusion: dataset.task === 'classification' ? confusionOf(judged, elementCount(runner.outputs[0]?.shape ?? []), dataset.classes) : null,
    warnings: [...runner.warnings, ...saturationWarnings(saturated / values)],
  };
}

function requireMetric(dataset: Dataset): Metric {
  const { metric } = dataset;
  const missing = (reason: string): Error => fail('DATASET_NO_METRIC', { dataset: dataset.name, reason });
  if (metric === null) throw missing('its task is none');
  if ((metric === 'top1' || metric === 'top5' || metric === 'auc') && !dataset.hasLabels) throw missing(`metric ${metric} needs labels`);
  return metric;
}

function judge(sample: Sample, windows: (readonly Float32Array[])[], outputs: readonly Float32Array[], metric: Metric, dataset: Dataset): Judged {
  const output = outputs[0] as Float32Array;
  const label = sample.label;
  const expected = (i: number): Float32Array => sample.targets?.[0] ?? (windows[i]?.[0] as Float32Array);
  let signalPower = 0;
  let errorPower = 0;
  let elements = 0;
  const scores: number[] = [];
  if (metric === 'mse' || metric === 'snr' || dataset.windows !== null) {
    outputs.forEach((values, i) => {
      const target = expected(i);
      if (target.length !== values.length)
        throw fail('DATASET_MISMATCH', { dataset: dataset.name, reason: `${target.length} target values for an output of ${values.length}` });
      let error = 0;
      for (let k = 0; k < values.length; k++) {
        error += ((values[k] as number) - (target[k] as number)) ** 2;
        signalPower += (target[k] as number) ** 2;
      }
      errorPower += error;
      elements += values.length;
      scores.push(error / values.length);
    });
  }
  const score =
    dataset.windows === null
      ? (output.at(-1) as number)
      : dataset.windows.aggregate === 'max'
        ? Math.max(...scores)
        : scores.reduce((a, b) => a + b, 0) / scores.length;
  return {
    label,
    score,
    predicted: argMax(output),
    hit: label !== null && inTopK(output, label, metric === 'top5' ? 5 : 1),
    signalPower,
    errorPower,
    elements,
  };
}

function metricValue(metric: Metric, judged: readonly Judged[]): number {
  const sum = (pick: (one: Judged) => number): number => judged.reduce((total, one) => total + pick(one), 0);
  switch (metric) {
    case 'top1':
    case 'top5':
      return sum((one) => Number(one.hit)) / judged.length;
    case 'auc':
      return areaUnderRoc(
        judged.map((one) => one.score),
        judged.map((one) => one.label ?? 0),
      );
    case 'mse':
      return sum((one) => one.errorPower) / sum((one) => one.elements);
    case 'snr':
      return 10 * Math.log10(sum((one) => one.signalPower) / sum((one) => one.errorPower));
  }
}

function confusionOf(judged: readonly Judged[], classCount: number, classes: readonly string[] | null): Confusion {
  const matrix = Array.from({ length: classCount }, () => new Array<number>(classCount).fill(0));
  for (const { label, predicted } of judged) {
    const row = matrix[label ?? -1];
    if (row !== undefined) row[predicted] = (row[predicted] ?? 0) + 1;
  }
  return { matrix, classes };
}

function saturationWarnings(share: number): Warning[] {
  if (share <= 0.01) return [];
  const percent = (100 * share).toFixed(1);
  return [
    {
      code: 'SATURATING_INPUTS',
      message: `${percent} % of the input values lie outside the range that the model's input can hold: is the data scaled as for training?`,
    },
  ];
}
