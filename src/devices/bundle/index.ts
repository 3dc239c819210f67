// Slot images. Takes a model and a target; returns the content of a device's slot (model, manifest and self-test
// vectors), its compressed form, and whether it fits. Also what device and host must compute alike: seeded inputs, and
// agreement of outputs.

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
