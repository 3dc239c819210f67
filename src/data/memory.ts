// Datasets in memory, for programs that have their samples as arrays.

import { elementAt } from '../base/checked.js';
import { fail } from '../base/errors.js';
import type { Metric } from './schema.js';
import type { Dataset, Sample } from './types.js';

/** One sample of a dataset that is held in memory. */
export interface MemorySample {
  /** Real values of each input, in the order of the shapes; row-major, channels last. */
  readonly inputs: readonly Float32Array[];
  /** Class number, for classification. */
  readonly label?: number;
  /** Expected real values of each output, for regression. */
  readonly targets?: readonly Float32Array[];
}

/** Shapes and samples of a dataset in memory. */
export interface MemoryDatasetOptions {
  /** For messages; default: `memory`. */
  readonly name?: string;
  /** Shape of one sample of each input, without the batch dimension. */
  readonly shapes: readonly (readonly number[])[];
  /** Names of the inputs; by default they are matched in order. */
  readonly names?: readonly string[];
  readonly samples: readonly MemorySample[];
  /** Default: `top1` with labels, `mse` with targets, otherwise none. */
  readonly metric?: Metric;
}

/**
 * A dataset of samples in memory, to calibrate or to evaluate with.
 * @throws DATASET_MISMATCH if a sample has another number of inputs or values than the shapes; DATASET_LABELS if only
 * some samples have a label or targets
 */
export function memoryDataset({ name = 'memory', shapes, names, samples, metric }: MemoryDatasetOptions): Dataset {
  for (const [index, sample] of samples.entries()) requireShapes(name, index, sample, shapes);
  const hasLabels = allOrNone(name, 'a label', samples, ({ label }) => label !== undefined);
  const hasTargets = allOrNone(name, 'targets', samples, ({ targets }) => targets !== undefined);
  return {
    name,
    path: name,
    task: hasLabels ? 'classification' : hasTargets ? 'regression' : 'none',
    metric: metric ?? (hasLabels ? 'top1' : hasTargets ? 'mse' : null),
    windows: null,
    classes: null,
    signature: null,
    output: null,
    state: null,
    warnings: [],
    sharesFiles: false,
    seed: 0,
    inputs: shapes.map((shape, i) => ({ name: names?.[i] ?? null, shape, integers: false })),
    hasLabels,
    hasTargets,
    count: samples.length,
    samples: async function* (limit = samples.length): AsyncGenerator<Sample> {
      for (const [index, { inputs, label = null, targets = null }] of samples.slice(0, limit).entries())
        yield { index, continues: false, inputs, label, targets };
    },
  };
}

function requireShapes(
  dataset: string,
  index: number,
  { inputs }: MemorySample,
  shapes: readonly (readonly number[])[],
): void {
  if (inputs.length !== shapes.length)
    throw fail('DATASET_MISMATCH', {
      dataset,
      reason: `sample ${index} has ${inputs.length} input(s), but there are ${shapes.length} shape(s)`,
    });
  for (const [i, shape] of shapes.entries()) {
    const [count, expected] = [elementAt(inputs, i).length, shape.reduce((product, size) => product * size, 1)];
    if (count !== expected)
      throw fail('DATASET_MISMATCH', {
        dataset,
        reason:
          `sample ${index} has ${count} values for input ${i}, ` +
          `whose shape [${shape.join(', ')}] needs ${expected}`,
      });
  }
}

function allOrNone(
  where: string,
  what: string,
  samples: readonly MemorySample[],
  has: (sample: MemorySample) => boolean,
): boolean {
  const count = samples.filter(has).length;
  if (count !== 0 && count !== samples.length)
    throw fail('DATASET_LABELS', { where, reason: `${count} of ${samples.length} samples have ${what}` });
  return count > 0;
}
