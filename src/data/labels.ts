// Labels, one number per sample: from a CSV file, an .npy array, or the names of the folders that hold the files.

import path from 'node:path';
import { parse } from 'csv-parse/sync';
import { elementAt } from '../base/checked.js';
import { fail, reasonOf } from '../base/errors.js';
import { readText } from '../base/files/index.js';
import { readArray } from './npy.js';
import type { LabelsFile } from './schema.js';
import type { Source } from './source.js';
import { diskTypeOfNpy, realValues } from './values.js';

export interface Labels {
  readonly values: Int32Array;
  /** Class names by number, if the labels were names. */
  readonly classes: readonly string[] | null;
}

/** @throws DATASET_LABELS, FILE_NOT_READABLE */
export async function readLabels(
  description: LabelsFile,
  source: Source,
  folder: string,
  where: string,
  classes: readonly string[] | undefined,
): Promise<Labels> {
  if (description === 'folders') {
    return numbered(
      filesOf(source).map((file) => path.basename(path.dirname(file))),
      classes,
      where,
    );
  }
  if (typeof description === 'string')
    return fromArray(path.resolve(folder, description), source.count, where, classes);
  return fromCsv(description, source, folder, where, classes);
}

async function fromArray(
  file: string,
  count: number,
  where: string,
  classes: readonly string[] | undefined,
): Promise<Labels> {
  const array = await readArray(file);
  const type = diskTypeOfNpy(array.kind);
  if (type === null) throw fail('DATASET_ARRAY_INVALID', { path: file, reason: `labels of type ${array.kind}` });
  const real = realValues(array.bytes, type, undefined);
  const odd = real.find((value) => !Number.isInteger(value) || value < 0);
  if (odd !== undefined)
    throw fail('DATASET_LABELS', { where, reason: `${file} contains ${odd}, which is not a class number` });
  const values = classNumbers(real, array.shape, count, where);
  if (values.length !== count)
    throw fail('DATASET_LABELS', { where, reason: `${values.length} labels for ${count} samples` });
  return { values, classes: classes ?? null };
}

/** Class numbers, taken as they are or decoded from one-hot rows. */
function classNumbers(values: Float32Array, shape: readonly number[], count: number, where: string): Int32Array {
  const width = shape.length === 2 && shape[0] === count ? elementAt(shape, 1) : 1;
  if (width === 1) return Int32Array.from(values);
  return Int32Array.from({ length: count }, (_, i) => {
    const row = values.subarray(i * width, (i + 1) * width);
    const at = row.indexOf(1);
    if (at < 0 || row.some((value, k) => value !== 0 && k !== at))
      throw fail('DATASET_LABELS', { where, reason: `row ${i} of the labels is not one-hot` });
    return at;
  });
}

async function fromCsv(
  description: Exclude<LabelsFile, string>,
  source: Source,
  folder: string,
  where: string,
  classes: readonly string[] | undefined,
): Promise<Labels> {
  const rows = parseCsv(await readText(path.resolve(folder, description.csv)), description, where);
  const cell = (row: string[], column: number): string => {
    const value = row[column];
    if (value === undefined || value === '')
      throw fail('DATASET_LABELS', {
        where,
        reason: `${description.csv} has a row without column ${column}: ${row.join(',')}`,
      });
    return value;
  };
  if (description.file === undefined) {
    if (rows.length !== source.count)
      throw fail('DATASET_LABELS', {
        where,
        reason: `${rows.length} rows in ${description.csv} for ${source.count} samples`,
      });
    return numbered(
      rows.map((row) => cell(row, description.label)),
      classes,
      where,
    );
  }
  const column = description.file;
  const byFile = new Map<string, string>();
  for (const row of rows) {
    const file = path.normalize(cell(row, column));
    if (byFile.has(file))
      throw fail('DATASET_LABELS', { where, reason: `${description.csv} has two rows for ${file}` });
    byFile.set(file, cell(row, description.label));
  }
  const names = filesOf(source).map((file) => {
    // A row may name the file by any trailing part of its path.
    const steps = file.split(path.sep);
    const name = steps.map((_, i) => byFile.get(steps.slice(i).join(path.sep))).find((label) => label !== undefined);
    if (name === undefined)
      throw fail('DATASET_LABELS', { where, reason: `${description.csv} has no row for ${file}` });
    return name;
  });
  requireUnambiguous(filesOf(source), byFile, description.csv, where);
  return numbered(names, classes, where);
}

/** A row that names only the last part of a path must not match two files. */
function requireUnambiguous(
  files: readonly string[],
  rows: ReadonlyMap<string, string>,
  csv: string,
  where: string,
): void {
  const seen = new Map<string, string>();
  for (const file of new Set(files)) {
    const name = path.basename(file);
    const other = seen.get(name);
    if (other !== undefined && rows.has(name))
      throw fail('DATASET_LABELS', {
        where,
        reason: `${csv} names ${name}, which is ${other} as well as ${file}: give their paths`,
      });
    seen.set(name, file);
  }
}

function filesOf(source: Source): string[] {
  return Array.from({ length: source.count }, (_, i) => source.fileOf(i));
}

function parseCsv(text: string, { csv, header }: Exclude<LabelsFile, string>, where: string): string[][] {
  try {
    return parse(text, {
      bom: true,
      trim: true,
      skip_empty_lines: true,
      relax_column_count: true,
      from_line: header ? 2 : 1,
    });
  } catch (error) {
    throw fail('DATASET_LABELS', { where, reason: `${csv}: ${reasonOf(error)}` }, error);
  }
}

/** Whole numbers are taken as class numbers; names are numbered in the order of `classes`, or alphabetically. */
function numbered(names: readonly string[], classes: readonly string[] | undefined, where: string): Labels {
  if (classes === undefined && names.every((name) => /^\d+$/.test(name)))
    return { values: Int32Array.from(names, Number), classes: null };
  const order = classes ?? [...new Set(names)].sort();
  const numbers = new Map(order.map((name, i) => [name, i]));
  const values = Int32Array.from(names, (name) => {
    const number = numbers.get(name) ?? (/^\d+$/.test(name) ? Number(name) : undefined);
    if (number === undefined)
      throw fail('DATASET_LABELS', { where, reason: `label ${name} is not among the classes ${order.join(', ')}` });
    return number;
  });
  return { values, classes: order };
}
