// Checks whether a device runs what it reports: by the hash of its model, and by its answer to a challenge, which the
// simulator computes too.

import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { equalBytes, sha256 } from '../base/hashes.js';
import {
  agreementOf,
  compareOutputs,
  drawable,
  drawSample,
  SeededBytes,
  type SlotImage,
  type Trailer,
} from '../devices/bundle/index.js';
import { challengeSamples, type Reported, reportedOutputBytes } from '../devices/protocol/index.js';
import { edgeTpuOperators, type Model, readModel } from '../formats/tflite/index.js';
import { Interpreter, inputsAndOutputs, type KernelProfile, type TensorInfo } from '../simulator/index.js';

export interface Proof {
  readonly proved: boolean;
  /** The largest difference between an output and the simulator's, in LSB; null if none was compared. */
  readonly maxLsb: number | null;
}

/** Challenges per rollout: enough that a device cannot know another's answer, few enough to compute for any fleet. */
const challenges = 64;
/** Seeds to try until two models answer differently: a model that saturates gives the same outputs for many inputs. */
const maxDraws = 32;

/** Proofs for one bundle. */
export class Prover {
  private readonly expected: ExpectedAnswers;
  private readonly other: ExpectedAnswers | null;
  private readonly agreement;
  private readonly model: Uint8Array;
  private readonly seeds = new Map<number, number>();

  /**
   * @param salt different for each rollout; the seeds are derived from it
   * @param other the model that a device might still run: seeds are chosen for which it answers differently
   */
  constructor(
    { model, trailer }: SlotImage,
    private readonly salt: string,
    other: SlotImage | null = null,
  ) {
    this.expected = answersOf({ model, trailer });
    this.other = other === null || equalBytes(other.model, model) ? null : answersOf(other);
    this.agreement = agreementOf(trailer?.manifest);
    this.model = trailer?.manifest.model ?? sha256(model);
  }

  /** Whether devices report outputs instead of a checksum: no kernel profile equals them to the last bit. */
  get wantsOutputs(): boolean {
    return this.agreement !== 'exact';
  }

  /** The challenge seed for a device. */
  seedFor(id: string, attempt: number): number {
    const challenge = draw(`${id}\n${attempt}`) % challenges;
    let seed = this.seeds.get(challenge);
    if (seed === undefined) {
      seed = this.distinguishingSeed(challenge);
      this.seeds.set(challenge, seed);
    }
    return seed;
  }

  check({ model, crc, outputs, failed = 0 }: Reported, id: string, attempt: number): Proof {
    if (model === undefined || !equalBytes(model, this.model) || failed > 0) return { proved: false, maxLsb: null };
    const { answers, outputs: tensors, outputBytes } = this.expected;
    // The model has inputs for which random values make no sense, or its outputs are not known here: its hash and its
    // self-test must suffice.
    if (!answers) return { proved: true, maxLsb: null };
    const expected = this.expected.answerTo(this.seedFor(id, attempt));
    if (!this.wantsOutputs) return { proved: crc === crc32(expected), maxLsb: crc === crc32(expected) ? 0 : null };
    if (reportedOutputBytes(outputBytes) === 0) return { proved: true, maxLsb: null };
    // The device answers as many samples as it has room for.
    const { byteLength: given = 0 } = outputs ?? {};
    if (outputs === undefined || given === 0 || given % outputBytes !== 0 || given > challengeSamples * outputBytes)
      return { proved: false, maxLsb: null };
    const compared = Math.min(given, expected.byteLength);
    const { agrees, maxLsb } = compareOutputs(
      expected.subarray(0, compared),
      outputs.subarray(0, compared),
      tensors,
      this.agreement,
    );
    return { proved: agrees, maxLsb };
  }

  private distinguishingSeed(challenge: number): number {
    const { expected, other } = this;
    const drawn = (n: number): number => draw(`${this.salt}\n${challenge}\n${n}`);
    const seedOf = (n: number): number =>
      expected.seeds === null ? drawn(n) : (expected.seeds[(challenge + n) % expected.seeds.length] ?? drawn(n));
    if (other === null || !expected.answers || !other.answers) return seedOf(0);
    for (let n = 0; n < maxDraws; n++) {
      const seed = seedOf(n);
      if (other.seeds?.includes(seed) === false || this.distinguishes(expected.answerTo(seed), other.answerTo(seed)))
        return seed;
    }
    return seedOf(0);
  }

  /** Whether the outputs of the other model would be rejected: beyond the tolerance, even in the first sample. */
  private distinguishes(mine: Uint8Array, others: Uint8Array): boolean {
    const { outputs, outputBytes } = this.expected;
    if (!this.wantsOutputs || mine.byteLength !== others.byteLength) return !equalBytes(mine, others);
    return !compareOutputs(mine.subarray(0, outputBytes), others.subarray(0, outputBytes), outputs, this.agreement)
      .agrees;
  }
}

/** Computes a model's answers to challenges. */
interface ExpectedAnswers {
  readonly outputs: readonly TensorInfo[];
  readonly outputBytes: number;
  /** Whether any answer is known. */
  readonly answers: boolean;
  /** The only seeds whose answers are known; null: any seed. */
  readonly seeds: readonly number[] | null;
  /** Outputs for the samples drawn from a seed, as many as are known. */
  readonly answerTo: (seed: number) => Uint8Array;
}

function answersOf(image: Pick<SlotImage, 'model' | 'trailer'>): ExpectedAnswers {
  const model = readModel(image.model, 'the bundle');
  return edgeTpuOperators(model).length === 0
    ? simulatedAnswers(model, image.trailer)
    : writtenAnswers(model, image.trailer);
}

function simulatedAnswers(model: Model, trailer: Trailer | null): ExpectedAnswers {
  const profile = trailer?.manifest.profile as KernelProfile | undefined;
  const interpreter = new Interpreter(model, profile === undefined ? {} : { profile });
  const { inputs, outputs, outputBytes } = interpreter;
  const known = new Map<number, Uint8Array>();
  const answerTo = (seed: number): Uint8Array => {
    let answers = known.get(seed);
    if (answers === undefined) {
      const source = new SeededBytes(seed);
      answers = new Uint8Array(
        Buffer.concat(Array.from({ length: challengeSamples }, () => interpreter.run(drawSample(source, inputs)))),
      );
      known.set(seed, answers);
    }
    return answers;
  };
  return { outputs, outputBytes, answers: drawable(inputs), seeds: null, answerTo };
}

/**
 * The simulator does not run compiled models. Their expected outputs were computed from the uncompiled model when the
 * bundle was made and are in its self-test vectors.
 */
function writtenAnswers(model: Model, trailer: Trailer | null): ExpectedAnswers {
  const { outputs } = inputsAndOutputs(model);
  const vectors = trailer?.vectors ?? [];
  return {
    outputs,
    outputBytes: outputs.reduce((sum, { bytes }) => sum + bytes, 0),
    answers: vectors.length > 0,
    seeds: vectors.map(({ seed }) => seed),
    answerTo: (seed) => vectors.find((vector) => vector.seed === seed)?.output ?? new Uint8Array(0),
  };
}

function draw(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE();
}
