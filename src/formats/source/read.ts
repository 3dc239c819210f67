// Reads a source model of any format. Formats are recognized by content; what a file is named does not matter.

import { readBytes } from '../../base/files/index.js';
import { foreignKind, isZip, refuseForeign } from './foreign.js';
import type { SourceGraph } from './graph.js';
import { isHdf5 } from './keras/hdf5.js';
import { readKerasArchive, readKerasH5 } from './keras/index.js';

/**
 * Reads a trained model into the neutral graph.
 * @returns null if the bytes are not of a source format, for example a `.tflite` file
 * @throws SOURCE_INVALID for damaged files; SOURCE_UNSUPPORTED for formats that cannot be read
 */
export function decodeSource(bytes: Uint8Array, where: string): SourceGraph | null {
  const kind = foreignKind(bytes);
  if (kind !== null) throw refuseForeign(where, kind);
  if (isHdf5(bytes)) return readKerasH5(bytes, where);
  if (isZip(bytes)) return readKerasArchive(bytes, where);
  return null;
}

/** Like `decodeSource`, from a file. @throws FILE_NOT_READABLE too */
export async function readSource(file: string): Promise<SourceGraph | null> {
  return decodeSource(await readBytes(file), file);
}
