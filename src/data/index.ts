// Datasets. openDataset takes the path of a dataset file (YAML, docs/dataset.md) and returns a Dataset whose samples
// are read one at a time, as real values: a Float32Array for each input, in the order of the file's inputs.

import path from 'node:path';
import { elementAt } from '../base/checked.js';
import { fail } from '../base/errors.js';
import { describeFaults, parseYaml, readText } from '../base/files/index.js';
import { drawSorted } from '../base/random.js';
import { type Labels, readLabels } from './labels.js';
import { type DatasetFile, datasetSchema, datasetsSchema, type Metric } from './schema.js';
import { openSource, type Source } from './source.js';
import type { Dataset, Sample } from './types.js';

export { requireRaw } from './content.js';
export { type MemoryDatasetOptions, type MemorySample, memoryDataset } from './memory.js';
export { readArray } from './npy.js';
export type { Metric } from './schema.js';
export type { Dataset, DatasetInput, Sample } from './types.js';
export { diskTypeOfNpy, realValues, sameButOnes } from './values.js';
export { runsOf, type SampleRun } from './windows.js';

/**
 * Opens the dataset that a file describes.
 * @throws FILE_NOT_READABLE, DATASET_*
 */
export async function openDataset(file: string): Promise<Dataset> {
  const [first, ...others] = await readDescriptions(file);
  if (first === undefined || others.length > 0) {
    throw fail('DATASET_INVALID', {
      where: file,
      reason:
        `it contains ${1 + others.length} documents, one for each signature; a file with one document is needed ` +
        'here',
    });
  }
  return open(file, first);
}

/**
 * Opens the datasets of a file that may hold a list of documents, one for each signature of a model.
 * @throws FILE_NOT_READABLE, DATASET_*
 */
export async function openDatasets(file: string): Promise<Dataset[]> {
  return Promise.all((await readDescriptions(file)).map((description) => open(file, description)));
}

async function open(file: string, description: DatasetFile): Promise<Dataset> {
  const folder = path.dirname(path.resolve(file));
  const wholeFiles = description.windows !== undefined;
  const openAll = (sources: DatasetFile['inputs'], key: string): Promise<Source[]> =>
    Promise.all(
      sources.map((source, i) =>
        openSource(source, folder, `${file}, ${key}[${i}]`, {
          wholeFiles,
          channelsFirst: description.layout === 'nchw',
        }),
      ),
    );
  const inputs = await openAll(description.inputs, 'inputs');
  const targets = description.targets === undefined ? null : await openAll(description.targets, 'targets');
  const total = inputs[0]?.count ?? 0;
  for (const [i, source] of [...inputs, ...(targets ?? [])].entries()) {
    if (source.count !== total) {
      throw fail('DATASET_INVALID', {
        where: file,
        reason: `source ${i} has ${source.count} samples, the first input ${total}`,
      });
    }
  }
  const labels =
    description.labels === undefined
      ? null
      : await readLabels(description.labels, elementAt(inputs, 0), folder, `${file}, labels`, description.classes);
  const count = Math.min(total, description.limit ?? total);
  const streams = description.state === 'per-file';
  const sameFile = (index: number): boolean => inputs[0]?.fileOf(index) === inputs[0]?.fileOf(index - 1);
  const sharesFiles = wholeFiles || Array.from({ length: Math.max(0, total - 1) }, (_, i) => i + 1).some(sameFile);
  return {
    name: description.name,
    path: file,
    task: description.task,
    metric: description.metric ?? defaultMetric(description),
    windows: description.windows ?? null,
    signature: description.signature ?? null,
    output: description.output ?? null,
    state: description.state ?? null,
    sharesFiles,
    seed: description.seed,
    classes: labels?.classes ?? description.classes ?? null,
    inputs: inputs.map(({ name, shape, integers }) => ({ name, shape, integers })),
    warnings: description.inputs.flatMap(pixelWarnings),
    hasLabels: labels !== null,
    hasTargets: targets !== null,
    count,
    samples: (limit) => {
      const wanted = Math.min(count, limit ?? count);
      // A stream must not have gaps: take the first samples instead of drawing some.
      const chosen = streams
        ? Array.from({ length: wanted }, (_, index) => index)
        : drawSorted(total, wanted, description.seed);
      return readSamples(
        { inputs, targets, labels, continues: (index) => streams && index > 0 && sameFile(index) },
        chosen,
      );
    },
  };
}

/** Warns if mean and std look like values for pixels in 0..1, but no range scales the pixels. */
function pixelWarnings({ images }: DatasetFile['inputs'][number]): Dataset['warnings'] {
  const { range, mean, std } = images ?? {};
  const small = [mean, std].flat().filter((value) => value !== undefined);
  if (range !== undefined || small.length === 0 || small.some((value) => Math.abs(value) > 2)) return [];
  const message =
    'mean and std apply to pixels in 0..255, but look like values for pixels in 0..1; if so, add range: [0, 1]';
  return [{ code: 'PIXEL_RANGE', message }];
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

async function readDescriptions(file: string): Promise<DatasetFile[]> {
  const { value, faults } = parseYaml<DatasetFile | DatasetFile[]>(await readText(file), (plain) =>
    Array.isArray(plain) ? datasetsSchema : datasetSchema,
  );
  if (value === null) throw fail('DATASET_INVALID', describeFaults(file, faults));
  return [value].flat();
}

interface Sources {
  readonly inputs: readonly Source[];
  readonly targets: readonly Source[] | null;
  readonly labels: Labels | null;
  readonly continues: (index: number) => boolean;
}

async function* readSamples(
  { inputs, targets, labels, continues }: Sources,
  chosen: readonly number[],
): AsyncGenerator<Sample> {
  const readAll = (sources: readonly Source[], index: number): Promise<Float32Array[]> =>
    Promise.all(sources.map((source) => source.read(index)));
  const read = async (index: number): Promise<Sample> => ({
    index,
    continues: continues(index),
    inputs: await readAll(inputs, index),
    label: labels === null ? null : (labels.values[index] ?? null),
    targets: targets === null ? null : await readAll(targets, index),
  });
  // The next sample is read and decoded while the consumer works on this one.
  const begin = (position: number): Promise<Sample> | null => {
    const index = chosen[position];
    const reading = index === undefined ? null : read(index);
    // A consumer that stops early does not need the error.
    reading?.catch(() => undefined);
    return reading;
  };
  let next = begin(0);
  for (let position = 1; next !== null; position++) {
    const sample = await next;
    next = begin(position);
    yield sample;
  }
}
