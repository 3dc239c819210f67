// What the simulated devices of one process know together, so that ten thousand of them cost no more than their own states: the bytes of each image once,
// and what a kind of device makes of it once.

import { agreementOf, decodeSlotImage, hex, sha256, type VerifyingKey } from '../../bundle/index.js';
import type { Dataset } from '../../dataset/index.js';
import { evaluate, hostRunner } from '../../evaluate/index.js';
import { challengeSamples, reportedOutputBytes, statusName } from '../../protocol/index.js';
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

export interface CountedSamples {
  readonly samples: number;
  readonly correct: number;
}

export class ImageStore {
  private readonly images = new Map<string, Uint8Array>();
  private readonly hashes = new WeakMap<Uint8Array, string>();
  private readonly verdicts = new Map<string, Verdict>();
  private readonly challenges = new Map<string, Uint8Array | null>();
  private readonly loaded = new Map<string, LoadedModel>();
  private readonly counts = new Map<string, Promise<CountedSamples>>();

  /** @param samples labelled ones that every device holds; null: none does */
  constructor(
    private readonly target: Target,
    private readonly keys: readonly VerifyingKey[],
    private readonly samples: Dataset | null = null,
  ) {}

  /** The one copy of these bytes that is kept. @param sha theirs */
  shared(sha: string, image: Uint8Array): Uint8Array {
    const known = this.images.get(sha);
    if (known !== undefined) return known;
    this.images.set(sha, image);
    this.hashes.set(image, sha);
    return image;
  }

  image(sha: string): Uint8Array | null {
    return this.images.get(sha) ?? null;
  }

  /** SHA-256 in hexadecimal. */
  sha(image: Uint8Array): string {
    let sha = this.hashes.get(image);
    if (sha === undefined) {
      sha = hex(sha256(image));
      this.hashes.set(image, sha);
    }
    return sha;
  }

  verdict(image: Uint8Array): Verdict {
    const sha = this.sha(image);
    let verdict = this.verdicts.get(sha);
    if (verdict === undefined) {
      verdict = this.judge(image);
      this.verdicts.set(sha, verdict);
    }
    return verdict;
  }

  /** Outputs on samples drawn from a seed; null for a model whose inputs cannot be drawn. */
  challenge(image: Uint8Array, seed: number): Uint8Array | null {
    const key = `${this.sha(image)} ${seed}`;
    let outputs = this.challenges.get(key);
    if (outputs === undefined) {
      const loaded = this.load(image);
      outputs = loaded.answersChallenges ? loaded.challenge(seed, challengeSamples) : null;
      this.challenges.set(key, outputs);
    }
    return outputs;
  }

  /** Of these outputs, how many bytes a report may hold. */
  reportedBytes(image: Uint8Array): number {
    return reportedOutputBytes(this.load(image).interpreter.outputBytes);
  }

  /** How many of the labelled samples the model gets right; null where there are none. */
  accuracy(image: Uint8Array): Promise<CountedSamples> | null {
    const { samples } = this;
    if (samples === null) return null;
    const sha = this.sha(image);
    let counted = this.counts.get(sha);
    if (counted === undefined) {
      const runner = hostRunner(this.load(image).model, { profile: this.target.runtime.kernelProfile });
      counted = evaluate(runner, samples).then(({ value, samples: count }) => ({ samples: count, correct: Math.round(value * count) }));
      this.counts.set(sha, counted);
    }
    return counted;
  }

  private load(image: Uint8Array): LoadedModel {
    const sha = this.sha(image);
    const known = this.loaded.get(sha);
    if (known !== undefined) return known;
    const model = LoadedModel.load(image, this.target, 1, false);
    this.loaded.set(sha, model);
    return model;
  }

  private judge(image: Uint8Array): Verdict {
    try {
      const loaded = this.load(image);
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
      return {
        refusal: { code: statusName(error.group, error.rc), detail: String(error.extra.detail ?? '') },
        model: modelOf(image),
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
