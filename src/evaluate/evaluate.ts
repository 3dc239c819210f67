import { type Dataset, type Metric, runsOf } from '../dataset/index.js';
import { fail } from '../errors.js';
import { elementCount } from '../tflite/index.js';
import { matchInputs, toModelInput, toRealValues } from './convert.js';
import type { Scored } from './gates.js';
import { inOrder } from './in-order.js';
import { Judge } from './judge.js';
import { type Confusion, type Distribution, distributionOf } from './metrics.js';
import { type LatencyBasis, type Runner, requireStreams, splitOutputs } from './runner.js';
import { stateWarnings, type Warning } from './warnings.js';

export interface Progress {
  readonly done: number;
  readonly total: number;
  /** What is counted, where its rate is of interest. */
  readonly unit?: 'bytes';
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
  /** null for other tasks than classification, and beyond 1,000 classes. */
  readonly confusion: Confusion | null;
  readonly warnings: readonly Warning[];
}

/**
 * Runs the whole dataset and computes its metric, on the model's first output.
 * @throws DATASET_NO_METRIC, DATASET_MISMATCH, DATASET_LABELS, OUTPUT_NOT_A_NUMBER, and what the runner throws
 */
export async function evaluate(runner: Runner, dataset: Dataset, options: EvaluateOptions = {}): Promise<Evaluation> {
  return (await evaluateScored(runner, dataset, options)).evaluation;
}

/** The same, with what is known of each sample: for comparing two models sample by sample. */
export async function evaluateScored(
  runner: Runner,
  dataset: Dataset,
  options: EvaluateOptions = {},
): Promise<{ readonly evaluation: Evaluation; readonly scored: Scored }> {
  const { metric } = dataset;
  const [outputInfo] = runner.outputs;
  if (metric === null) throw fail('DATASET_NO_METRIC', { dataset: dataset.name, reason: 'its task is none' });
  if (outputInfo === undefined) throw fail('DATASET_NO_METRIC', { dataset: dataset.name, reason: 'the model has no output' });
  const judge = new Judge(dataset, metric, elementCount(outputInfo.shape));
  const order = matchInputs(dataset, runner.inputs);
  const total = Math.min(dataset.count, options.limit ?? dataset.count);
  const latencies: number[] = [];
  let values = 0;
  let saturated = 0;
  if (dataset.state === 'per-file') requireStreams(runner, 'the state of this dataset is per-file');
  // State goes from one sample to the next.
  const concurrency = dataset.state === 'per-file' && runner.state !== 'none' ? 1 : runner.concurrency;
  const results = inOrder(dataset.samples(options.limit), concurrency, async (sample) => {
    const runs: { input: Float32Array; output: Float32Array }[] = [];
    for (const { inputs, continues } of runsOf(sample, dataset)) {
      const converted = toModelInput(inputs, runner.inputs, order, dataset.name);
      values += inputs.reduce((sum, part) => sum + part.length, 0);
      saturated += converted.saturated;
      const { output, latencyMs } = await runner.run(converted.bytes, options.signal, continues);
      latencies.push(latencyMs);
      runs.push({ input: inputs[0] as Float32Array, output: toRealValues(splitOutputs(output, runner.outputs)[0] as Uint8Array, outputInfo) });
    }
    return { sample, runs };
  });
  for await (const { sample, runs } of results) {
    judge.add(sample, runs);
    options.onProgress?.({ done: judge.count, total });
  }
  const value = judge.value();
  const evaluation: Evaluation = {
    dataset: dataset.name,
    metric,
    value,
    samples: judge.count,
    latencyMs: { ...distributionOf(latencies), basis: runner.basis },
    confusion: judge.confusion(),
    warnings: [...runner.warnings, ...saturationWarnings(saturated / values), ...stateWarnings(runner.state, dataset)],
  };
  return { evaluation, scored: { metric, value, scores: judge.scores } };
}

function saturationWarnings(share: number): Warning[] {
  if (!(share > 0.01)) return [];
  const percent = (100 * share).toFixed(1);
  const message = `${percent} % of the input values lie outside the range that the model's input can hold: is the data scaled as for training?`;
  return [{ code: 'SATURATING_INPUTS', message }];
}
