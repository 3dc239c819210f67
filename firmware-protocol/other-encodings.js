// Images and signatures that say what the signed image of vectors.json says, in other bytes. Every one must be refused:
// an image has one encoding.

import { crc32 } from 'node:zlib';
import { decode, encode } from 'cborg';
import { sha256 } from '../dist/base/hashes.js';
import { signPayload } from '../dist/devices/bundle/cose.js';

const footerBytes = 32;
const inOrder = (value) => encode(value, { mapSorter: () => 0 });
const toHex = (bytes) => Buffer.from(bytes).toString('hex');
const padded = (bytes, fill) => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 15, fill)]);
const withIndefiniteMap = (map) => Buffer.concat([Buffer.of(0xbf), inOrder(map).subarray(1), Buffer.of(0xff)]);
/** A map or array of fewer than 24 entries, with its count in a byte of its own. */
const withLongerHead = (value) => Buffer.concat([Buffer.of((value[0] & 0xe0) | 24, value[0] & 31), value.subarray(1)]);

/** @param signed a whole slot image. @param key that signed it */
export function otherEncodings(signed, modelBytes, key) {
  const model = signed.subarray(0, modelBytes);
  const footer = signed.subarray(-footerBytes);
  const [trailerAt, trailerBytes] = [footer.readUInt32LE(16), footer.readUInt32LE(20)];
  const trailer = decode(signed.subarray(trailerAt, trailerAt + trailerBytes));
  const manifest = decode(trailer.manifest);

  const imageOf = (encodedTrailer, { afterModel = 0, afterTrailer = 0, reserved = 0 } = {}) => {
    const start = Buffer.from(footer);
    start.writeUInt32LE(encodedTrailer.length, 20);
    start.writeUInt32LE(reserved, 24);
    start.writeUInt32LE(crc32(start.subarray(0, 28)), 28);
    return Buffer.concat([padded(model, afterModel), padded(encodedTrailer, afterTrailer), start]);
  };
  const withManifest = (encoded, vectors = trailer.vectors) =>
    imageOf(
      inOrder({ manifest: new Uint8Array(encoded), vectors, signature: signPayload(new Uint8Array(encoded), key) }),
    );
  const withVectors = (vectors) =>
    withManifest(inOrder({ ...manifest, vectors: sha256(vectors) }), new Uint8Array(vectors));
  const { counter, ...rest } = manifest;
  const reservedShort = imageOf(inOrder(trailer));
  reservedShort.writeUInt16LE(1, reservedShort.length - footerBytes + 10);
  reservedShort.writeUInt32LE(crc32(reservedShort.subarray(-footerBytes, -4)), reservedShort.length - 4);

  const images = {
    'another key in the trailer': imageOf(inOrder({ ...trailer, more: 1 })),
    'the keys of the trailer in another order': imageOf(
      inOrder({ vectors: trailer.vectors, manifest: trailer.manifest, signature: trailer.signature }),
    ),
    'a trailer of indefinite length': imageOf(withIndefiniteMap(trailer)),
    'a trailer with a longer head': imageOf(withLongerHead(inOrder(trailer))),
    "a byte after the trailer's map": imageOf(Buffer.concat([inOrder(trailer), Buffer.of(0)])),
    'another key in the manifest': withManifest(inOrder({ ...manifest, more: 1 })),
    'the counter at the end of the manifest': withManifest(inOrder({ ...rest, counter })),
    'a manifest of indefinite length': withManifest(withIndefiniteMap(manifest)),
    'a manifest with a longer head': withManifest(withLongerHead(inOrder(manifest))),
    'a manifest without hashes of blocks': withManifest(inOrder({ ...manifest, blocks: [] })),
    'a manifest with a hash of a block too many': withManifest(
      inOrder({ ...manifest, blocks: [...manifest.blocks, manifest.blocks[0]] }),
    ),
    'blocks of 0 bytes': withManifest(inOrder({ ...manifest, block_bytes: 0 })),
    'another length of the model in the manifest': withManifest(inOrder({ ...manifest, model_bytes: modelBytes + 1 })),
    'another key in a vector': withVectors(inOrder([{ seed: 1, output: Uint8Array.of(1, 2, 3), more: 1 }])),
    'a vector in another order': withVectors(inOrder([{ output: Uint8Array.of(1, 2, 3), seed: 1 }])),
    'vectors with a longer head': withVectors(withLongerHead(Buffer.from(trailer.vectors))),
    'a byte after the vectors': withVectors(Buffer.concat([trailer.vectors, Buffer.of(0)])),
    'bytes other than 0 after the model': imageOf(inOrder(trailer), { afterModel: 1 }),
    'bytes other than 0 after the trailer': imageOf(inOrder(trailer), { afterTrailer: 1 }),
    'a reserved word of the footer that is not 0': imageOf(inOrder(trailer), { reserved: 1 }),
    'reserved bytes of the footer that are not 0': reservedShort,
  };

  const [head, , , signature] = decode(trailer.signature, { useMaps: true });
  const { id } = key;
  const idEntry = Buffer.concat([Buffer.of(4), encode(id)]);
  const parts = (unprotected, { payload = Buffer.of(0xf6), last = encode(signature) } = {}) =>
    Buffer.concat([Buffer.of(0x84), encode(head), unprotected, payload, last]);
  const usual = Buffer.concat([Buffer.of(0xa1), idEntry]);
  const signatures = {
    'another unprotected header': parts(Buffer.concat([Buffer.of(0xa2), idEntry, Buffer.of(5, 0)])),
    'the key id twice': parts(Buffer.concat([Buffer.of(0xa2), idEntry, idEntry])),
    'no key id': parts(Buffer.of(0xa0)),
    'a shorter key id': parts(Buffer.concat([Buffer.of(0xa1, 4), encode(id.slice(0, 7))])),
    'a key id with a longer head': parts(Buffer.concat([Buffer.of(0xa1, 4, 0x58, 8), id])),
    'a payload of its own': parts(usual, { payload: encode(new Uint8Array(trailer.manifest)) }),
    'a payload that is undefined': parts(usual, { payload: Buffer.of(0xf7) }),
    'a longer signature': parts(usual, { last: encode(new Uint8Array(65)) }),
    'a tag': Buffer.concat([Buffer.of(0xd2), parts(usual)]),
    'an array of indefinite length': Buffer.concat([Buffer.of(0x9f), parts(usual).subarray(1), Buffer.of(0xff)]),
    'a byte after it': Buffer.concat([parts(usual), Buffer.of(0)]),
  };
  const named = (all) => Object.entries(all).map(([name, bytes]) => ({ name, bytes: toHex(bytes) }));
  return { images: named(images), signatures: named(signatures) };
}
