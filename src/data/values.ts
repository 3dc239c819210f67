// Converts elements on disk to real values.

import { elementAt } from '../base/checked.js';
import type { DiskType, SourceFile } from './schema.js';

const widths: Record<DiskType, number> = { float32: 4, float64: 8, int8: 1, uint8: 1, int16: 2, int32: 4, int64: 8 };
const npyKinds: Record<string, DiskType> = {
  f4: 'float32',
  f8: 'float64',
  i1: 'int8',
  u1: 'uint8',
  i2: 'int16',
  i4: 'int32',
  i8: 'int64',
};

export function diskBytes(type: DiskType): number {
  return widths[type];
}

export function diskTypeOfNpy(kind: string): DiskType | null {
  return npyKinds[kind] ?? null;
}

/** Little-endian elements as real values: (q - zeroPoint) * scale if a quantization is given. */
export function realValues(bytes: Uint8Array, type: DiskType, quantization: SourceFile['quantization']): Float32Array {
  const elements = typed(bytes, type);
  // Typed arrays convert each other quickly, except those of bigints.
  const out =
    elements instanceof BigInt64Array
      ? Float32Array.from(elements as ArrayLike<unknown>, Number)
      : new Float32Array(elements);
  if (quantization === undefined) return out;
  for (let i = 0; i < out.length; i++) out[i] = (elementAt(out, i) - quantization.zeroPoint) * quantization.scale;
  return out;
}

function typed(
  bytes: Uint8Array,
  type: DiskType,
): Float32Array | Float64Array | Int8Array | Uint8Array | Int16Array | Int32Array | BigInt64Array {
  const aligned = bytes.byteOffset % widths[type] === 0 ? bytes : bytes.slice();
  const count = aligned.byteLength / widths[type];
  switch (type) {
    case 'float32':
      return new Float32Array(aligned.buffer, aligned.byteOffset, count);
    case 'float64':
      return new Float64Array(aligned.buffer, aligned.byteOffset, count);
    case 'int8':
      return new Int8Array(aligned.buffer, aligned.byteOffset, count);
    case 'uint8':
      return aligned;
    case 'int16':
      return new Int16Array(aligned.buffer, aligned.byteOffset, count);
    case 'int64':
      return new BigInt64Array(aligned.buffer, aligned.byteOffset, count);
    case 'int32':
      return new Int32Array(aligned.buffer, aligned.byteOffset, count);
  }
}

/** Whether two shapes are equal apart from dimensions of 1. */
export function sameButOnes(a: readonly number[], b: readonly number[]): boolean {
  const [one, other] = [a, b].map((shape) => shape.filter((size) => size !== 1)) as [number[], number[]];
  return one.length === other.length && one.every((size, d) => size === other[d]);
}

/** The channels-last shape of a sample that is stored with channels first. */
export function channelsLastShape(shape: readonly number[]): number[] {
  const [channels = 1, ...rest] = shape;
  return [...rest, channels];
}

/** Transposes a sample from [channels, ...rest] to [...rest, channels]. */
export function channelsLast(values: Float32Array, [channels = 1]: readonly number[]): Float32Array {
  const places = values.length / channels;
  const out = new Float32Array(values.length);
  for (let c = 0; c < channels; c++)
    for (let i = 0; i < places; i++) out[i * channels + c] = elementAt(values, c * places + i);
  return out;
}
