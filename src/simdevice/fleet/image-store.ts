// What the simulated devices of one process know together, so that ten thousand of them cost no more than their own states: the bytes of each image once,
// and what a kind of device makes of it once.

import { crc32 } from 'node:zlib';
import { agreementOf, decodeSlotImage, sha256, type VerifyingKey } from '../../bundle/index.js';
import { statusName } from '../../protocol/index.js';
import { operatorLatencies, type Target } from '../../targets/index.js';
import { LoadedModel } from '../loaded-model.js';
import { StatusError } from '../status-error.js';
import { requireTrust } from '../trust.js';

/** What became of testing an image. */
export interface Verdict {
  /** Why it cannot run; null where it can. */
  readonly refusal: { readonly code: string; readonly detail: string } | null;
  readonly model: Uint8Array;
  readonly counter: number;
  readonly vectors: number;
  readonly failed: number;
  readonly arenaBytes: number;
  /** Estimate of one inference, without jitter. */
  readonly latencyMs: number;
}

export class ImageStore {
  private readonly images = new Map<string, Uint8Array>();
  private readonly verdicts = new Map<string, Verdict>();
  private readonly challenges = new Map<string, number>();
  private readonly loaded = new Map<string, LoadedModel>();

  constructor(
    private readonly target: Target,
    private readonly keys: readonly VerifyingKey[],
  ) {}

  /** The one copy of these bytes that is kept. @param sha theirs */
  shared(sha: string, image: Uint8Array): Uint8Array {
    const known = this.images.get(sha);
    if (known !== undefined) return known;
    this.images.set(sha, image);
    return image;
  }

  image(sha: string): Uint8Array | null {
    return this.images.get(sha) ?? null;
  }

  verdict(sha: string, image: Uint8Array): Verdict {
    let verdict = this.verdicts.get(sha);
    if (verdict === undefined) {
      verdict = this.judge(sha, image);
      this.verdicts.set(sha, verdict);
    }
    return verdict;
  }

  /** CRC of the outputs on samples drawn from a seed. */
  challenge(sha: string, image: Uint8Array, seed: number, samples: number): number {
    const key = `${sha} ${seed} ${samples}`;
    let crc = this.challenges.get(key);
    if (crc === undefined) {
      crc = crc32(this.load(sha, image).challenge(seed, samples));
      this.challenges.set(key, crc);
    }
    return crc;
  }

  private load(sha: string, image: Uint8Array): LoadedModel {
    const known = this.loaded.get(sha);
    if (known !== undefined) return known;
    const model = LoadedModel.load(image, this.target, 1, false);
    this.loaded.set(sha, model);
    return model;
  }

  private judge(sha: string, image: Uint8Array): Verdict {
    try {
      const loaded = this.load(sha, image);
      if (this.keys.length > 0) requireTrust(loaded.image, this.keys, null);
      const { trailer } = loaded.image;
      const result = loaded.selfTest(agreementOf(trailer?.manifest));
      const latencyMs = operatorLatencies(loaded.model, this.target).reduce((sum, ms) => sum + ms, 0);
      return {
        refusal: result.failed === 0 ? null : { code: 'SELF_TEST_FAILED', detail: `${result.failed} of ${result.vectors} vectors` },
        model: sha256(loaded.image.model),
        counter: trailer?.manifest.counter ?? 0,
        vectors: result.vectors,
        failed: result.failed,
        arenaBytes: loaded.arenaBytes,
        latencyMs,
      };
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      const model = modelOf(image);
      return {
        refusal: { code: statusName(error.group, error.rc), detail: String(error.extra.detail ?? '') },
        model,
        counter: 0,
        vectors: 0,
        failed: 0,
        arenaBytes: 0,
        latencyMs: 0,
      };
    }
  }
}

function modelOf(image: Uint8Array): Uint8Array {
  try {
    return sha256(decodeSlotImage(image).model);
  } catch {
    return sha256(image);
  }
}
