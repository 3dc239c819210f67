// Runs the float model on samples and collects statistics of every tensor.

import { createHash } from 'node:crypto';
import { elementAt } from '../../base/checked.js';
import { fail, within } from '../../base/errors.js';
import { yieldToEventLoop } from '../../base/event-loop.js';
import type { OnProgress } from '../../base/progress.js';
import type { Warning } from '../../base/warnings.js';
import { type Dataset, runsOf } from '../../data/index.js';
import {
  dataWarnings,
  foldCount,
  matchInputs,
  outputActivationsOf,
  requireNumbers,
  toModelInput,
} from '../../evaluate/index.js';
import { type Model, type SubGraph, tensorLabel, writeModel } from '../../formats/tflite/index.js';
import {
  calledSubgraphs,
  type Extremes,
  Interpreter,
  type Operand,
  subgraphOfSignature,
} from '../../simulator/index.js';
import { SampleStatistics } from './sample-statistics.js';
import { combine, type TensorStatistics, TensorStatisticsCollector } from './tensor-statistics.js';

/** How many samples are run, and whether histograms are kept. */
export interface CalibrationOptions {
  /** Maximum number of samples per dataset, drawn with its seed. */
  readonly samples?: number;
  /** Whether to collect histograms, which some range methods need. */
  readonly histograms?: boolean;
  readonly onProgress?: OnProgress<'calibrate'>;
  readonly signal?: AbortSignal;
}

/** Statistics from one dataset for the subgraph of its signature. */
export interface SubgraphCalibration {
  readonly subgraph: number;
  readonly signature: string | null;
  readonly dataset: string;
  readonly samples: number;
  readonly seed: number;
  /** SHA-256 over the samples as the model received them: float32, in order. */
  readonly sha256: string;
  /** By tensor index of the model that was run; null for constants and tensors that were never computed. */
  readonly tensors: readonly (TensorStatistics | null)[];
  /** The same for every `foldCount`th run, starting with the first, the second, and so on. */
  readonly folds: readonly (readonly (TensorStatistics | null)[])[];
}

/** Statistics of every tensor on the calibration data; plain data that can be stored. */
export interface Calibration {
  /** SHA-256 of the model that was run. */
  readonly model: string;
  /** One entry for each signature that was run. */
  readonly subgraphs: readonly SubgraphCalibration[];
  readonly warnings: readonly Warning[];
}

const defaultSamples = 500;

/**
 * Runs the float model on the samples and collects the range of every tensor.
 * @param model the float model after `optimize`: statistics belong to its tensors
 * @param datasets one for each signature, or one for the model
 * @throws CALIBRATION_EMPTY, QUANTIZE_RANGE (NaN or infinite values), DATASET_*, OPERATORS_UNSUPPORTED,
 * SIGNATURE_UNKNOWN
 */
export async function calibrate(
  model: Model,
  datasets: readonly Dataset[],
  options: CalibrationOptions = {},
): Promise<Calibration> {
  const limit = options.samples ?? defaultSamples;
  const total = datasets.reduce((sum, { count }) => sum + Math.min(count, limit), 0);
  requireData(model, datasets);
  const subgraphs: SubgraphCalibration[] = [];
  const warnings: Warning[] = [];
  let before = 0;
  for (const dataset of datasets) {
    const onSample = (done: number): void => options.onProgress?.({ step: 'calibrate', done: before + done, total });
    const run = await runDataset(model, dataset, limit, { ...options, onSample });
    before += run.calibration.samples;
    subgraphs.push(run.calibration);
    warnings.push(...run.warnings);
  }
  return { model: hashOf(model), subgraphs, warnings };
}

export function hashOf(model: Model): string {
  return createHash('sha256').update(writeModel(model)).digest('hex');
}

/** @throws CALIBRATION_EMPTY if a dataset is empty, or a runnable subgraph has no dataset */
function requireData(model: Model, datasets: readonly Dataset[]): void {
  if (datasets.length === 0)
    throw fail('CALIBRATION_EMPTY', { reason: 'none were given, but this scheme computes its ranges from them' });
  for (const { name, count } of datasets)
    if (count < 1) throw fail('CALIBRATION_EMPTY', { reason: `dataset ${name} has none` });
  const known = new Map<number, string>();
  for (const { signature, name } of datasets) {
    const subgraph = subgraphOfSignature(model, signature ?? undefined);
    const other = known.get(subgraph);
    if (other !== undefined)
      throw fail('DATASET_MISMATCH', {
        dataset: name,
        reason: `it is for the same signature as ${other}: use one per signature`,
      });
    known.set(subgraph, name);
  }
  const called = calledSubgraphs(model);
  const missing = model.subgraphs.flatMap((_, index) => {
    if (called.has(index) || known.has(index)) return [];
    const signature = model.signatureDefs.find(({ subgraphIndex }) => subgraphIndex === index)?.signatureKey;
    return [signature == null ? `subgraph ${index}` : `signature ${signature}`];
  });
  if (missing.length > 0) {
    const reason =
      `there is no data for ${missing.join(', ')}: a dataset file may contain one document for each signature, ` +
      'with the key signature';
    throw fail('CALIBRATION_EMPTY', { reason });
  }
}

interface RunOptions {
  readonly histograms?: boolean;
  readonly onSample: (done: number) => void;
  readonly signal?: AbortSignal;
}

async function runDataset(
  model: Model,
  dataset: Dataset,
  limit: number,
  options: RunOptions,
): Promise<{ calibration: SubgraphCalibration; warnings: readonly Warning[] }> {
  const signature = dataset.signature ?? undefined;
  const interpreter = new Interpreter(model, { signature });
  const order = matchInputs(dataset, interpreter.inputs);
  const subgraph = subgraphOfSignature(model, signature);
  const collector = new Collector(model, elementAt(model.subgraphs, subgraph), options.histograms ?? false);
  const statistics = new SampleStatistics();
  const hash = createHash('sha256');
  let samples = 0;
  let runs = 0;
  for await (const sample of dataset.samples(limit)) {
    for (const { inputs, continues } of runsOf(sample, dataset)) {
      await yieldToEventLoop(options.signal);
      const extremes = requireNumbers(inputs, sample.index, dataset);
      const { bytes } = toModelInput(inputs, interpreter.inputs, order, dataset.name);
      hash.update(bytes);
      statistics.add(inputs);
      const fold = runs++ % foldCount;
      try {
        if (!continues) interpreter.reset();
        interpreter.stream(bytes, (_, outputs) => {
          for (const output of outputs) collector.add(output, fold, interpreter);
        });
      } catch (error) {
        throw within(error, `sample ${sample.index} of ${dataset.name}`);
      }
      // The planner may reuse an input's memory, so its range is taken from the values themselves.
      for (const [i, input] of interpreter.inputs.entries()) {
        if (input.type === 'float32')
          collector.addValues(input.index, elementAt(inputs, elementAt(order, i)), fold, extremes[elementAt(order, i)]);
      }
    }
    samples += 1;
    options.onSample(samples);
  }
  const { folds } = collector;
  const tensors = combineFolds(folds);
  return {
    calibration: {
      subgraph,
      signature: dataset.signature,
      dataset: dataset.name,
      samples,
      seed: dataset.seed,
      sha256: hash.digest('hex'),
      tensors,
      folds,
    },
    warnings: [
      ...dataWarnings(dataset, interpreter.inputs, order),
      ...statistics.warnings(),
      ...collector.warnings(tensors),
    ],
  };
}

/** Merges the statistics of several folds. */
export function combineFolds(folds: readonly (readonly (TensorStatistics | null)[])[]): (TensorStatistics | null)[] {
  return (folds[0] ?? []).map((_, tensor) => combine(folds.map((fold) => fold[tensor] ?? null)));
}

class Collector {
  private readonly collectors: readonly TensorStatisticsCollector[][];

  constructor(
    model: Model,
    private readonly subgraph: SubGraph,
    histograms: boolean,
  ) {
    const activations = outputActivationsOf(model, subgraph);
    this.collectors = Array.from({ length: foldCount }, () =>
      subgraph.tensors.map((_, tensor) => new TensorStatisticsCollector(histograms, activations.get(tensor))),
    );
  }

  get folds(): (TensorStatistics | null)[][] {
    return this.collectors.map((fold) => fold.map(({ statistics }) => statistics));
  }

  add(operand: Operand, fold: number, interpreter: Interpreter): void {
    if (operand.type === 'float32' && !operand.constant)
      this.addValues(operand.index, operand.data as Float32Array, fold, interpreter.extremesOf(operand));
  }

  addValues(index: number, values: Float32Array, fold: number, extremes?: Extremes): void {
    const bad = this.collectors[fold]?.[index]?.add(values, extremes) ?? null;
    if (bad !== null)
      throw fail('QUANTIZE_RANGE', { tensor: this.label(index), reason: `it has the value ${bad} in calibration` });
  }

  warnings(tensors: readonly (TensorStatistics | null)[]): Warning[] {
    return tensors.flatMap((tensor, index): Warning[] =>
      tensor !== null && tensor.min === 0 && tensor.max === 0
        ? [
            {
              code: 'RANGE_ALL_ZERO',
              message: `tensor ${this.label(index)} is 0 in every calibration sample; its scale is set to 1`,
            },
          ]
        : [],
    );
  }

  private label(index: number): string {
    const tensor = this.subgraph.tensors[index];
    return tensor === undefined ? String(index) : tensorLabel(index, tensor);
  }
}
