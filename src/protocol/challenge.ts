// Inputs drawn from a seed: what self-test vectors and challenges run the model on. Specified with test vectors in
// firmware-protocol/README.md, so that any implementation draws the same.

import { fail } from '../errors.js';
import type { ElementType } from '../tflite/index.js';

/** xorshift32 (Marsaglia 2003): state ^= state << 13; ^= state >> 17; ^= state << 5. Byte k is the top byte after step k. */
export class SeededBytes {
  private state: number;

  constructor(seed: number) {
    // A state of 0 would stay 0.
    this.state = seed >>> 0 || 0x9e3779b9;
  }

  next(): number {
    let x = this.state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.state = x >>> 0;
    return this.state >>> 24;
  }
}

/** Whether a tensor of this type can be drawn: other types hold indices or sizes, for which random values make no sense. */
export function drawable(type: ElementType): boolean {
  return type === 'int8' || type === 'uint8' || type === 'int16' || type === 'float32';
}

/** Little-endian bytes of one tensor: integers are drawn byte by byte; a float32 is (signed byte) / 128. */
export function drawTensor(source: SeededBytes, type: ElementType, byteLength: number): Uint8Array {
  if (!drawable(type)) throw fail('INTERNAL', { reason: `cannot draw a tensor of ${type}` });
  const out = new Uint8Array(byteLength);
  if (type !== 'float32') {
    for (let i = 0; i < byteLength; i++) out[i] = source.next();
    return out;
  }
  const view = new DataView(out.buffer);
  for (let i = 0; i < byteLength; i += 4) view.setFloat32(i, ((source.next() << 24) >> 24) / 128, true);
  return out;
}
