// Reads the samples of `run`: raw tensors in the model's types, or NumPy arrays, in one file for all inputs or one per
// input.

import { existsSync } from 'node:fs';
import { elementAt } from '../../base/checked.js';
import { fail } from '../../base/errors.js';
import type { TensorInfo } from '../../simulator/index.js';

/** One file with all inputs, or one per input: by name, otherwise in order. @throws USAGE */
export function inputFiles(values: readonly string[], inputs: readonly Pick<TensorInfo, 'name' | 'alias'>[]): string[] {
  const names = inputs.map(({ name, alias }) => alias ?? name);
  /** The input whose tensor or signature name the value starts with. */
  const nameOf = (value: string): { readonly input: number; readonly length: number } | undefined =>
    inputs
      .flatMap(({ name, alias }, input) =>
        [name, ...(alias === undefined ? [] : [alias])].map((text) => ({ input, text })),
      )
      .filter(({ text }) => value.startsWith(`${text}=`))
      .map(({ input, text }) => ({ input, length: text.length }))[0];
  const stranger = values.find(
    (value) => /^[\w.:/-]+=/.test(value) && !existsSync(value) && nameOf(value) === undefined,
  );
  if (stranger !== undefined)
    throw fail('USAGE', { reason: `--input ${stranger}: the inputs of the model are ${names.join(', ')}` });
  const parsed = values.map((value) => {
    const named = nameOf(value);
    return named === undefined
      ? { name: null, file: value }
      : { name: elementAt(names, named.input), file: value.slice(named.length + 1) };
  });
  if (parsed.length === 1) return parsed.map(({ file }) => file);
  if (parsed.length !== names.length)
    throw fail('USAGE', {
      reason:
        `the model has ${names.length} input(s) (${names.join(', ')}), but --input was given ${parsed.length} ` +
        'times',
    });
  if (parsed.every(({ name }) => name === null)) return parsed.map(({ file }) => file);
  return names.map((name) => {
    const found = parsed.find((entry) => entry.name === name);
    if (found === undefined)
      throw fail('USAGE', { reason: `no --input is named ${name}; the inputs are ${names.join(', ')}` });
    return found.file;
  });
}

/**
 * All samples one after another, the inputs of each in order.
 * @throws FILE_NOT_READABLE, DATASET_FILE_KIND, DATASET_ARRAY_INVALID, INPUT_SIZE
 */
export async function readSamples(files: readonly string[], inputs: readonly TensorInfo[]): Promise<Uint8Array> {
  const { interleave } = await import('../../evaluate/index.js');
  const [file = ''] = files;
  if (files.length === 1 && inputs.length > 1) {
    if (isArray(file))
      throw fail('USAGE', {
        reason: `${file} is an array with one of ${inputs.length} inputs: give --input NAME=FILE for each`,
      });
    return rawBytes(file);
  }
  const contents = await Promise.all(
    files.map((one, i) => (isArray(one) ? arrayBytes(one, elementAt(inputs, i)) : rawBytes(one))),
  );
  if (contents.length === 1) return elementAt(contents, 0);
  return interleave(
    contents,
    inputs.map(({ bytes }) => bytes),
  );
}

const isArray = (file: string): boolean => /\.np[yz](#|$)/.test(file);

async function rawBytes(file: string): Promise<Uint8Array> {
  const [{ readBytes }, { requireRaw }] = await Promise.all([
    import('../../base/files/index.js'),
    import('../../data/index.js'),
  ]);
  await requireRaw(file);
  return readBytes(file);
}

/**
 * An array of samples, or one sample. An array of the input's own type is taken as it is; float arrays are real values
 * and are quantized.
 */
async function arrayBytes(file: string, input: TensorInfo): Promise<Uint8Array> {
  const [{ diskTypeOfNpy, readArray, realValues, sameButOnes }, { toModelInput }] = await Promise.all([
    import('../../data/index.js'),
    import('../../evaluate/index.js'),
  ]);
  const { shape, kind, bytes } = await readArray(file);
  const invalid = (reason: string): Error => fail('DATASET_ARRAY_INVALID', { path: file, reason });
  const wanted = `input ${input.name} of the model is ${input.type} of [${input.shape.join(', ')}]`;
  if (!sameButOnes(shape, input.shape) && !sameButOnes(shape.slice(1), input.shape))
    throw invalid(`its shape is [${shape.join(', ')}]; ${wanted}`);
  const type = diskTypeOfNpy(kind);
  if (type === input.type) return bytes;
  if (type !== 'float32' && type !== 'float64') throw invalid(`its elements are ${type ?? kind}; ${wanted}`);
  const values = realValues(bytes, type, undefined);
  const each = input.shape.reduce((product, size) => product * size, 1);
  const samples = Array.from(
    { length: values.length / each },
    (_, s) => toModelInput([values.subarray(s * each, (s + 1) * each)], [input], [0], file).bytes,
  );
  return new Uint8Array(Buffer.concat(samples));
}
