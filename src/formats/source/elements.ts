// Elements of source tensors: bytes in a file to arrays of numbers.

import { elementCount } from '../tflite/index.js';
import type { NumericArray, SourceType } from './graph.js';

const bytesPerElement: Readonly<Record<SourceType, number>> = {
  float32: 4,
  float16: 2,
  float64: 8,
  bfloat16: 2,
  int8: 1,
  uint8: 1,
  int16: 2,
  uint16: 2,
  int32: 4,
  uint32: 4,
  int64: 8,
  uint64: 8,
  bool: 1,
};

/** Bytes of a tensor; exact up to 2^53. */
export function bytesOfShape(type: SourceType, shape: readonly number[]): number {
  return bytesPerElement[type] * elementCount(shape);
}

/**
 * Decodes little-endian elements. Floats of other widths become float32.
 * @param bytes of exactly the elements
 */
export function decodeElements(type: SourceType, bytes: Uint8Array): NumericArray {
  const width = bytesPerElement[type];
  const count = Math.floor(bytes.byteLength / width);
  // Typed arrays must be aligned.
  const aligned = bytes.byteOffset % width === 0 ? bytes : bytes.slice();
  const at = [aligned.buffer, aligned.byteOffset, count] as const;
  switch (type) {
    case 'float32':
      return new Float32Array(...at);
    case 'float64':
      return Float32Array.from(new Float64Array(...at));
    case 'float16':
      return Float32Array.from(new Uint16Array(...at), floatOfHalf);
    case 'bfloat16':
      return new Float32Array(Uint32Array.from(new Uint16Array(...at), (bits) => bits << 16).buffer);
    case 'int8':
      return new Int8Array(...at);
    case 'uint8':
    case 'bool':
      return new Uint8Array(...at);
    case 'int16':
      return new Int16Array(...at);
    case 'uint16':
      return new Uint16Array(...at);
    case 'int32':
      return new Int32Array(...at);
    case 'uint32':
      return new Uint32Array(...at);
    case 'int64':
      return new BigInt64Array(...at);
    case 'uint64':
      return new BigUint64Array(...at);
  }
}

/** The value of an IEEE 754 half-precision number from its bits. */
function floatOfHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
