// The number formats of quantized tensors: real = (q - zeroPoint) * scale.

import { create, type QuantizationParameters, schema, TensorType } from '../../formats/tflite/index.js';
import { roundHalfAway } from '../../simulator/index.js';

/** Types in which integer operators compute. */
export type IntegerType = 'int8' | 'int16';

/** Types in which a tensor of real numbers may be stored. */
export type NumberType = IntegerType | 'uint8' | 'float32';

/** How a tensor's elements represent real numbers. Float elements are the numbers themselves. */
export interface NumberFormat {
  readonly type: NumberType;
  /** 1 for float32. */
  readonly scale: number;
  /** 0 for float32. */
  readonly zeroPoint: number;
}

export const float: NumberFormat = { type: 'float32', scale: 1, zeroPoint: 0 };

export function sameFormat(a: NumberFormat, b: NumberFormat): boolean {
  return a.type === b.type && a.scale === b.scale && a.zeroPoint === b.zeroPoint;
}

interface Storage {
  readonly tensorType: number;
  readonly low: number;
  readonly high: number;
  readonly elements: (values: Float64Array) => Uint8Array;
}

const bytesOf = ({ buffer }: { readonly buffer: ArrayBufferLike }): Uint8Array => new Uint8Array(buffer);

const storages: Readonly<Record<NumberType, Storage>> = {
  int8: { tensorType: TensorType.INT8, low: -128, high: 127, elements: (values) => bytesOf(Int8Array.from(values)) },
  uint8: { tensorType: TensorType.UINT8, low: 0, high: 255, elements: (values) => bytesOf(Uint8Array.from(values)) },
  int16: {
    tensorType: TensorType.INT16,
    low: -32768,
    high: 32767,
    elements: (values) => bytesOf(Int16Array.from(values)),
  },
  float32: {
    tensorType: TensorType.FLOAT32,
    low: -Infinity,
    high: Infinity,
    elements: (values) => bytesOf(Float32Array.from(values)),
  },
};

export function tensorTypeOf(type: NumberType): number {
  return storages[type].tensorType;
}

/** The smallest and the largest real value. */
export function realLimits({ type, scale, zeroPoint }: NumberFormat): readonly [number, number] {
  const { low, high } = storages[type];
  return [(low - zeroPoint) * scale, (high - zeroPoint) * scale];
}

/** The elements that represent real values, rounded half away from zero and clamped, little-endian. */
export function elementsIn({ type, scale, zeroPoint }: NumberFormat, values: Float32Array): Uint8Array {
  const { low, high, elements } = storages[type];
  if (type === 'float32') return elements(Float64Array.from(values));
  return elements(
    Float64Array.from(values, (value) => Math.min(high, Math.max(low, roundHalfAway(value / scale) + zeroPoint))),
  );
}

/** The file's quantization entry; null for float32. */
export function parametersOf(scales: readonly number[], zeroPoint = 0, axis = 0): QuantizationParameters {
  return create(schema.QuantizationParameters, {
    scale: Float32Array.from(scales),
    zeroPoint: BigInt64Array.from(scales, () => BigInt(zeroPoint)),
    quantizedDimension: axis,
  });
}
