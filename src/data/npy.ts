// NumPy array files. The format: magic "\x93NUMPY", version, header length, a Python dict literal, then the elements
// (numpy.lib.format). An .npz file is a zip of them.

import { unzipSync } from 'fflate';
import { elementAt } from '../base/checked.js';
import { fail, reasonOf } from '../base/errors.js';
import { readBytes } from '../base/files/index.js';

export interface NpyArray {
  readonly shape: readonly number[];
  /** Bytes per element, and its NumPy kind: f, i, u or b. */
  readonly kind: string;
  readonly bytes: Uint8Array;
}

const maxArrayBytes = 2 ** 30;

/**
 * @param reference a path; for an .npz, optionally followed by #NAME of the array
 * @throws FILE_NOT_READABLE, DATASET_ARRAY_INVALID
 */
export async function readArray(reference: string): Promise<NpyArray> {
  const [file = reference, name] = reference.split('#');
  const bytes = await readBytes(file);
  return file.endsWith('.npz') ? readNpz(bytes, file, name) : parseNpy(bytes, file);
}

function readNpz(bytes: Uint8Array, file: string, name: string | undefined): NpyArray {
  const names: string[] = [];
  let entries: Record<string, Uint8Array>;
  try {
    entries = unzipSync(bytes, {
      filter: (entry) => {
        names.push(entry.name);
        if (entry.originalSize > maxArrayBytes) throw new Error(`${entry.name} unpacks to ${entry.originalSize} bytes`);
        return name === undefined ? names.length === 1 : entry.name === `${name}.npy`;
      },
    });
  } catch (error) {
    throw fail('DATASET_ARRAY_INVALID', { path: file, reason: reasonOf(error) }, error);
  }
  if (name === undefined && names.length > 1) {
    throw fail('DATASET_ARRAY_INVALID', {
      path: file,
      reason: `it contains ${names.length} arrays (${names.join(', ')}): name one as ${file}#NAME`,
    });
  }
  const entry = Object.values(entries)[0];
  if (entry === undefined)
    throw fail('DATASET_ARRAY_INVALID', {
      path: file,
      reason: `it contains ${names.join(', ') || 'nothing'}, not ${name ?? 'an array'}`,
    });
  return parseNpy(entry, name === undefined ? file : `${file}#${name}`);
}

export function parseNpy(bytes: Uint8Array, where: string): NpyArray {
  const invalid = (reason: string): Error => fail('DATASET_ARRAY_INVALID', { path: where, reason });
  if (bytes.byteLength < 12 || bytes[0] !== 0x93 || String.fromCharCode(...bytes.subarray(1, 6)) !== 'NUMPY')
    throw invalid('it does not start like an .npy file');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wide = elementAt(bytes, 6) >= 2;
  const start = wide ? 12 : 10;
  const end = start + (wide ? view.getUint32(8, true) : view.getUint16(8, true));
  if (end > bytes.byteLength) throw invalid('it ends within its header');
  const header = new TextDecoder().decode(bytes.subarray(start, end));
  const type = /'descr':\s*'([<|>=])([a-z])(\d+)'/.exec(header);
  const shapeText = /'shape':\s*\(([\d,\s]*)\)/.exec(header)?.[1];
  if (type === null || shapeText === undefined) throw invalid('its header does not name a numeric type');
  if (/'fortran_order':\s*True/.test(header)) throw invalid('it is in Fortran order');
  if (type[1] === '>') throw invalid('it is big-endian');
  const shape = shapeText
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map(Number);
  const width = Number(type[3]);
  const length = shape.reduce((product, size) => product * size, 1) * width;
  if (end + length > bytes.byteLength) throw invalid(`it ends after ${bytes.byteLength - end} of ${length} bytes`);
  return { shape, kind: `${type[2]}${type[3]}`, bytes: bytes.subarray(end, end + length) };
}
