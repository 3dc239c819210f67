// Divides a slot image into blocks for a fleet. Each is compressed on its own (raw deflate) and sent as one message.

import { deflateRawSync, inflateRawSync } from 'node:zlib';

/** @param size of a block, a power of two from 512 to 32768. @returns the blocks in order */
export function compressedBlocks(image: Uint8Array, size: number): Uint8Array[] {
  const options = { level: 9, memLevel: 9, windowBits: Math.log2(size) };
  return Array.from(
    { length: Math.ceil(image.byteLength / size) },
    (_, n) => new Uint8Array(deflateRawSync(image.subarray(n * size, (n + 1) * size), options)),
  );
}

/** @param length expected length of the block. @returns null if it is not such a block */
export function inflatedBlock(compressed: Uint8Array, length: number): Uint8Array | null {
  try {
    const bytes = inflateRawSync(compressed, { maxOutputLength: length });
    return bytes.byteLength === length ? new Uint8Array(bytes.buffer, bytes.byteOffset, length) : null;
  } catch {
    return null;
  }
}
