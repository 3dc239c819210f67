import { inflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CompressedReader, compressedBytes, compressImage } from '../../../../src/devices/bundle/index.js';

/** Bytes that compress, in part. */
const image = Uint8Array.from({ length: 5000 }, (_, i) => (i % 700 < 300 ? 0 : (i * i * 31) >> 3));

function read(stream: Uint8Array, pieces: readonly number[]): Uint8Array {
  const reader = new CompressedReader();
  const out = new Uint8Array(image.byteLength);
  let at = 0;
  for (let i = 0; at < stream.byteLength; i++) {
    const length = pieces[i % pieces.length] as number;
    for (const block of reader.add(stream.subarray(at, at + length))) out.set(block.bytes, block.at);
    at += length;
  }
  return out;
}

test('is reassembled from pieces of any length', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(512, 1024, 4096, 32768),
      fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1 }),
      (size, pieces) => {
        expect(Buffer.compare(read(compressImage(image, size), pieces), image)).toBe(0);
      },
    ),
  );
});

test('starts at any block, which the header names', () => {
  const reader = new CompressedReader();
  const blocks = reader.add(compressImage(image, 1024, 3));
  expect(reader.header).toEqual({ blockBytes: 1024, firstBlock: 3, imageBytes: 5000 });
  expect(blocks.map(({ at, bytes }) => [at, bytes.byteLength])).toEqual([
    [3072, 1024],
    [4096, 904],
  ]);
});

test('each block is raw deflate with a window of its length', () => {
  const stream = compressImage(image, 512);
  const length = (stream[16] as number) | ((stream[17] as number) << 8);
  const first = inflateRawSync(stream.subarray(18, 18 + length), { windowBits: 9, maxOutputLength: 512 });
  expect(Buffer.compare(first, image.subarray(0, 512))).toBe(0);
});

test('the size that reports give is that of the stream without its header', () => {
  expect(compressedBytes(image)).toBe(compressImage(image, 4096).byteLength - 16);
  expect(compressedBytes(image)).toBeLessThan(image.byteLength);
});

describe('refuses', () => {
  const good = compressImage(image, 1024);
  const changed = (at: number, value: number): Uint8Array => good.with(at, value);
  test.each([
    ['another beginning', changed(0, 0), /does not start with ATLZ/],
    ['another version', changed(4, 9), /format version 9/],
    ['blocks too large', changed(5, 20), /blocks of 1048576 bytes/],
    ['a block longer than deflate makes any', changed(17, 0xff), /block 0 has \d+ compressed bytes/],
    ['a block that is no deflate', changed(18, 0xff), /block 0/],
    ['a block that inflates to more than a block', new Uint8Array(Buffer.concat([changed(5, 9)])), /block 0/],
    ['bytes behind the end', new Uint8Array(Buffer.concat([good, good])), /beyond the end/],
  ])('%s', (_, stream, message) => {
    const read = (): unknown => new CompressedReader().add(stream);
    expect(read).toThrow(expect.objectContaining({ code: 'COMPRESSED_IMAGE_INVALID' }));
    expect(read).toThrow(message);
  });

  test('any other damage, with a coded error or other bytes, and never more of them', () => {
    fc.assert(
      fc.property(fc.nat({ max: good.byteLength - 1 }), fc.nat({ max: 255 }), (at, value) => {
        try {
          for (const block of new CompressedReader().add(changed(at, value)))
            expect(block.bytes.byteLength).toBeLessThanOrEqual(32768);
        } catch (error) {
          expect(error).toMatchObject({ code: 'COMPRESSED_IMAGE_INVALID' });
        }
      }),
      { numRuns: 300 },
    );
  });
});
