// Encodes a Model. The flatbuffers runtime writes from the end of a buffer to its front, children before parents; the
// buffer is allocated in its final size, so that it never has to double.

import { Builder } from 'flatbuffers';
import { fail } from '../../base/errors.js';
import { type Infer, writeTable } from '../flatbuffer/index.js';
import { Model } from './schema/model.js';

const maxBytes = 2 ** 31 - 1;

/**
 * Writes a model as a TFLite file with every field of the schema, buffers aligned to 16 bytes.
 * @throws TFLITE_UNKNOWN_FIELD if it was read from a file with fields that the schema does not know: they cannot be
 * relocated
 * @throws TFLITE_TOO_LARGE
 */
export function writeModel(model: Infer<typeof Model>): Uint8Array {
  const weightBytes = model.buffers.reduce((sum, buffer) => sum + (buffer.data?.byteLength ?? 0) + 32, 0);
  if (weightBytes > maxBytes) throw fail('TFLITE_TOO_LARGE', { bytes: weightBytes });
  const builder = new Builder(weightBytes + (weightBytes >> 4) + 65536);
  const root = writeTable(builder, Model, model);
  builder.finish(root, 'TFL3');
  return builder.asUint8Array();
}
