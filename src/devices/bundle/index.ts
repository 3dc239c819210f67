// Slot images. In goes a model and a target; out come the bytes that a slot of the device holds (model, manifest and
// self-test vectors), their compressed form, and whether they fit. Also what device and host must draw and compare
// alike: seeded inputs, and agreement of outputs.

export { type AgreementResult, compareOutputs, differencesOf } from './agreement.js';
export { compressedBlocks, inflatedBlock } from './blocks.js';
export { type BundleOptions, buildSlotImage, requireSameEdges, slotImageBytes } from './build.js';
export { buildFittingImage, buildImageFor, checkFile } from './check-file.js';
export {
  CompressedReader,
  compressedBytes,
  compressImage,
  maxBlockBytes,
  type StreamHeader,
  smallestBlockBytes,
} from './compression.js';
export { faultOfSignature } from './cose.js';
export { drawable, drawSample, SeededBytes } from './drawing.js';
export {
  createKeys,
  type KeyAlgorithm,
  keyAlgorithms,
  readPrivateKey,
  readPublicKey,
  type SigningKey,
  type VerifyingKey,
} from './keys.js';
export { type ManifestView, manifestView } from './manifest-view.js';
export {
  agreementOf,
  decodeSlotImage,
  encodeSlotImage,
  imageAlignment,
  type Manifest,
  type SelfTestVector,
  type SlotImage,
  type Trailer,
} from './slot-image.js';
