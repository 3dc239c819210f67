// Labels, one number per sample: from a CSV file, an .npy array or the names of the folders that hold the files.

import path from 'node:path';
import { parse } from 'csv-parse/sync';
import { fail, reasonOf } from '../errors.js';
import { readText } from '../files/index.js';
import { readArray } from './npy.js';
import type { LabelsFile } from './schema.js';
import type { SourceItem } from './source.js';
import { diskTypeOfNpy, realValues } from './values.js';

export interface Labels {
  readonly values: Int32Array;
  /** Names by number, where the labels were names. */
  readonly classes: readonly string[] | null;
}

/** @throws DATASET_LABELS, FILE_NOT_READABLE */
export async function readLabels(
  description: LabelsFile,
  items: readonly SourceItem[],
  folder: string,
  where: string,
  classes: readonly string[] | undefined,
): Promise<Labels> {
  if (description === 'folders') {
    return numbered(
      items.map((item) => path.basename(path.dirname(item.file))),
      classes,
      where,
    );
  }
  if (typeof description === 'string') return fromArray(path.resolve(folder, description), items.length, where, classes);
  return fromCsv(description, items, folder, where, classes);
}

async function fromArray(file: string, count: number, where: string, classes: readonly string[] | undefined): Promise<Labels> {
  const array = await readArray(file);
  const type = diskTypeOfNpy(array.kind);
  if (type === null) throw fail('DATASET_ARRAY_INVALID', { path: file, reason: `labels of type ${array.kind}; save them as int32` });
  const values = Int32Array.from(realValues(array.bytes, type, undefined));
  if (values.length !== count) throw fail('DATASET_LABELS', { where, reason: `${values.length} labels for ${count} samples` });
  return { values, classes: classes ?? null };
}

async function fromCsv(
  description: Exclude<LabelsFile, string>,
  items: readonly SourceItem[],
  folder: string,
  where: string,
  classes: readonly string[] | undefined,
): Promise<Labels> {
  const rows = parseCsv(await readText(path.resolve(folder, description.csv)), description, where);
  const cell = (row: string[], column: number): string => {
    const value = row[column];
    if (value === undefined || value === '')
      throw fail('DATASET_LABELS', { where, reason: `${description.csv} has a row without column ${column}: ${row.join(',')}` });
    return value;
  };
  if (description.file === undefined) {
    if (rows.length !== items.length) throw fail('DATASET_LABELS', { where, reason: `${rows.length} rows in ${description.csv} for ${items.length} samples` });
    return numbered(
      rows.map((row) => cell(row, description.label)),
      classes,
      where,
    );
  }
  const column = description.file;
  const byFile = new Map(rows.map((row) => [path.basename(cell(row, column)), cell(row, description.label)]));
  const names = items.map((item) => {
    const name = byFile.get(path.basename(item.file));
    if (name === undefined) throw fail('DATASET_LABELS', { where, reason: `${description.csv} has no row for ${path.basename(item.file)}` });
    return name;
  });
  return numbered(names, classes, where);
}

function parseCsv(text: string, { csv, header }: Exclude<LabelsFile, string>, where: string): string[][] {
  try {
    return parse(text, { bom: true, trim: true, skip_empty_lines: true, relax_column_count: true, from_line: header ? 2 : 1 });
  } catch (error) {
    throw fail('DATASET_LABELS', { where, reason: `${csv}: ${reasonOf(error)}` }, error);
  }
}

/** Whole numbers stay as they are; names are numbered as `classes` lists them, else alphabetically. */
function numbered(names: readonly string[], classes: readonly string[] | undefined, where: string): Labels {
  if (classes === undefined && names.every((name) => /^\d+$/.test(name))) return { values: Int32Array.from(names, Number), classes: null };
  const order = classes ?? [...new Set(names)].sort();
  const numbers = new Map(order.map((name, i) => [name, i]));
  const values = Int32Array.from(names, (name) => {
    const number = numbers.get(name) ?? (/^\d+$/.test(name) ? Number(name) : undefined);
    if (number === undefined) throw fail('DATASET_LABELS', { where, reason: `label ${name} is not among the classes ${order.join(', ')}` });
    return number;
  });
  return { values, classes: order };
}
