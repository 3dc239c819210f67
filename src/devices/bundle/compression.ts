// The compressed form of a slot image: blocks that are compressed one by one (raw deflate, RFC 1951), so that a device
// needs memory for one block of each kind only, and can resume at any block. firmware-protocol/README.md specifies the
// stream.

import { inflateRawSync } from 'node:zlib';
import { elementAt } from '../../base/checked.js';
import { fail, reasonOf } from '../../base/errors.js';
import { compressedBlocks } from './blocks.js';
import { blockBytes } from './slot-image.js';

const magic = Uint8Array.from('ATLZ', (letter) => letter.charCodeAt(0));
const formatVersion = 1;
const headerBytes = 16;
const lengthBytes = 2;
/** Bytes that deflate may add to incompressible data. */
const maxGrowth = 16;

export const [smallestBlockBytes, maxBlockBytes] = [512, 32768];

export interface StreamHeader {
  readonly blockBytes: number;
  /** First block of the stream; the device already has the earlier ones. */
  readonly firstBlock: number;
  /** Size of the whole image. */
  readonly imageBytes: number;
}

/** Bytes of all blocks of a file if each is compressed on its own, with their lengths. */
export function compressedBytes(file: Uint8Array): number {
  return compressedBlocks(file, blockBytes).reduce((sum, block) => sum + lengthBytes + block.byteLength, 0);
}

/** @param size of a block, a power of two from 512 to 32768 */
export function compressImage(image: Uint8Array, size: number, firstBlock = 0): Uint8Array {
  const header = new Uint8Array(headerBytes);
  const view = new DataView(header.buffer);
  header.set(magic);
  view.setUint8(4, formatVersion);
  view.setUint8(5, Math.log2(size));
  view.setUint32(8, firstBlock, true);
  view.setUint32(12, image.byteLength, true);
  return new Uint8Array(
    Buffer.concat([
      header,
      ...compressedBlocks(image.subarray(firstBlock * size), size).flatMap((block) => [lengthOf(block), block]),
    ]),
  );
}

function lengthOf(block: Uint8Array): Uint8Array {
  return Uint8Array.of(block.byteLength & 0xff, block.byteLength >> 8);
}

/** Decodes a stream incrementally, from pieces of any length. */
export class CompressedReader {
  header: StreamHeader | null = null;
  private held = new Uint8Array(0);
  private block = 0;

  /**
   * @returns the blocks that are now complete, inflated, with their offsets in the image
   * @throws COMPRESSED_IMAGE_INVALID
   */
  add(data: Uint8Array): { readonly at: number; readonly bytes: Uint8Array }[] {
    this.held = new Uint8Array(Buffer.concat([this.held, data]));
    if (this.header === null) {
      if (this.held.byteLength < headerBytes) return [];
      this.header = headerOf(this.take(headerBytes));
      this.block = this.header.firstBlock;
    }
    const blocks: { at: number; bytes: Uint8Array }[] = [];
    for (let block = this.next(this.header); block !== null; block = this.next(this.header)) blocks.push(block);
    return blocks;
  }

  private next({ blockBytes: size, imageBytes }: StreamHeader): { at: number; bytes: Uint8Array } | null {
    if (this.held.byteLength < lengthBytes) return null;
    const length = elementAt(this.held, 0) | (elementAt(this.held, 1) << 8);
    const at = this.block * size;
    if (at >= imageBytes) throw invalid('it continues beyond the end of the image');
    if (length > size + maxGrowth) throw invalid(`block ${this.block} has ${length} compressed bytes`);
    if (this.held.byteLength < lengthBytes + length) return null;
    this.take(lengthBytes);
    const expected = Math.min(size, imageBytes - at);
    const bytes = inflate(this.take(length), expected, this.block);
    this.block += 1;
    return { at, bytes };
  }

  private take(length: number): Uint8Array {
    const taken = this.held.subarray(0, length);
    this.held = this.held.subarray(length);
    return taken;
  }
}

function headerOf(bytes: Uint8Array): StreamHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, headerBytes);
  if (!magic.every((byte, i) => bytes[i] === byte)) throw invalid('it does not start with ATLZ');
  if (view.getUint8(4) !== formatVersion)
    throw invalid(`format version ${view.getUint8(4)}; this program supports ${formatVersion}`);
  const header = {
    blockBytes: 2 ** view.getUint8(5),
    firstBlock: view.getUint32(8, true),
    imageBytes: view.getUint32(12, true),
  };
  if (header.blockBytes < smallestBlockBytes || header.blockBytes > maxBlockBytes)
    throw invalid(`blocks of ${header.blockBytes} bytes`);
  return header;
}

function inflate(block: Uint8Array, expected: number, index: number): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = inflateRawSync(block, { maxOutputLength: expected });
  } catch (error) {
    throw invalid(`block ${index}: ${reasonOf(error)}`, error);
  }
  if (bytes.byteLength !== expected)
    throw invalid(`block ${index} has ${bytes.byteLength} bytes instead of ${expected}`);
  return bytes;
}

function invalid(reason: string, cause?: unknown): Error {
  return fail('COMPRESSED_IMAGE_INVALID', { reason }, cause);
}
