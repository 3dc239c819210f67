// A manifest as JSON: hashes in hexadecimal, operators by name, and the signature's own claims.

import { hex } from '../../base/hashes.js';
import { builtinOperatorName } from '../../formats/tflite/index.js';
import type { Agreement } from '../../targets/index.js';
import { keyIdOf } from './cose.js';
import { agreementOf, type Trailer } from './slot-image.js';

export interface ManifestView {
  readonly version: string;
  readonly counter: number;
  readonly target: string;
  readonly kernelProfile: string;
  readonly agreement: Agreement;
  readonly operators: readonly string[];
  readonly arenaBytes: number;
  readonly model: {
    readonly sha256: string;
    readonly bytes: number;
    readonly blockBytes: number;
    readonly blocks: readonly string[];
  };
  readonly vectors: { readonly sha256: string; readonly seeds: readonly number[] };
  /** The key id in the signature, which is not verified here; null if there is none. */
  readonly signedBy: string | null;
}

export function manifestView({ manifest, vectors, signature }: Trailer): ManifestView {
  return {
    version: manifest.version,
    counter: manifest.counter ?? 0,
    target: manifest.target,
    kernelProfile: manifest.profile,
    agreement: agreementOf(manifest),
    operators: manifest.operators.map((operator) =>
      typeof operator === 'number' ? builtinOperatorName(operator) : operator,
    ),
    arenaBytes: manifest.arena,
    model: {
      sha256: hex(manifest.model),
      bytes: manifest.model_bytes,
      blockBytes: manifest.block_bytes,
      blocks: manifest.blocks.map(hex),
    },
    vectors: { sha256: hex(manifest.vectors), seeds: vectors.map(({ seed }) => seed) },
    signedBy: signature === null ? null : keyIdOf(signature),
  };
}
