// Reads a source model of any format. Formats are recognized by content; what a file is named does not matter.

import path from 'node:path';
import { readBytes } from '../../base/files/index.js';
import { foreignKind, isZip, refuseForeign } from './foreign.js';
import type { SourceGraph } from './graph.js';
import { parseJsonObject } from './json.js';
import { isHdf5 } from './keras/hdf5.js';
import { readKerasArchive, readKerasH5 } from './keras/index.js';
import { noFilesBeside, type ReadBeside, readTfjsLayers } from './tfjs/layers.js';

/**
 * Reads a trained model into the neutral graph.
 * @param readBeside reads files that the model names, for formats of several files
 * @returns null if the bytes are not of a source format, for example a `.tflite` file
 * @throws SOURCE_INVALID for damaged files; SOURCE_UNSUPPORTED for formats that cannot be read
 */
export async function decodeSource(
  bytes: Uint8Array,
  where: string,
  readBeside: ReadBeside = noFilesBeside(where),
): Promise<SourceGraph | null> {
  const kind = foreignKind(bytes);
  if (kind !== null) throw refuseForeign(where, kind);
  if (isHdf5(bytes)) return readKerasH5(bytes, where);
  if (isZip(bytes)) return readKerasArchive(bytes, where);
  if (isJson(bytes)) return readJson(bytes, where, readBeside);
  return null;
}

/** Like `decodeSource`, from a file and those beside it. @throws FILE_NOT_READABLE too */
export async function readSource(file: string): Promise<SourceGraph | null> {
  return decodeSource(await readBytes(file), file, beside(file));
}

/** Reads files in the folder of a model. */
export function beside(file: string): ReadBeside {
  return (name) => readBytes(path.join(path.dirname(file), name));
}

function isJson(bytes: Uint8Array): boolean {
  const first = bytes.find((byte) => ![0x20, 0x09, 0x0a, 0x0d].includes(byte));
  return first === 0x7b;
}

async function readJson(bytes: Uint8Array, where: string, readBeside: ReadBeside): Promise<SourceGraph> {
  const file = parseJsonObject(new TextDecoder().decode(bytes), where);
  if (file.format === 'graph-model') throw refuseForeign(where, 'tfjs-graph');
  if (file.modelTopology === undefined) throw refuseForeign(where, 'json');
  return readTfjsLayers(file, where, readBeside);
}
