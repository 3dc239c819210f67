// Datasets. In goes the path of a dataset file (YAML, docs/dataset.md); out comes a Dataset whose samples are read one
// at a time, as real values: Float32Array per input, in the order of the file's inputs.

import path from 'node:path';
import { fail } from '../errors.js';
import { describeFaults, parseYaml, readText } from '../files/index.js';
import { type Labels, readLabels } from './labels.js';
import { drawSorted } from './random.js';
import { type DatasetFile, datasetSchema, type Metric } from './schema.js';
import { openSource, type Source } from './source.js';
import type { Dataset, Sample } from './types.js';

export { drawSorted, seededRandom } from './random.js';
export type { Metric } from './schema.js';
export type { Dataset, DatasetInput, Sample } from './types.js';
export { runsOf } from './windows.js';

/** @throws FILE_NOT_READABLE, DATASET_* */
export async function openDataset(file: string): Promise<Dataset> {
  const description = await readDescription(file);
  const folder = path.dirname(path.resolve(file));
  const wholeFiles = description.windows !== undefined;
  const open = (sources: DatasetFile['inputs'], key: string): Promise<Source[]> =>
    Promise.all(sources.map((source, i) => openSource(source, folder, `${file}, ${key}[${i}]`, wholeFiles)));
  const inputs = await open(description.inputs, 'inputs');
  const targets = description.targets === undefined ? null : await open(description.targets, 'targets');
  const total = inputs[0]?.count ?? 0;
  for (const [i, source] of [...inputs, ...(targets ?? [])].entries()) {
    if (source.count !== total) {
      throw fail('DATASET_INVALID', { where: file, reason: `source ${i} has ${source.count} samples, the first input ${total}` });
    }
  }
  const labels =
    description.labels === undefined ? null : await readLabels(description.labels, inputs[0] as Source, folder, `${file}, labels`, description.classes);
  const count = Math.min(total, description.limit ?? total);
  return {
    name: description.name,
    path: file,
    task: description.task,
    metric: description.metric ?? defaultMetric(description),
    windows: description.windows ?? null,
    classes: labels?.classes ?? description.classes ?? null,
    inputs: inputs.map(({ name, shape }, i) => ({ name, shape, integers: holdsPlainIntegers(description.inputs[i]) })),
    hasLabels: labels !== null,
    hasTargets: targets !== null,
    count,
    samples: (limit) => readSamples(inputs, targets, labels, drawSorted(total, Math.min(count, limit ?? count), description.seed)),
  };
}

function holdsPlainIntegers(source: DatasetFile['inputs'][number] | undefined): boolean {
  const { type, quantization } = source ?? {};
  return quantization === undefined && type !== undefined && type !== 'float32' && type !== 'float64';
}

function defaultMetric({ task }: DatasetFile): Metric | null {
  switch (task) {
    case 'classification':
      return 'top1';
    case 'anomaly':
      return 'auc';
    case 'regression':
      return 'mse';
    case 'none':
      return null;
  }
}

async function readDescription(file: string): Promise<DatasetFile> {
  const { value, faults } = parseYaml(await readText(file), datasetSchema);
  if (value === null) throw fail('DATASET_INVALID', describeFaults(file, faults));
  return value;
}

async function* readSamples(
  inputs: readonly Source[],
  targets: readonly Source[] | null,
  labels: Labels | null,
  chosen: readonly number[],
): AsyncGenerator<Sample> {
  const read = (sources: readonly Source[], index: number): Promise<Float32Array[]> => Promise.all(sources.map((source) => source.read(index)));
  for (const index of chosen) {
    yield {
      index,
      inputs: await read(inputs, index),
      label: labels === null ? null : (labels.values[index] ?? null),
      targets: targets === null ? null : await read(targets, index),
    };
  }
}
