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

/** Of one bundle. */
export class Prover {
  private readonly interpreter: Interpreter;
  private readonly agreement;
  private readonly model: Uint8Array;
  private readonly answers = new Map<number, { readonly outputs: Uint8Array; readonly crc: number }>();

  /** @param salt a rollout's own: the seeds follow from it */
  constructor(
    { model, trailer }: SlotImage,
    private readonly salt: string,
  ) {
    const profile = trailer?.manifest.profile as KernelProfile | undefined;
    this.interpreter = new Interpreter(readModel(model, 'the bundle'), profile === undefined ? {} : { profile });
    this.agreement = agreementOf(trailer?.manifest);
    this.model = sha256(model);
  }

  /** Whether devices are to report outputs rather than their checksum: no profile equals them to the last bit. */
  get wantsOutputs(): boolean {
    return this.agreement !== 'exact';
  }

  /** The seed of the challenge that a device gets. */
  seedFor(id: string, attempt: number): number {
    const draw = (text: string): number => createHash('sha256').update(text).digest().readUInt32BE();
    return draw(`${this.salt}\n${draw(`${id}\n${attempt}`) % challenges}`);
  }

  check({ model, crc, outputs, failed = 0 }: Reported, id: string, attempt: number): Proof {
    if (model === undefined || !equalBytes(model, this.model) || failed > 0) return { proved: false, maxLsb: null };
    // Random values mean nothing to such a model: its hash and its own self-test must do.
    if (!drawable(this.interpreter.inputs)) return { proved: true, maxLsb: null };
    const answer = this.answerTo(this.seedFor(id, attempt));
    if (!this.wantsOutputs) return { proved: crc === answer.crc, maxLsb: crc === answer.crc ? 0 : null };
    const comparable = reportedOutputBytes(this.interpreter.outputBytes);
    if (comparable === 0) return { proved: true, maxLsb: null };
    if (outputs === undefined) return { proved: false, maxLsb: null };
    const { agrees, maxLsb } = compareOutputs(answer.outputs.subarray(0, comparable), outputs, this.interpreter.outputs, this.agreement);
    return { proved: agrees, maxLsb };
  }

  private answerTo(seed: number): { readonly outputs: Uint8Array; readonly crc: number } {
    let answer = this.answers.get(seed);
    if (answer === undefined) {
      const source = new SeededBytes(seed);
      const samples = Array.from({ length: challengeSamples }, () => this.interpreter.run(drawSample(source, this.interpreter.inputs)));
      const outputs = new Uint8Array(Buffer.concat(samples));
      answer = { outputs, crc: crc32(outputs) };
      this.answers.set(seed, answer);
    }
    return answer;
  }
}
