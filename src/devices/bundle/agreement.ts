// Compares a device's outputs with the simulator's.

import type { TensorInfo } from '../../simulator/index.js';
import type { Agreement } from '../../targets/index.js';

export interface AgreementResult {
  readonly agrees: boolean;
  /** Maximum difference in units of the last place; for float32 outputs 0 or 1 (equal bytes or not). */
  readonly maxLsb: number;
  /** Minimum share of output elements within that difference. */
  readonly share: number;
}

/** Compares outputs of the given tensors, sample after sample, element by element. */
export function compareOutputs(
  expected: Uint8Array,
  actual: Uint8Array,
  outputs: readonly TensorInfo[],
  agreement: Agreement,
): AgreementResult {
  const allowed = agreement === 'exact' ? 0 : agreement.maxLsb;
  const wanted = agreement === 'exact' ? 1 : agreement.minShare;
  if (expected.byteLength !== actual.byteLength) return { agrees: false, maxLsb: Number.MAX_SAFE_INTEGER, share: 0 };
  let maxLsb = 0;
  let within = 0;
  let total = 0;
  for (const difference of differencesOf(expected, actual, outputs)) {
    maxLsb = Math.max(maxLsb, difference);
    if (difference <= allowed) within += 1;
    total += 1;
  }
  const share = total === 0 ? 1 : within / total;
  return { agrees: share >= wanted, maxLsb, share };
}

/**
 * The difference of each element, in units of the last place, for outputs of equal length: sample after sample, tensor
 * after tensor.
 */
export function* differencesOf(
  expected: Uint8Array,
  actual: Uint8Array,
  outputs: readonly TensorInfo[],
): Generator<number> {
  const [a, b] = [expected, actual].map(
    ({ buffer, byteOffset, byteLength }) => new DataView(buffer, byteOffset, byteLength),
  ) as [DataView, DataView];
  for (let at = 0; at < expected.byteLength; ) {
    for (const { bytes, type } of outputs) {
      const width = type === 'int16' ? 2 : type === 'int8' || type === 'uint8' || type === 'bool' ? 1 : 4;
      for (let i = at; i < at + bytes; i += width) yield differenceAt(a, b, i, type);
      at += bytes;
    }
  }
}

function differenceAt(a: DataView, b: DataView, at: number, type: TensorInfo['type']): number {
  switch (type) {
    case 'int8':
      return Math.abs(a.getInt8(at) - b.getInt8(at));
    case 'uint8':
    case 'bool':
      return Math.abs(a.getUint8(at) - b.getUint8(at));
    case 'int16':
      return Math.abs(a.getInt16(at, true) - b.getInt16(at, true));
    default:
      return Number(a.getUint32(at, true) !== b.getUint32(at, true));
  }
}
