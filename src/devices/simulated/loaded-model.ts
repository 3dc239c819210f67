// A model that the device has loaded.

import { AtollError } from '../../base/errors.js';
import { type Model, readModel } from '../../formats/tflite/index.js';
import type { TensorInfo } from '../../simulator/index.js';
import type { Agreement, Target } from '../../targets/index.js';
import { compareOutputs, decodeSlotImage, drawable, drawSample, SeededBytes, type SlotImage } from '../bundle/index.js';
import type { DeviceEngine, Execution } from './device-engine.js';
import { atollStatusError } from './status-error.js';

export interface SelfTestResult {
  readonly vectors: number;
  readonly failed: number;
  readonly maxLsb: number;
  readonly ticks: number;
}

export class LoadedModel {
  readonly inputBytes: number;
  readonly outputBytes: number;

  /** @param bytes of the slot that it was loaded from */
  private constructor(
    readonly bytes: Uint8Array,
    readonly image: SlotImage,
    readonly model: Model,
    readonly execution: Execution,
  ) {
    this.inputBytes = bytesOf(execution.inputs);
    this.outputBytes = bytesOf(execution.outputs);
  }

  /** @throws StatusError if the image is damaged, is for another target, or does not fit */
  static async load(bytes: Uint8Array, target: Target, engine: DeviceEngine): Promise<LoadedModel> {
    let image: SlotImage;
    let model: Model;
    try {
      image = decodeSlotImage(bytes);
      model = readModel(image.model, 'the slot');
    } catch (error) {
      throw atollStatusError('IMAGE_INVALID', error instanceof AtollError ? error.message : String(error));
    }
    const wanted = image.trailer?.manifest.target ?? target.id;
    if (wanted !== target.id)
      throw atollStatusError('WRONG_TARGET', `the image is for ${wanted}, this device is ${target.id}`);
    return new LoadedModel(bytes, image, model, await engine.load(model, bytes.byteLength));
  }

  async selfTest(agreement: Agreement): Promise<SelfTestResult> {
    const vectors = this.image.trailer?.vectors ?? [];
    let failed = 0;
    let maxLsb = 0;
    let ticks = 0;
    for (const { seed, output } of vectors) {
      const answer = await this.execution.run(drawSample(new SeededBytes(seed), this.execution.inputs));
      ticks += answer.ticks;
      const result = compareOutputs(output, answer.output, this.execution.outputs, agreement);
      if (!result.agrees) failed += 1;
      maxLsb = Math.max(maxLsb, result.maxLsb);
    }
    return { vectors: vectors.length, failed, maxLsb, ticks };
  }

  /** Whether inputs can be drawn for it. */
  get answersChallenges(): boolean {
    return drawable(this.execution.inputs);
  }

  /** Outputs for `count` samples drawn one after another from the seed. */
  async challenge(seed: number, count: number): Promise<Uint8Array> {
    if (!this.answersChallenges)
      throw atollStatusError('NO_SUCH_TENSOR', 'the inputs of this model cannot be drawn at random');
    const source = new SeededBytes(seed);
    const outputs = new Uint8Array(count * this.outputBytes);
    for (let i = 0; i < count; i++)
      outputs.set((await this.execution.run(drawSample(source, this.execution.inputs))).output, i * this.outputBytes);
    return outputs;
  }
}

function bytesOf(tensors: readonly TensorInfo[]): number {
  return tensors.reduce((sum, { bytes }) => sum + bytes, 0);
}
