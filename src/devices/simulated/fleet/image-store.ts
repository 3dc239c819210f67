// Data that the devices of one process share, so that ten thousand of them need little more than their own states: the
// bytes of each image once, and the results for each target once.

import { AtollError } from '../../../base/errors.js';
import { sha256, sha256Hex } from '../../../base/hashes.js';
import type { Dataset } from '../../../data/index.js';
import { evaluate, modelWarnings, type Runner } from '../../../evaluate/index.js';
import { isStateful } from '../../../simulator/index.js';
import type { Target } from '../../../targets/index.js';
import { agreementOf, decodeSlotImage, type Trailer, type VerifyingKey } from '../../bundle/index.js';
import { challengeSamples, reportedOutputBytes } from '../../protocol/index.js';
import { type DeviceEngine, tickHz } from '../device-engine.js';
import { LoadedModel } from '../loaded-model.js';
import { simulatedEngine } from '../simulated-engine.js';
import { codeOf, detailOf, StatusError } from '../status-error.js';
import { requireTrust } from '../trust.js';

/** The result of testing an image. */
export interface SelfTestResult {
  /** Why it cannot run; null if it can. */
  readonly refusal: { readonly code: string; readonly detail: string } | null;
  readonly vectors: number;
  readonly failed: number;
  readonly arenaBytes: number;
  /** Bytes of its outputs that fit into a report. */
  readonly reportedBytes: number;
}

export interface CountedSamples {
  readonly samples: number;
  readonly correct: number;
}

/** Whether the value is already known. */
export type Ready<Value> = Value | Promise<Value>;

/** The content of an image, without running it. */
interface Contents {
  readonly model: Uint8Array;
  readonly trailer: Trailer | null;
}

export class ImageStore {
  private readonly images = new Map<string, Uint8Array>();
  private readonly hashes = new WeakMap<Uint8Array, string>();
  private readonly contents = new Map<string, Contents>();
  private readonly verdicts = new Map<string, Ready<SelfTestResult>>();
  private readonly challenges = new Map<string, Ready<Uint8Array | null>>();
  private readonly loaded = new Map<string, Promise<LoadedModel>>();
  private readonly ready = new Map<string, LoadedModel>();
  private readonly counts = new Map<string, Promise<CountedSamples>>();

  /** @param samples labelled samples that every device holds; null for none */
  constructor(
    private readonly target: Target,
    private readonly keys: readonly VerifyingKey[],
    private readonly samples: Dataset | null = null,
    private readonly engine: DeviceEngine = simulatedEngine(target, { inTurns: false }),
  ) {}

  /** The shared copy of these bytes. @param sha their SHA-256 */
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
      sha = sha256Hex(image);
      this.hashes.set(image, sha);
    }
    return sha;
  }

  /** SHA-256 of the model in the image. */
  model(image: Uint8Array): Uint8Array {
    return this.contentsOf(image).model;
  }

  /** The counter in the image's manifest; 0 for a device without keys, which trusts none. */
  counter(image: Uint8Array): number {
    return this.keys.length === 0 ? 0 : (this.contentsOf(image).trailer?.manifest.counter ?? 0);
  }

  verdict(image: Uint8Array): Ready<SelfTestResult> {
    return kept(this.verdicts, this.sha(image), () => this.judge(image));
  }

  /** Outputs for samples drawn from a seed; null for a model whose inputs cannot be drawn. */
  challenge(image: Uint8Array, seed: number): Ready<Uint8Array | null> {
    return kept(this.challenges, `${this.sha(image)} ${seed}`, async () => {
      const loaded = await this.load(image);
      return loaded.answersChallenges ? loaded.challenge(seed, challengeSamples) : null;
    });
  }

  /** Latencies of a number of inferences, in milliseconds. @param random the device's generator */
  latencies(image: Uint8Array, count: number, random: () => number): Ready<number[]> {
    const ready = this.ready.get(this.sha(image));
    return ready === undefined
      ? this.load(image).then((loaded) => loaded.execution.latencies(count, random))
      : ready.execution.latencies(count, random);
  }

  /** Number of labelled samples that the model gets right; null if there are none. */
  accuracy(image: Uint8Array): Promise<CountedSamples> | null {
    const { samples } = this;
    if (samples === null) return null;
    const sha = this.sha(image);
    let counted = this.counts.get(sha);
    if (counted === undefined) {
      counted = this.load(image)
        .then((loaded) => evaluate(runnerOf(loaded), samples))
        .then(({ value, samples: count }) => ({ samples: count, correct: Math.round(value * count) }));
      this.counts.set(sha, counted);
      counted.catch(() => this.counts.delete(sha));
    }
    return counted;
  }

  private load(image: Uint8Array): Promise<LoadedModel> {
    const sha = this.sha(image);
    let loading = this.loaded.get(sha);
    if (loading === undefined) {
      loading = LoadedModel.load(image, this.target, this.engine);
      this.loaded.set(sha, loading);
      loading.then(
        (loaded) => this.ready.set(sha, loaded),
        () => this.loaded.delete(sha),
      );
    }
    return loading;
  }

  private async judge(image: Uint8Array): Promise<SelfTestResult> {
    try {
      const loaded = await this.load(image);
      if (this.keys.length > 0) requireTrust(loaded.image, this.keys);
      const result = await loaded.selfTest(agreementOf(loaded.image.trailer?.manifest));
      return {
        refusal:
          result.failed === 0
            ? null
            : { code: 'SELF_TEST_FAILED', detail: `${result.failed} of ${result.vectors} vectors` },
        vectors: result.vectors,
        failed: result.failed,
        arenaBytes: loaded.execution.arenaBytes,
        reportedBytes: reportedOutputBytes(loaded.outputBytes),
      };
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
      const refusal = { code: codeOf(error), detail: detailOf(error) };
      return { refusal, vectors: 0, failed: 0, arenaBytes: 0, reportedBytes: 0 };
    }
  }

  private contentsOf(image: Uint8Array): Contents {
    const sha = this.sha(image);
    let contents = this.contents.get(sha);
    if (contents === undefined) {
      contents = contentsOf(image);
      this.contents.set(sha, contents);
    }
    return contents;
  }
}

/** Memoizes results, and promises while they are computed. Failures are not kept. */
function kept<Value>(known: Map<string, Ready<Value>>, key: string, compute: () => Promise<Value>): Ready<Value> {
  const value = known.get(key);
  if (value !== undefined) return value;
  const computing = compute();
  known.set(key, computing);
  computing.then(
    (computed) => known.set(key, computed),
    () => known.delete(key),
  );
  return computing;
}

function runnerOf({ execution, model }: LoadedModel): Runner {
  const { inputs, outputs } = execution;
  return {
    inputs,
    outputs,
    basis: 'device',
    concurrency: 1,
    warnings: modelWarnings(model),
    state: isStateful(model) ? 'continues' : 'none',
    run: async (sample, _signal, continues) => {
      const { output, ticks } = await execution.run(sample, continues);
      return { output, latencyMs: (1000 * ticks) / tickHz };
    },
  };
}

function contentsOf(image: Uint8Array): Contents {
  try {
    const { model, trailer } = decodeSlotImage(image);
    return { model: sha256(model), trailer };
  } catch (error) {
    if (!(error instanceof AtollError)) throw error;
    return { model: sha256(image), trailer: null };
  }
}
