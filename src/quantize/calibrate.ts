// Runs the float model on samples and collects the range of every tensor.

import { createHash } from 'node:crypto';
import { type Dataset, runsOf } from '../dataset/index.js';
import { fail } from '../errors.js';
import { breather, matchInputs, type Progress, toModelInput, type Warning } from '../evaluate/index.js';
import { Interpreter, type Operand } from '../simulator/index.js';
import { type Model, mainSubgraph, tensorLabel } from '../tflite/index.js';
import type { Range } from './parameters.js';
import { SampleStatistics } from './sample-statistics.js';

export interface CalibrationOptions {
  /** At most so many samples, drawn by the dataset's seed. */
  readonly samples?: number;
  readonly onProgress?: (progress: Progress) => void;
  readonly signal?: AbortSignal;
}

export interface Calibration {
  readonly dataset: string;
  readonly samples: number;
  /** Of the samples as the model saw them: float32, in order. */
  readonly sha256: string;
  /** By tensor index of the model that was run; null for tensors that are constant or were never computed. */
  readonly ranges: readonly (Range | null)[];
  readonly warnings: readonly Warning[];
}

const defaultSamples = 500;

/**
 * @param model the float model after `optimize`: ranges belong to its tensors
 * @throws CALIBRATION_EMPTY, QUANTIZE_RANGE (NaN or infinite values), DATASET_*, OPERATORS_UNSUPPORTED
 */
export async function calibrate(model: Model, dataset: Dataset, options: CalibrationOptions = {}): Promise<Calibration> {
  const interpreter = new Interpreter(model);
  const order = matchInputs(dataset, interpreter.inputs);
  const limit = options.samples ?? defaultSamples;
  const total = Math.min(dataset.count, limit);
  if (total < 1) throw fail('CALIBRATION_EMPTY', { reason: `dataset ${dataset.name} gives none` });
  const collector = new RangeCollector(model);
  const statistics = new SampleStatistics();
  const hash = createHash('sha256');
  const breathe = breather();
  let done = 0;
  for await (const sample of dataset.samples(limit)) {
    for (const inputs of runsOf(sample, dataset)) {
      await breathe(options.signal);
      requireNumbers(inputs, sample.index, dataset);
      const { bytes } = toModelInput(inputs, interpreter.inputs, order, dataset.name);
      hash.update(bytes);
      statistics.add(inputs);
      interpreter.run(bytes, (_, outputs) => {
        for (const output of outputs) collector.add(output);
      });
      // The planner may reuse an input's memory, so its range comes from the values themselves.
      for (const [i, input] of interpreter.inputs.entries()) collector.addValues(input.index, inputs[order[i] as number] as Float32Array);
    }
    done += 1;
    options.onProgress?.({ done, total });
  }
  return {
    dataset: dataset.name,
    samples: done,
    sha256: hash.digest('hex'),
    ranges: collector.ranges,
    warnings: [...unscaledWarnings(dataset), ...statistics.warnings(), ...collector.warnings()],
  };
}

function requireNumbers(inputs: readonly Float32Array[], index: number, dataset: Dataset): void {
  for (const values of inputs) {
    const bad = values.find((value) => !Number.isFinite(value));
    if (bad !== undefined) throw fail('DATASET_INVALID', { where: dataset.path, reason: `sample ${index} holds the value ${bad}` });
  }
}

function unscaledWarnings(dataset: Dataset): Warning[] {
  return dataset.inputs.some(({ integers }) => integers)
    ? [
        {
          code: 'UNSCALED_INTEGERS',
          message: `dataset ${dataset.name} feeds integers from disk as they are; if the model was trained on scaled values, give a quantization (scale, zeroPoint)`,
        },
      ]
    : [];
}

class RangeCollector {
  readonly ranges: (Range | null)[];

  constructor(private readonly model: Model) {
    this.ranges = mainSubgraph(model).tensors.map(() => null);
  }

  add(operand: Operand): void {
    if (operand.type === 'float32') this.addValues(operand.index, operand.data as Float32Array);
  }

  addValues(index: number, values: Float32Array): void {
    const known = this.ranges[index];
    let min = known?.min ?? Infinity;
    let max = known?.max ?? -Infinity;
    for (let i = 0; i < values.length; i++) {
      const value = values[i] as number;
      if (value < min) min = value;
      if (value > max) max = value;
      if (!Number.isFinite(value)) throw fail('QUANTIZE_RANGE', { tensor: this.label(index), reason: `calibration gives it the value ${value}` });
    }
    this.ranges[index] = { min, max };
  }

  warnings(): Warning[] {
    return this.ranges.flatMap((range, index): Warning[] =>
      range !== null && range.min === 0 && range.max === 0
        ? [{ code: 'RANGE_ALL_ZERO', message: `tensor ${this.label(index)} is 0 in every calibration sample; its scale is set to 1` }]
        : [],
    );
  }

  private label(index: number): string {
    const tensor = mainSubgraph(this.model).tensors[index];
    return tensor === undefined ? String(index) : tensorLabel(index, tensor);
  }
}
