// A test case for an existing model: random inputs, and the tensors to compare.

import * as tflite from '../../dist/formats/tflite/index.js';
import { readModel } from '../../dist/index.js';
import { count } from '../fixtures/operators/build.js';
import { randomFrom } from './random.js';

/** Random elements by type: the full range for quantized types, small values for index types. */
const elements = {
  float32: (random, length) => Float32Array.from({ length }, () => random.bell()),
  int8: (random, length) => Int8Array.from({ length }, () => random.whole(-128, 127)),
  uint8: (random, length) => Uint8Array.from({ length }, () => random.whole(0, 255)),
  int16: (random, length) => Int16Array.from({ length }, () => random.whole(-32768, 32767)),
  int32: (random, length) => Int32Array.from({ length }, () => random.whole(0, 3)),
  int64: (random, length) => BigInt64Array.from({ length }, () => BigInt(random.whole(0, 3))),
  bool: (random, length) => Uint8Array.from({ length }, () => random.whole(0, 1)),
};

/**
 * @param {string} name
 * @param {Uint8Array} bytes a .tflite file
 * @param {{seed?: number, frames?: number}} options frames: invocations without reset
 * @returns {import('./judge.js').Case} @throws where an input cannot be fed
 */
export function subjectOf(name, bytes, { seed = 1, frames = 1 } = {}) {
  const model = readModel(bytes);
  const [main] = model.subgraphs;
  const random = randomFrom(seed);
  const inputs = Array.from(main.inputs, (index) => {
    const tensor = main.tensors[index];
    const type = tflite.elementTypeOf(tensor);
    const make = elements[type];
    if (make === undefined) throw new Error(`input ${tensor.name} is ${type}`);
    const data = make(random, frames * count(Array.from(tensor.shape ?? [])));
    return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  });
  const written = new Set(main.operators.flatMap(({ outputs }) => Array.from(outputs)));
  const produced = [...written].filter(
    (index) => index >= 0 && elements[tflite.elementTypeOf(main.tensors[index])] !== undefined,
  );
  return { name, model: bytes, inputs, frames, runtimes: ['tflm', 'tflite'], produced, arenaBytes: arenaBytesOf(main) };
}

/** Large enough for all tensors at once plus scratch buffers. */
function arenaBytesOf({ tensors }) {
  return Math.min(
    2 ** 31 - 1,
    64 * 2 ** 20 +
      3 *
        tensors.reduce(
          (sum, tensor) => sum + 4 * count(Array.from(tensor.shape ?? [], (size) => Math.max(1, size))),
          0,
        ),
  );
}
