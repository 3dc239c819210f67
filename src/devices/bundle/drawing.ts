// Model inputs drawn from a seed, for self-test vectors and challenges. firmware-protocol/README.md specifies them with
// test vectors, so that every implementation draws the same.

import { fail } from '../../base/errors.js';
import type { TensorInfo } from '../../simulator/index.js';

/**
 * xorshift32 (Marsaglia 2003): state ^= state << 13; ^= state >> 17; ^= state << 5. Byte k is the top byte after step
 * k.
 */
export class SeededBytes {
  private state: number;

  constructor(seed: number) {
    // The state 0 would never change.
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

const drawableTypes = new Set(['int8', 'uint8', 'int16', 'float32']);

/** Whether random values make sense for these inputs: other types hold indices or sizes. */
export function drawable(inputs: readonly TensorInfo[]): boolean {
  return inputs.every(({ type }) => drawableTypes.has(type));
}

/** All inputs of one sample, back to back. Integers are drawn byte by byte; a float32 is (signed byte) / 128. */
export function drawSample(source: SeededBytes, inputs: readonly TensorInfo[]): Uint8Array {
  if (!drawable(inputs)) throw fail('INTERNAL', { reason: 'inputs of a type that cannot be drawn at random' });
  const out = new Uint8Array(inputs.reduce((sum, { bytes }) => sum + bytes, 0));
  const view = new DataView(out.buffer);
  let at = 0;
  for (const { type, bytes } of inputs) {
    const end = at + bytes;
    if (type === 'float32') for (; at < end; at += 4) view.setFloat32(at, ((source.next() << 24) >> 24) / 128, true);
    else while (at < end) out[at++] = source.next();
  }
  return out;
}
