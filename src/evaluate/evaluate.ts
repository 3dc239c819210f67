import { pMapIterable } from 'p-map';
import { elementAt } from '../base/checked.js';
import { fail } from '../base/errors.js';
import type { OnProgress } from '../base/progress.js';
import type { Warning } from '../base/warnings.js';
import { type Dataset, type Metric, runsOf, type Sample } from '../data/index.js';
import { elementCount } from '../formats/tflite/index.js';
import { matchInputs, matchOutput, toModelInput, toRealValues } from './convert.js';
import type { Scored } from './gates.js';

import { InputRanges } from './input-ranges.js';
import { Judge } from './judge.js';
import { type Confusion, type Distribution, distributionOf } from './metrics.js';
import { type LatencyBasis, type Runner, requireStreams, splitOutputs } from './runner.js';
import { dataWarnings, stateWarnings } from './warnings.js';

/** How many samples are evaluated, a progress callback, and a signal to stop. */
export interface EvaluateOptions {
  readonly limit?: number;
  readonly onProgress?: OnProgress<'evaluate'>;
  readonly signal?: AbortSignal;
}

/** A metric of a model on a dataset, with its latency. */
export interface Evaluation {
  /** Name of the dataset. */
  readonly dataset: string;
  readonly metric: Metric;
  /** A fraction for top1, top5 and auc; a mean squared error; or dB. */
  readonly value: number;
  readonly samples: number;
  /** Milliseconds of one inference, and where they were measured. */
  readonly latencyMs: Distribution & { readonly basis: LatencyBasis };
  /** null for tasks other than classification, and beyond 1,000 classes. */
  readonly confusion: Confusion | null;
  readonly warnings: readonly Warning[];
}

/**
 * Runs the whole dataset and computes its metric on the output that it names, by default the first.
 * @throws DATASET_NO_METRIC, DATASET_MISMATCH, DATASET_LABELS, OUTPUT_NOT_A_NUMBER, and what the runner throws
 */
export async function evaluate(runner: Runner, dataset: Dataset, options: EvaluateOptions = {}): Promise<Evaluation> {
  return (await evaluateScored(runner, dataset, options)).evaluation;
}

/** Also returns the score of each sample, to compare two models sample by sample. */
export async function evaluateScored(
  runner: Runner,
  dataset: Dataset,
  options: EvaluateOptions = {},
): Promise<{ readonly evaluation: Evaluation; readonly scored: Scored }> {
  const { metric } = dataset;
  const chosen = matchOutput(dataset, runner.outputs);
  const outputInfo = runner.outputs[chosen];
  if (metric === null) throw fail('DATASET_NO_METRIC', { dataset: dataset.name, reason: 'its task is none' });
  if (outputInfo === undefined)
    throw fail('DATASET_NO_METRIC', { dataset: dataset.name, reason: 'the model has no output' });
  const judge = new Judge(dataset, metric, elementCount(outputInfo.shape));
  const order = matchInputs(dataset, runner.inputs);
  const total = Math.min(dataset.count, options.limit ?? dataset.count);
  const latencies: number[] = [];
  const ranges = new InputRanges(runner.inputs);
  if (dataset.state === 'per-file') requireStreams(runner, 'the state of this dataset is per-file');
  // State continues from one sample to the next.
  const concurrency = dataset.state === 'per-file' && runner.state !== 'none' ? 1 : runner.concurrency;
  const runSample = async (sample: Sample) => {
    const runs: { input: Float32Array; output: Float32Array }[] = [];
    for (const { inputs, continues } of runsOf(sample, dataset)) {
      const converted = toModelInput(inputs, runner.inputs, order, dataset.name);
      ranges.add(
        order.map((position) => elementAt(inputs, position)),
        converted.saturated,
      );
      const { output, latencyMs } = await runner.run(converted.bytes, options.signal, continues);
      latencies.push(latencyMs);
      runs.push({
        input: elementAt(inputs, 0),
        output: toRealValues(elementAt(splitOutputs(output, runner.outputs), chosen), outputInfo),
      });
    }
    return { sample, runs };
  };
  const results = pMapIterable(dataset.samples(options.limit), runSample, { concurrency });
  for await (const { sample, runs } of results) {
    judge.add(sample, runs);
    options.onProgress?.({ step: 'evaluate', done: judge.count, total });
  }
  const value = judge.value();
  const evaluation: Evaluation = {
    dataset: dataset.name,
    metric,
    value,
    samples: judge.count,
    latencyMs: { ...distributionOf(latencies), basis: runner.basis },
    confusion: judge.confusion(),
    warnings: [
      ...runner.warnings,
      ...dataWarnings(dataset, runner.inputs, order),
      ...ranges.warnings(),
      ...chanceWarnings(metric, value, judge.count, Math.max(2, elementCount(outputInfo.shape))),
      ...stateWarnings(runner.state, dataset),
    ],
  };
  return { evaluation, scored: { metric, value, scores: judge.scores } };
}

/** Minimum number of samples for the comparison with random guessing. */
const enoughSamples = 20;

/** Warns if a classifier is no better than random guessing: usually the input data is scaled wrongly. */
function chanceWarnings(metric: Metric, value: number, samples: number, classes: number): Warning[] {
  const chance = 1 / classes;
  // Two standard deviations above chance.
  const limit = chance + 2 * Math.sqrt((chance * (1 - chance)) / samples);
  if (metric !== 'top1' || classes < 2 || samples < enoughSamples || value > limit) return [];
  const message =
    `top1 is ${(100 * value).toFixed(1)} %, no better than random guessing among ${classes} classes: check that ` +
    'the data is scaled as for training and that labels follow the order of the outputs';
  return [{ code: 'NO_BETTER_THAN_CHANCE', message }];
}
