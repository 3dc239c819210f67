// Whether a device runs what it says: the hash of its model, and its answer to a challenge that the simulator answers
// too.

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
  /** The largest distance of an output from the simulator's; null where none was compared. */
  readonly maxLsb: number | null;
}

/**
 * So many challenges a rollout has: enough that no device can know another's, few enough to be computed for any fleet.
 */
const challenges = 64;
/** Seeds that are tried until two models answer differently: what saturates gives the same outputs for many inputs. */
const maxDraws = 32;

/** Of one bundle. */
export class Prover {
  private readonly expected: ExpectedAnswers;
  private readonly other: ExpectedAnswers | null;
  private readonly agreement;
  private readonly model: Uint8Array;
  private readonly seeds = new Map<number, number>();

  /**
   * @param salt a rollout's own: the seeds follow from it
   * @param other what a device might run instead: it is asked what that one answers differently
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

  /** Whether devices are to report outputs rather than their checksum: no profile equals them to the last bit. */
  get wantsOutputs(): boolean {
    return this.agreement !== 'exact';
  }

  /** The seed of the challenge that a device gets. */
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
    // Random values mean nothing to such a model, or nobody here knows its outputs: its hash and its own self-test must
    // do.
    if (!answers) return { proved: true, maxLsb: null };
    const expected = this.expected.answerTo(this.seedFor(id, attempt));
    if (!this.wantsOutputs) return { proved: crc === crc32(expected), maxLsb: crc === crc32(expected) ? 0 : null };
    if (reportedOutputBytes(outputBytes) === 0) return { proved: true, maxLsb: null };
    // Of as many samples as the device had room for.
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

  /**
   * Whether another model's outputs would not be taken for this one's: within a tolerance, even by the first sample
   * alone.
   */
  private distinguishes(mine: Uint8Array, others: Uint8Array): boolean {
    const { outputs, outputBytes } = this.expected;
    if (!this.wantsOutputs || mine.byteLength !== others.byteLength) return !equalBytes(mine, others);
    return !compareOutputs(mine.subarray(0, outputBytes), others.subarray(0, outputBytes), outputs, this.agreement)
      .agrees;
  }
}

/** What a model answers to challenges. */
interface ExpectedAnswers {
  readonly outputs: readonly TensorInfo[];
  readonly outputBytes: number;
  /** Whether anything is known. */
  readonly answers: boolean;
  /** The only seeds whose answers are known; null: any. */
  readonly seeds: readonly number[] | null;
  /** Outputs on samples drawn from a seed, as many as are known. */
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
 * What is compiled, the simulator does not run; what it was compiled from has answered when the bundle was made, and
 * the self-test vectors say what.
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
