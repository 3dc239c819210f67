// The slot image: the model, zeros up to a multiple of 16, a CBOR trailer, zeros, and a footer of 32 bytes that locates
// them. firmware-protocol/README.md specifies it. A bare .tflite file is a slot image without trailer.

import { crc32 } from 'node:zlib';
import { decode, encode } from 'cborg';
import { z } from 'zod';
import { alignUp } from '../../base/alignment.js';
import { defined } from '../../base/checked.js';
import { fail, reasonOf } from '../../base/errors.js';
import { equalBytes, sha256 } from '../../base/hashes.js';
import type { Agreement } from '../../targets/index.js';
import { bytes, decodeMap, uint } from '../protocol/index.js';
import { signPayload } from './cose.js';
import type { SigningKey } from './keys.js';

const magic = new TextEncoder().encode('ATOLLIMG');
const footerBytes = 32;
export const imageAlignment = 16;
const formatVersion = 1;

const sha = bytes.refine((value) => value.byteLength === 32, 'must be the 32 bytes of a SHA-256');

/** Subset that the C library reads. */
const uint32 = uint.max(0xffff_ffff);

/** The order of the fields is the order of the keys in the encoded manifest. */
const manifestSchema = z.strictObject({
  format: z.literal(1),
  model: sha,
  model_bytes: uint32,
  version: z.string(),
  /** A device with a key accepts no image with a lower counter than that of the image it has confirmed; absent: 0. */
  counter: uint32.optional(),
  target: z.string(),
  profile: z.string(),
  /** "exact", or the maximum difference and the minimum share within it, in parts per million. */
  agreement: z.union([z.literal('exact'), z.strictObject({ max_lsb: uint32, min_share_ppm: uint32 })]),
  /** Builtin codes as numbers, custom operators by name. */
  operators: z.array(z.union([uint32, z.string()])),
  arena: uint32,
  vectors: sha,
  block_bytes: uint32.min(1),
  blocks: z.array(sha),
});
/** What a slot image says about its model. */
export type Manifest = z.output<typeof manifestSchema>;

/** The agreement that an image requires; exact without a manifest. */
export function agreementOf(manifest: Manifest | undefined): Agreement {
  const agreement = manifest?.agreement ?? 'exact';
  return agreement === 'exact' ? 'exact' : { maxLsb: agreement.max_lsb, minShare: agreement.min_share_ppm / 1e6 };
}

const vectorsSchema = z.array(z.strictObject({ seed: uint32, output: bytes }));
/** A seed from which inputs are drawn, and the expected outputs. */
export type SelfTestVector = z.output<typeof vectorsSchema>[number];

const trailerSchema = z.strictObject({ manifest: bytes, vectors: bytes, signature: bytes.optional() });

/** The part of a slot image behind the model. */
export interface Trailer {
  readonly manifest: Manifest;
  readonly vectors: readonly SelfTestVector[];
  /** The signed payload: the encoded manifest. */
  readonly encodedManifest: Uint8Array;
  /** An encoded COSE_Sign1, not verified; null if there is none. */
  readonly signature: Uint8Array | null;
}

/** A slot image taken apart. */
export interface SlotImage {
  /** Bytes of the .tflite file. */
  readonly model: Uint8Array;
  /** null for a bare .tflite file. */
  readonly trailer: Trailer | null;
}

/** Manifest fields that cannot be derived from the bytes. */
export type ManifestInput = Pick<
  Manifest,
  'version' | 'counter' | 'target' | 'profile' | 'agreement' | 'operators' | 'arena'
>;

/**
 * The model is hashed in blocks of this size, and images are sent compressed in such blocks unless the device asks for
 * others.
 */
export const blockBytes = 4096;

/** Predicted length of a model's unsigned slot image: the length of hashes does not depend on their values. */
export function slotImageLength(modelBytes: number, input: ManifestInput, vectors: readonly SelfTestVector[]): number {
  const blocks = Math.ceil(modelBytes / blockBytes);
  const none = new Uint8Array(32);
  const trailer = encodeTrailer(
    modelBytes,
    input,
    vectors,
    { model: none, vectors: () => none, blocks: new Array<Uint8Array>(blocks).fill(none) },
    null,
  );
  return alignUp(modelBytes, imageAlignment) + alignUp(trailer.byteLength, imageAlignment) + footerBytes;
}

interface Hashes {
  readonly model: Uint8Array;
  readonly vectors: (bytes: Uint8Array) => Uint8Array;
  readonly blocks: Uint8Array[];
}

function encodeTrailer(
  modelBytes: number,
  input: ManifestInput,
  vectors: readonly SelfTestVector[],
  hashes: Hashes,
  key: SigningKey | null,
): Uint8Array {
  const vectorBytes = encodeInOrder([...vectors]);
  const manifest: Manifest = {
    format: 1,
    model: hashes.model,
    model_bytes: modelBytes,
    ...input,
    vectors: hashes.vectors(vectorBytes),
    block_bytes: blockBytes,
    blocks: hashes.blocks,
  };
  const encoded = encodeInOrder(manifestSchema.parse(manifest));
  return encodeInOrder({
    manifest: encoded,
    vectors: vectorBytes,
    ...(key === null ? {} : { signature: signPayload(encoded, key) }),
  });
}

export function encodeSlotImage(
  model: Uint8Array,
  input: ManifestInput,
  vectors: readonly SelfTestVector[],
  key: SigningKey | null = null,
): Uint8Array {
  const blocks = Array.from({ length: Math.ceil(model.byteLength / blockBytes) }, (_, i) =>
    sha256(model.subarray(i * blockBytes, (i + 1) * blockBytes)),
  );
  const trailer = encodeTrailer(
    model.byteLength,
    input,
    vectors,
    { model: sha256(model), vectors: sha256, blocks },
    key,
  );
  const trailerOffset = alignUp(model.byteLength, imageAlignment);
  const out = new Uint8Array(trailerOffset + alignUp(trailer.byteLength, imageAlignment) + footerBytes);
  out.set(model);
  out.set(trailer, trailerOffset);
  const footer = out.subarray(out.byteLength - footerBytes);
  const view = new DataView(footer.buffer, footer.byteOffset, footerBytes);
  footer.set(magic);
  view.setUint16(8, formatVersion, true);
  view.setUint32(12, model.byteLength, true);
  view.setUint32(16, trailerOffset, true);
  view.setUint32(20, trailer.byteLength, true);
  view.setUint32(28, crc32(footer.subarray(0, 28)), true);
  return out;
}

/** Keys in the order of the object, as in the schemas. */
function encodeInOrder(value: unknown): Uint8Array {
  return encode(value, { mapSorter: () => 0 });
}

/**
 * Takes a slot image apart and checks its hashes; the signature is not verified.
 * @throws SLOT_IMAGE_INVALID if there is a footer but the trailer is damaged
 */
export function decodeSlotImage(image: Uint8Array): SlotImage {
  const invalid = (reason: string): Error => fail('SLOT_IMAGE_INVALID', { reason });
  const footer = image.subarray(Math.max(0, image.byteLength - footerBytes));
  if (footer.byteLength < footerBytes || !magic.every((byte, i) => footer[i] === byte))
    return { model: image, trailer: null };
  const view = new DataView(footer.buffer, footer.byteOffset, footerBytes);
  if (view.getUint32(28, true) !== crc32(footer.subarray(0, 28))) throw invalid('the footer fails its CRC');
  const version = view.getUint16(8, true);
  if (version !== formatVersion) throw invalid(`format version ${version}; this program supports ${formatVersion}`);
  const [modelBytes, trailerOffset, trailerBytes] = [
    view.getUint32(12, true),
    view.getUint32(16, true),
    view.getUint32(20, true),
  ];
  if (
    trailerOffset !== alignUp(modelBytes, imageAlignment) ||
    trailerOffset + alignUp(trailerBytes, imageAlignment) + footerBytes !== image.byteLength
  )
    throw invalid('the footer does not match the length');
  const isZero = (byte: number): boolean => byte === 0;
  const gaps = [
    image.subarray(modelBytes, trailerOffset),
    image.subarray(trailerOffset + trailerBytes, image.byteLength - footerBytes),
  ];
  const reserved = [footer.subarray(10, 12), footer.subarray(24, 28)];
  if (![...gaps, ...reserved].every((part) => part.every(isZero)))
    throw invalid('the padding between its parts is not 0');
  const model = image.subarray(0, modelBytes);
  return { model, trailer: decodeTrailer(image.subarray(trailerOffset, trailerOffset + trailerBytes), model) };
}

function decodeTrailer(encoded: Uint8Array, model: Uint8Array): Trailer {
  const invalid = (reason: string, cause?: unknown): Error => fail('SLOT_IMAGE_INVALID', { reason }, cause);
  let trailer: z.output<typeof trailerSchema>;
  let manifest: Manifest;
  let vectors: SelfTestVector[];
  try {
    trailer = trailerSchema.parse(decodeMap(encoded, 'trailer'));
    manifest = manifestSchema.parse(decodeMap(trailer.manifest, 'manifest'));
    vectors = vectorsSchema.parse(decode(trailer.vectors));
  } catch (error) {
    throw invalid(error instanceof z.ZodError ? z.prettifyError(error) : reasonOf(error), error);
  }
  // An image has only one encoding, so that nobody can change its bytes without changing its content.
  const isCanonical = [
    [trailer, encoded],
    [manifest, trailer.manifest],
    [vectors, trailer.vectors],
  ].every(([value, bytesOfIt]) => equalBytes(encodeInOrder(value), defined(bytesOfIt) as Uint8Array));
  if (!isCanonical) throw invalid('its CBOR is not in the encoding of atoll.cddl');
  if (manifest.model_bytes !== model.byteLength)
    throw invalid(`the manifest describes a model of ${manifest.model_bytes} bytes, the image has ${model.byteLength}`);
  const blocks = Math.ceil(model.byteLength / manifest.block_bytes);
  if (manifest.blocks.length !== blocks)
    throw invalid(`the manifest has ${manifest.blocks.length} hashes for ${blocks} blocks`);
  if (!equalBytes(manifest.model, sha256(model))) throw invalid('the model does not match the manifest');
  if (!equalBytes(manifest.vectors, sha256(trailer.vectors)))
    throw invalid('the self-test vectors do not match the manifest');
  return { manifest, vectors, encodedManifest: trailer.manifest, signature: trailer.signature ?? null };
}
