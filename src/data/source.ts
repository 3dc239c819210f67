// One input of a dataset: the files that match a pattern, and the number of samples in each.

import { stat } from 'node:fs/promises';
import path from 'node:path';
import { glob } from 'tinyglobby';
import { defined, elementAt } from '../base/checked.js';
import { fail, reasonOf } from '../base/errors.js';
import { readBytes } from '../base/files/index.js';
import { requireRaw } from './content.js';
import { readImage } from './image.js';
import { readArray } from './npy.js';
import type { DiskType, SourceFile } from './schema.js';
import { channelsLast, channelsLastShape, diskBytes, diskTypeOfNpy, realValues, sameButOnes } from './values.js';

export interface Source {
  readonly name: string | null;
  /** Number of samples. */
  readonly count: number;
  /** Shape of one sample; null if it is known only after reading (images without resize, whole files for windows). */
  readonly shape: readonly number[] | null;
  /** Whether the elements on disk are integers without a `quantization` that scales them. */
  readonly integers: boolean;
  /** The file that holds a sample, relative to the dataset file. */
  readonly fileOf: (index: number) => string;
  readonly read: (index: number) => Promise<Float32Array>;
}

/** A file and the range of samples in it. */
interface Part {
  readonly file: string;
  readonly first: number;
  readonly count: number;
}

/**
 * @param folder folder of the dataset file
 * @param options.wholeFiles whether a file is one sample of any length (windows are cut from it)
 * @param options.channelsFirst whether arrays and raw files store the channels of a sample first (NCHW)
 * @throws DATASET_NO_FILES, DATASET_FILE_SIZE, DATASET_ARRAY_INVALID, DATASET_INVALID
 */
export async function openSource(
  description: SourceFile,
  folder: string,
  where: string,
  { wholeFiles, channelsFirst }: { readonly wholeFiles: boolean; readonly channelsFirst: boolean },
): Promise<Source> {
  const files = await filesOf(description.files, folder, where);
  const arrays = files.filter((file) => /\.np[yz](#|$)/.test(file)).length;
  if (description.images === undefined && arrays > 0 && arrays < files.length) {
    throw fail('DATASET_INVALID', { where, reason: 'numpy arrays and raw files cannot be mixed in one input' });
  }
  const opened =
    description.images !== undefined
      ? imageSource(description, description.images, files)
      : arrays > 0
        ? await arraySource(description, files, wholeFiles)
        : await rawSource(description, files, where, wholeFiles);
  // Images are decoded with channels last.
  const transposed =
    channelsFirst && description.images === undefined && opened.shape !== null && opened.shape.length > 1
      ? opened.shape
      : null;
  const { parts } = opened;
  const shape = transposed === null ? opened.shape : channelsLastShape(transposed);
  const read: OpenedSource['read'] = async (part, position) => {
    const values = await opened.read(part, position);
    return transposed === null ? values : channelsLast(values, transposed);
  };
  const last = parts.at(-1);
  const partOf = (index: number): Part => partAt(parts, index);
  return {
    name: description.name ?? null,
    count: last === undefined ? 0 : last.first + last.count,
    shape,
    integers: opened.integers && description.quantization === undefined,
    fileOf: (index) => path.relative(folder, partOf(index).file),
    read: (index) => read(partOf(index), index - partOf(index).first),
  };
}

interface OpenedSource {
  readonly parts: readonly Part[];
  readonly shape: readonly number[] | null;
  /** Whether the elements on disk are integers. */
  readonly integers: boolean;
  readonly read: (part: Part, position: number) => Promise<Float32Array>;
}

/** Finds the file that holds a sample, by bisection. */
function partAt(parts: readonly Part[], index: number): Part {
  let low = 0;
  let high = parts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (elementAt(parts, middle).first <= index) low = middle;
    else high = middle - 1;
  }
  return elementAt(parts, low);
}

function partsOf(files: readonly string[], counts: readonly number[]): Part[] {
  let first = 0;
  return files.map((file, i) => {
    const count = elementAt(counts, i);
    first += count;
    return { file, first: first - count, count };
  });
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

function imageSource(
  description: SourceFile,
  images: NonNullable<SourceFile['images']>,
  files: readonly string[],
): OpenedSource {
  const { resize, channels } = images;
  return {
    parts: partsOf(
      files,
      files.map(() => 1),
    ),
    shape:
      description.shape ?? (resize === undefined ? null : [resize.height, resize.width, channels === 'gray' ? 1 : 3]),
    integers: false,
    read: async ({ file }) => (await readImage(file, images)).values,
  };
}

async function arraySource(
  description: SourceFile,
  files: readonly string[],
  wholeFiles: boolean,
): Promise<OpenedSource> {
  const loaded = new Map<string, { bytes: Uint8Array; type: DiskType }>();
  let shape: readonly number[] | null = description.shape ?? null;
  const counts: number[] = [];
  for (const file of files) {
    const array = await readArray(file);
    const type = diskTypeOfNpy(array.kind);
    if (type === null) throw fail('DATASET_ARRAY_INVALID', { path: file, reason: `elements of type ${array.kind}` });
    const count = wholeFiles ? 1 : samplesInArray(array.shape, shape, files.length, file);
    shape ??= wholeFiles ? null : array.shape.slice(count === 1 && files.length > 1 ? 0 : 1);
    loaded.set(file, { bytes: array.bytes, type });
    counts.push(count);
  }
  return {
    parts: partsOf(files, counts),
    shape,
    integers: [...loaded.values()].some(({ type }) => isInteger(type)),
    read: async ({ file, count }, position) => {
      const { bytes, type } = defined(loaded.get(file));
      const length = bytes.byteLength / count;
      return realValues(bytes.subarray(position * length, (position + 1) * length), type, description.quantization);
    },
  };
}

/**
 * Several files hold one sample each. A single file holds samples along its first dimension, unless its shape is that
 * of a sample.
 */
function samplesInArray(
  array: readonly number[],
  sample: readonly number[] | null,
  fileCount: number,
  file: string,
): number {
  if (sample === null) return fileCount > 1 ? 1 : (array[0] ?? 1);
  const total = array.reduce((product, size) => product * size, 1);
  const each = sample.reduce((product, size) => product * size, 1);
  const invalid = (what: string): Error =>
    fail('DATASET_ARRAY_INVALID', { path: file, reason: `its shape [${array.join(', ')}] ${what}` });
  if (total % each !== 0) throw invalid(`cannot be divided into samples of [${sample.join(', ')}]`);
  const own = array.slice(1);
  const flat = [own, sample].some((shape) => shape.filter((size) => size !== 1).length <= 1);
  // A shape with the same number of elements would still put values in the wrong places.
  if (total / each === array[0] && !flat && !sameButOnes(own, sample))
    throw invalid(`contains samples of [${own.join(', ')}], not of [${sample.join(', ')}]`);
  return total / each;
}

async function rawSource(
  description: SourceFile,
  files: readonly string[],
  where: string,
  wholeFiles: boolean,
): Promise<OpenedSource> {
  const { type, shape = [] } = description;
  const image = files.find((file) => /\.(png|jpe?g|webp|gif|tiff?|bmp)$/i.test(file));
  if (image !== undefined)
    throw fail('DATASET_INVALID', {
      where,
      reason: `${path.basename(image)} is an image: describe how to read it under images (or use images: {})`,
    });
  for (const file of files) await requireRaw(file);
  if (type === undefined)
    throw fail('DATASET_INVALID', { where, reason: 'raw files need a type (element type on disk)' });
  if (description.shape === undefined && !wholeFiles)
    throw fail('DATASET_INVALID', { where, reason: 'raw files need a shape (of one sample)' });
  const sampleBytes = shape.reduce((product, size) => product * size, 1) * diskBytes(type);
  const counts: number[] = [];
  for (const file of files) {
    const bytes = await sizeOf(file);
    if (bytes === 0 || bytes % (wholeFiles ? diskBytes(type) : sampleBytes) !== 0) {
      throw fail('DATASET_FILE_SIZE', { path: file, bytes, shape: shape.join(', '), type, sampleBytes });
    }
    counts.push(wholeFiles ? 1 : bytes / sampleBytes);
  }
  let current: { file: string; bytes: Uint8Array } | null = null;
  return {
    parts: partsOf(files, counts),
    shape: wholeFiles ? null : shape,
    integers: isInteger(type),
    read: async ({ file }, position) => {
      if (current?.file !== file) current = { file, bytes: await readBytes(file) };
      const bytes = wholeFiles
        ? current.bytes
        : current.bytes.subarray(position * sampleBytes, (position + 1) * sampleBytes);
      return realValues(bytes, type, description.quantization);
    },
  };
}

const isInteger = (type: DiskType): boolean => type !== 'float32' && type !== 'float64';

async function sizeOf(file: string): Promise<number> {
  try {
    const entry = await stat(file);
    if (entry.isDirectory()) throw new Error('it is a folder');
    return entry.size;
  } catch (error) {
    throw fail('FILE_NOT_READABLE', { path: file, reason: reasonOf(error) }, error);
  }
}
