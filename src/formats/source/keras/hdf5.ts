// Files of the format HDF5, of which the package jsfive decodes the structure: groups, attributes and chunked data.
// jsfive was taken because it is small and plain JavaScript (the alternative, h5wasm, has 14 MB). It is exact on files
// that Keras writes, and ends with an error on damaged ones. Contiguous data is read here: jsfive makes an array of
// JavaScript numbers of it, which takes twice the memory and cannot hold more than 32 million elements.

import { Dataset, Group, File as Hdf5 } from 'jsfive';
import { AtollError, reasonOf } from '../../../base/errors.js';
import { elementCount } from '../../tflite/index.js';
import { bytesOfShape, decodeElements } from '../elements.js';
import type { NumericArray, SourceType, SourceWeight } from '../graph.js';
import { sourceInvalid } from '../json.js';

const signature = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];

/** The message of an object header that says where the data is (HDF5 file format specification, IV.A.2.i). */
const layoutMessage = 8;
const contiguousLayout = 1;

/** Deflate makes data at most this much smaller. */
const maxRatio = 1032;

const types: Readonly<Record<string, SourceType>> = {
  '<f2': 'float16',
  '<f4': 'float32',
  '<f8': 'float64',
  '<i1': 'int8',
  '|i1': 'int8',
  '<u1': 'uint8',
  '|u1': 'uint8',
  '<i2': 'int16',
  '<u2': 'uint16',
  '<i4': 'int32',
  '<u4': 'uint32',
  '<i8': 'int64',
  '<u8': 'uint64',
};

export function isHdf5(bytes: Uint8Array): boolean {
  return signature.every((byte, i) => bytes[i] === byte);
}

/** A group of an HDF5 file. Every method throws SOURCE_INVALID if the file is damaged. */
export class Hdf5Group {
  private constructor(
    private readonly group: Group,
    private readonly bytes: Uint8Array,
    /** Path within the file, for messages. */
    readonly path: string,
  ) {}

  static open(bytes: Uint8Array, where: string): Hdf5Group {
    return attempt(where, () => {
      // The package addresses the whole buffer.
      const whole = bytes.byteLength === bytes.buffer.byteLength ? bytes : bytes.slice();
      return new Hdf5Group(new Hdf5(whole.buffer), whole, where);
    });
  }

  /** Names of groups and datasets. */
  get names(): readonly string[] {
    return attempt(this.path, () => this.group.keys);
  }

  /** A text attribute; null if there is none. */
  text(name: string): string | null {
    const value = attempt(this.path, () => this.group.attrs[name]);
    return typeof value === 'string' ? value.replace(/\0+$/, '') : null;
  }

  /**
   * A list of texts. Lists beyond the size of an attribute are stored in parts: NAME0, NAME1, ... (Keras 2).
   * @returns null if there is none
   */
  texts(name: string): readonly string[] | null {
    const attributes = attempt(this.path, () => this.group.attrs);
    const parts = name in attributes ? [attributes[name]] : [];
    for (let i = 0; parts.length === i && `${name}${i}` in attributes; i++) parts.push(attributes[`${name}${i}`]);
    if (parts.length === 0) return null;
    return parts.flat().map((text) => String(text).replace(/\0+$/, ''));
  }

  /** @returns null if there is no group of this name */
  child(path: string): Hdf5Group | null {
    const found = this.find(path);
    return found instanceof Group ? new Hdf5Group(found, this.bytes, `${this.path}/${path}`) : null;
  }

  /** @returns null if there is no dataset of this name */
  weight(path: string): SourceWeight | null {
    const found = this.find(path);
    return found instanceof Dataset ? weightOf(found, this.bytes, `${this.path}/${path}`) : null;
  }

  private find(path: string): Group | Dataset | null {
    return attempt(`${this.path}/${path}`, () => {
      let at: Group | Dataset | null = this.group;
      for (const part of path.split('/')) {
        if (!(at instanceof Group) || !at.keys.includes(part)) return null;
        at = at.get(part);
      }
      return at;
    });
  }
}

function weightOf(dataset: Dataset, bytes: Uint8Array, where: string): SourceWeight {
  const { shape, type, address } = attempt(where, () => {
    const { dtype } = dataset;
    const known = typeof dtype === 'string' ? types[dtype] : undefined;
    if (known === undefined) throw sourceInvalid(where, `its elements have the type ${JSON.stringify(dtype)}`);
    return { shape: dataset.shape, type: known, address: contiguousAddress(dataset, bytes) };
  });
  const size = bytesOfShape(type, shape);
  const end = address === null ? bytes.byteLength * maxRatio : bytes.byteLength - address;
  if (!(size <= end)) throw sourceInvalid(where, `its shape [${shape.join(', ')}] is larger than the file`);
  const values = (): NumericArray => {
    if (address !== null) return decodeElements(type, bytes.subarray(address, address + size));
    const listed = attempt(where, () => dataset.value);
    if (listed.length !== elementCount(shape)) throw sourceInvalid(where, 'its data is incomplete');
    return type.startsWith('float') ? Float32Array.from(listed) : Int32Array.from(listed);
  };
  return { name: where, shape, type, values };
}

/** Where the data of a dataset starts; null if it is stored in chunks. */
function contiguousAddress(dataset: Dataset, bytes: Uint8Array): number | null {
  const at = dataset._dataobjects.find_msg_type(layoutMessage)[0]?.get('offset_to_message') ?? Number.NaN;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getUint8(at);
  if (version < 3 || view.getUint8(at + 1) !== contiguousLayout) return null;
  return Number(view.getBigUint64(at + 2, true));
}

/** Runs code of the package, which throws texts and any kind of error for damaged files, and prints warnings. */
function attempt<T>(where: string, work: () => T): T {
  const { warn } = console;
  console.warn = () => undefined;
  try {
    return work();
  } catch (error) {
    if (error instanceof AtollError) throw error;
    throw sourceInvalid(where, typeof error === 'string' ? error : reasonOf(error), error);
  } finally {
    console.warn = warn;
  }
}
