// One input of a dataset: the files that a pattern names, and how many samples each holds.

import { stat } from 'node:fs/promises';
import path from 'node:path';
import { glob } from 'tinyglobby';
import { fail, reasonOf } from '../errors.js';
import { readBytes } from '../files/index.js';
import { readImage } from './image.js';
import { readArray } from './npy.js';
import type { SourceFile } from './schema.js';
import { diskBytes, diskTypeOfNpy, realValues } from './values.js';

export interface SourceItem {
  readonly file: string;
  /** Position within the file. */
  readonly position: number;
}

export interface Source {
  readonly name: string | null;
  readonly items: readonly SourceItem[];
  /** Shape of one sample, null where it is known only after reading (images without resize, whole files for windows). */
  readonly shape: readonly number[] | null;
  readonly read: (item: SourceItem) => Promise<Float32Array>;
}

/**
 * @param folder the folder of the dataset file
 * @param wholeFiles true where a file is one item whatever its length (windows are cut from it)
 * @throws DATASET_NO_FILES, DATASET_FILE_SIZE, DATASET_ARRAY_INVALID, DATASET_INVALID
 */
export async function openSource(description: SourceFile, folder: string, where: string, wholeFiles: boolean): Promise<Source> {
  const files = await filesOf(description.files, folder, where);
  const name = description.name ?? null;
  if (description.images !== undefined) return imageSource(description, description.images, files, name);
  const arrays = files.filter((file) => /\.np[yz](#|$)/.test(file));
  if (arrays.length === files.length) return arraySource(description, files, name, wholeFiles);
  if (arrays.length > 0) throw fail('DATASET_INVALID', { where, reason: 'numpy arrays and raw files cannot be mixed in one input' });
  return rawSource(description, files, name, where, wholeFiles);
}

async function filesOf(patterns: string | string[], folder: string, where: string): Promise<string[]> {
  const all: string[] = [];
  for (const pattern of [patterns].flat()) {
    const [file = pattern, array] = pattern.split('#');
    const found = /[*?[\]{}]/.test(file)
      ? await glob(file, { cwd: folder, absolute: true, expandDirectories: false })
      : await plainFile(path.resolve(folder, file));
    if (found.length === 0) throw fail('DATASET_NO_FILES', { where, pattern });
    all.push(...found.sort().map((match) => (array === undefined ? match : `${match}#${array}`)));
  }
  return all;
}

async function plainFile(file: string): Promise<string[]> {
  try {
    await stat(file);
    return [file];
  } catch {
    return [];
  }
}

function imageSource(description: SourceFile, images: NonNullable<SourceFile['images']>, files: string[], name: string | null): Source {
  const { resize, channels } = images;
  return {
    name,
    items: files.map((file) => ({ file, position: 0 })),
    shape: description.shape ?? (resize === undefined ? null : [resize.height, resize.width, channels === 'gray' ? 1 : 3]),
    read: async ({ file }) => (await readImage(file, images)).values,
  };
}

async function arraySource(description: SourceFile, files: string[], name: string | null, wholeFiles: boolean): Promise<Source> {
  const loaded = new Map<string, { values: Float32Array; count: number }>();
  let shape: readonly number[] | null = description.shape ?? null;
  const items: SourceItem[] = [];
  for (const file of files) {
    const array = await readArray(file);
    const type = diskTypeOfNpy(array.kind);
    if (type === null) throw fail('DATASET_ARRAY_INVALID', { path: file, reason: `elements of type ${array.kind}` });
    const values = realValues(array.bytes, type, description.quantization);
    const count = wholeFiles ? 1 : samplesInArray(array.shape, shape, files.length, file);
    shape ??= wholeFiles ? null : array.shape.slice(count === 1 && files.length > 1 ? 0 : 1);
    loaded.set(file, { values, count });
    for (let position = 0; position < count; position++) items.push({ file, position });
  }
  return {
    name,
    items,
    shape,
    read: async ({ file, position }) => {
      const { values, count } = loaded.get(file) as { values: Float32Array; count: number };
      const length = values.length / count;
      return values.subarray(position * length, (position + 1) * length);
    },
  };
}

/** Many files hold a sample each; a single one holds samples along its first dimension, unless its shape is that of a sample. */
function samplesInArray(array: readonly number[], sample: readonly number[] | null, fileCount: number, file: string): number {
  if (sample === null) return fileCount > 1 ? 1 : (array[0] ?? 1);
  const total = array.reduce((product, size) => product * size, 1);
  const each = sample.reduce((product, size) => product * size, 1);
  if (total % each !== 0)
    throw fail('DATASET_ARRAY_INVALID', { path: file, reason: `its shape [${array.join(', ')}] does not divide into samples of [${sample.join(', ')}]` });
  return total / each;
}

async function rawSource(description: SourceFile, files: string[], name: string | null, where: string, wholeFiles: boolean): Promise<Source> {
  const { type, shape } = description;
  if (type === undefined) throw fail('DATASET_INVALID', { where, reason: 'raw files need a type (element type on disk)' });
  if (shape === undefined && !wholeFiles) throw fail('DATASET_INVALID', { where, reason: 'raw files need a shape (of one sample)' });
  const sampleBytes = (shape ?? []).reduce((product, size) => product * size, 1) * diskBytes(type);
  const items: SourceItem[] = [];
  for (const file of files) {
    const bytes = await sizeOf(file);
    if (bytes === 0 || bytes % (wholeFiles ? diskBytes(type) : sampleBytes) !== 0) {
      throw fail('DATASET_FILE_SIZE', { path: file, bytes, shape: (shape ?? []).join(', '), type, sampleBytes });
    }
    const count = wholeFiles ? 1 : bytes / sampleBytes;
    for (let position = 0; position < count; position++) items.push({ file, position });
  }
  let current: { file: string; bytes: Uint8Array } | null = null;
  return {
    name,
    items,
    shape: wholeFiles ? null : (shape as number[]),
    read: async ({ file, position }) => {
      if (current?.file !== file) current = { file, bytes: await readBytes(file) };
      const bytes = wholeFiles ? current.bytes : current.bytes.subarray(position * sampleBytes, (position + 1) * sampleBytes);
      return realValues(bytes, type, description.quantization);
    },
  };
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    throw fail('FILE_NOT_READABLE', { path: file, reason: reasonOf(error) }, error);
  }
}
