// A model that the device has loaded: checked against the target's limits, with its inputs and outputs in RAM.

import { compareOutputs, decodeSlotImage, drawable, drawSample, SeededBytes, type SlotImage } from '../bundle/index.js';
import { seededRandom } from '../dataset/index.js';
import { AtollError } from '../errors.js';
import { Interpreter } from '../simulator/index.js';
import { type Agreement, type CheckReason, checkModel, operatorLatencies, type Target } from '../targets/index.js';
import { builtinCode, type Model, mainSubgraph, operatorCodeOf, readModel } from '../tflite/index.js';
import { atollError } from './status-error.js';

export interface SelfTestResult {
  readonly vectors: number;
  readonly failed: number;
  readonly maxLsb: number;
  readonly ticks: number;
}

/** Ticks per second of the simulated counter. */
export const tickHz = 1_000_000;
/** What a device answers to a model that its target refuses. */
const refusals = {
  ARENA: 'ARENA_TOO_SMALL',
  FLASH: 'IMAGE_TOO_LARGE',
  TYPE: 'IMAGE_INVALID',
  FLOAT: 'IMAGE_INVALID',
  DYNAMIC_RANGE: 'IMAGE_INVALID',
  COMPILED: 'IMAGE_INVALID',
  OPERATOR: 'OPERATOR_MISSING',
  SIMULATOR: 'OPERATOR_MISSING',
} as const satisfies Record<CheckReason['code'], string>;

/** Latency of each run varies by so much around the estimate. */
const jitter = 0.01;

export function jittered(ticks: number, random: () => number): number {
  return ticks * (1 + jitter * (2 * random() - 1));
}

export class LoadedModel {
  readonly interpreter: Interpreter;
  readonly operatorTicks: readonly number[];
  readonly builtinCodes: readonly number[];
  readonly input: Uint8Array;
  output: Uint8Array;
  private readonly random: () => number;

  private constructor(
    readonly image: SlotImage,
    readonly model: Model,
    readonly arenaBytes: number,
    target: Target,
    seed: number,
    private readonly corrupt: boolean,
  ) {
    this.interpreter = new Interpreter(model, { profile: target.runtime.kernelProfile });
    this.operatorTicks = operatorLatencies(model, target).map((ms) => Math.max(1, Math.round((ms * tickHz) / 1000)));
    this.builtinCodes = mainSubgraph(model).operators.map((operator) => builtinCode(operatorCodeOf(model, operator)));
    this.input = new Uint8Array(this.interpreter.inputBytes);
    this.output = new Uint8Array(this.interpreter.outputBytes);
    this.random = seededRandom(seed);
  }

  /** @throws StatusError where the image is not whole, is for another target, or does not fit */
  static load(bytes: Uint8Array, target: Target, seed: number, corrupt: boolean): LoadedModel {
    let image: SlotImage;
    let model: Model;
    try {
      image = decodeSlotImage(bytes);
      model = readModel(image.model, 'the slot');
    } catch (error) {
      throw atollError('IMAGE_INVALID', error instanceof AtollError ? error.message : String(error));
    }
    const wanted = image.trailer?.manifest.target ?? target.id;
    if (wanted !== target.id) throw atollError('WRONG_TARGET', `the image is for ${wanted}, this is ${target.id}`);
    try {
      const check = checkModel(model, target, bytes.byteLength);
      const [reason] = check.reasons;
      if (reason !== undefined) throw atollError(refusals[reason.code], reason.message);
      return new LoadedModel(image, model, check.memory.arenaBytes ?? 0, target, seed, corrupt);
    } catch (error) {
      if (error instanceof AtollError) throw atollError('IMAGE_INVALID', error.message);
      throw error;
    }
  }

  /** One inference on the input in RAM; returns its ticks. */
  run(): number {
    this.output = this.compute(this.input);
    const total = this.operatorTicks.reduce((sum, ticks) => sum + ticks, 0);
    return Math.max(1, Math.round(jittered(total, this.random)));
  }

  selfTest(agreement: Agreement): SelfTestResult {
    const vectors = this.image.trailer?.vectors ?? [];
    let failed = 0;
    let maxLsb = 0;
    let ticks = 0;
    for (const { seed, output } of vectors) {
      this.input.set(drawSample(new SeededBytes(seed), this.interpreter.inputs));
      ticks += this.run();
      const result = compareOutputs(output, this.output, this.interpreter.outputs, agreement);
      if (!result.agrees) failed += 1;
      maxLsb = Math.max(maxLsb, result.maxLsb);
    }
    return { vectors: vectors.length, failed, maxLsb, ticks };
  }

  /** Whether inputs can be drawn for it. */
  get answersChallenges(): boolean {
    return drawable(this.interpreter.inputs);
  }

  /** Outputs of `count` samples drawn one after another from the seed. */
  challenge(seed: number, count: number): Uint8Array {
    if (!this.answersChallenges) throw atollError('NO_SUCH_TENSOR', 'inputs of this model cannot be drawn');
    const source = new SeededBytes(seed);
    const outputs = new Uint8Array(count * this.interpreter.outputBytes);
    for (let i = 0; i < count; i++) outputs.set(this.compute(drawSample(source, this.interpreter.inputs)), i * this.interpreter.outputBytes);
    return outputs;
  }

  private compute(input: Uint8Array): Uint8Array {
    const output = this.interpreter.run(input);
    if (this.corrupt && output[0] !== undefined) output[0] ^= 1;
    return output;
  }
}
