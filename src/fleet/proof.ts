// Whether a device runs what it says: the hash of its model, and its answer to a challenge that the simulator answers too.

import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { agreementOf, compareOutputs, drawable, drawSample, equalBytes, SeededBytes, type SlotImage, sha256 } from '../bundle/index.js';
import { challengeSamples, type Reported, reportedOutputBytes } from '../protocol/index.js';
import { Interpreter, type KernelProfile } from '../simulator/index.js';
import { readModel } from '../tflite/index.js';

export interface Proof {
  readonly proved: boolean;
  /** The largest distance of an output from the simulator's; null where none was compared. */
  readonly maxLsb: number | null;
}

/** So many challenges a rollout has: enough that no device can know another's, few enough to be computed for any fleet. */
const challenges = 64;
/** Seeds that are tried until two models answer differently: what saturates gives the same outputs for many inputs. */
const mostDraws = 32;

/** Of one bundle. */
export class Prover {
  private readonly simulated: SimulatedModel;
  private readonly other: SimulatedModel | null;
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
    this.simulated = new SimulatedModel({ model, trailer });
    this.other = other === null || equalBytes(other.model, model) ? null : new SimulatedModel(other);
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
      seed = this.tellingSeed(challenge);
      this.seeds.set(challenge, seed);
    }
    return seed;
  }

  check({ model, crc, outputs, failed = 0 }: Reported, id: string, attempt: number): Proof {
    if (model === undefined || !equalBytes(model, this.model) || failed > 0) return { proved: false, maxLsb: null };
    const { interpreter } = this.simulated;
    // Random values mean nothing to such a model: its hash and its own self-test must do.
    if (!this.simulated.answers) return { proved: true, maxLsb: null };
    const expected = this.simulated.answerTo(this.seedFor(id, attempt));
    if (!this.wantsOutputs) return { proved: crc === crc32(expected), maxLsb: crc === crc32(expected) ? 0 : null };
    if (reportedOutputBytes(interpreter.outputBytes) === 0) return { proved: true, maxLsb: null };
    // Of as many samples as the device had room for.
    const { byteLength: given = 0 } = outputs ?? {};
    if (outputs === undefined || given === 0 || given % interpreter.outputBytes !== 0 || given > expected.byteLength) return { proved: false, maxLsb: null };
    const { agrees, maxLsb } = compareOutputs(expected.subarray(0, given), outputs, interpreter.outputs, this.agreement);
    return { proved: agrees, maxLsb };
  }

  private tellingSeed(challenge: number): number {
    const { simulated, other } = this;
    const seedOf = (n: number): number => draw(`${this.salt}\n${challenge}\n${n}`);
    if (other === null || !simulated.answers || !other.answers) return seedOf(0);
    for (let n = 0; n < mostDraws; n++) if (this.tells(simulated.answerTo(seedOf(n)), other.answerTo(seedOf(n)))) return seedOf(n);
    return seedOf(0);
  }

  /** Whether another model's outputs would not be taken for this one's: within a tolerance, even by the first sample alone. */
  private tells(mine: Uint8Array, others: Uint8Array): boolean {
    const { outputs, outputBytes } = this.simulated.interpreter;
    if (!this.wantsOutputs || mine.byteLength !== others.byteLength) return !equalBytes(mine, others);
    return !compareOutputs(mine.subarray(0, outputBytes), others.subarray(0, outputBytes), outputs, this.agreement).agrees;
  }
}

class SimulatedModel {
  readonly interpreter: Interpreter;
  private readonly known = new Map<number, Uint8Array>();

  constructor({ model, trailer }: Pick<SlotImage, 'model' | 'trailer'>) {
    const profile = trailer?.manifest.profile as KernelProfile | undefined;
    this.interpreter = new Interpreter(readModel(model, 'the bundle'), profile === undefined ? {} : { profile });
  }

  /** Whether inputs can be drawn for it. */
  get answers(): boolean {
    return drawable(this.interpreter.inputs);
  }

  /** Outputs on samples drawn from a seed. */
  answerTo(seed: number): Uint8Array {
    let outputs = this.known.get(seed);
    if (outputs === undefined) {
      const source = new SeededBytes(seed);
      const samples = Array.from({ length: challengeSamples }, () => this.interpreter.run(drawSample(source, this.interpreter.inputs)));
      outputs = new Uint8Array(Buffer.concat(samples));
      this.known.set(seed, outputs);
    }
    return outputs;
  }
}

function draw(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE();
}
