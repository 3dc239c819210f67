// Improves a draft of a quantized model pass by pass. A pass is judged by the outputs on calibration samples, and
// undone if it does not help.

import { yieldToEventLoop } from '../../base/event-loop.js';
import type { Amount, OnProgress } from '../../base/progress.js';
import type { Reference, Sqnr } from '../../evaluate/index.js';
import type { Model } from '../../formats/tflite/index.js';
import { equalize, removeDeadChannels } from '../passes/index.js';
import { applyPlan } from './apply.js';
import { type AutoRanges, autoRanges } from './auto-ranges.js';
import type { Calibration } from './calibrate.js';
import type { Ranges } from './formats.js';
import { type MixedPrecision, mixPrecision, type WiderType } from './mixed-precision.js';
import type { ModeExceptions } from './modes.js';
import { type PlanOptions, planQuantization, type QuantizationPlan } from './plan.js';
import { type LayerRepair, repairLayers } from './repair/layers.js';

export const repairNames = ['dead-channels', 'equalization', 'bias-correction', 'adaptive-rounding'] as const;
/** Names of the repairs. */
export type RepairName = (typeof repairNames)[number];

/**
 * The repairs of `--repair all`: those that do not change float outputs. Dead channels are removed on explicit request
 * only.
 */
export const harmlessRepairs: readonly RepairName[] = repairNames.filter((name) => name !== 'dead-channels');

/** The steps of a quantization, for progress. */
export type QuantizeStep = 'calibrate' | 'choose ranges' | 'mix precision' | RepairName;

/** A float model and its quantization options. */
export interface Draft {
  readonly model: Model;
  readonly calibration: Calibration;
  /** Range of each tensor, by subgraph. */
  readonly ranges: ReadonlyMap<number, Ranges>;
  readonly plan: QuantizationPlan;
}

/** Result of a pass; SNR of the outputs against the float model, in dB. */
export interface RepairReport {
  readonly name: RepairName | 'choose ranges';
  /** Signal-to-noise ratio of the outputs before, in dB. */
  readonly before: number;
  /** Signal-to-noise ratio of the outputs afterwards, in dB. */
  readonly after: number;
  /** False if the pass made things worse and was undone. */
  readonly kept: boolean;
  /** Number of places that the pass changed (channels, layers, weights); not counted for `choose ranges`. */
  readonly changes?: number;
}

/** A draft after its repairs, with what each of them changed. */
export interface Improved extends Draft {
  /** null if ranges were not chosen by measurement. */
  readonly rangeMethods: AutoRanges['methods'] | null;
  readonly repairs: readonly RepairReport[];
  readonly mixed: MixedPrecision | null;
}

export interface ImproveOptions extends PlanOptions {
  readonly onProgress?: OnProgress<QuantizeStep>;
  readonly signal?: AbortSignal;
}

/** Difference in dB that does not matter. */
const negligible = 0.1;

/** Minimum gain of a repair, in dB, on the samples that it was made from: smaller gains do not carry over to others. */
const minGainOfRepair = 1;

export class Improver {
  private sqnr: Sqnr;
  private rangeMethods: AutoRanges['methods'] | null = null;
  private readonly repairs: RepairReport[] = [];
  private mixed: MixedPrecision | null = null;

  constructor(
    private draft: Draft,
    private readonly reference: Reference,
    private readonly options: ImproveOptions,
  ) {
    this.sqnr = this.measure(draft);
  }

  get result(): Improved {
    const { draft, rangeMethods, repairs, mixed } = this;
    return { ...draft, rangeMethods, repairs, mixed };
  }

  /**
   * Kept unless the outputs suffer: the gain is size.
   * @param draftOf calibrates another float model and plans it
   */
  async removeDeadChannels(draftOf: (model: Model) => Promise<Draft>): Promise<void> {
    const { model, changes } = removeDeadChannels(this.draft.model, this.reference);
    if (changes > 0) this.judge('dead-channels', changes, await draftOf(model), -negligible);
  }

  /** @param draftOf calibrates another float model and plans it */
  async equalize(draftOf: (model: Model) => Promise<Draft>): Promise<void> {
    const { model, changes } = equalize(this.draft.model);
    if (changes > 0) this.judge('equalization', changes, await draftOf(model));
  }

  /** The choice was cross-validated: its result on the samples that it was made from says less. */
  async chooseRanges(): Promise<void> {
    const { model, calibration } = this.draft;
    const { ranges, methods, before, after } = await autoRanges(
      model,
      calibration,
      this.reference,
      this.options,
      this.steps('choose ranges'),
    );
    this.repairs.push({ name: 'choose ranges', before, after, kept: after > before });
    this.rangeMethods = methods;
    this.draft = { ...this.draft, ranges, plan: planQuantization(model, ranges, this.options) };
    this.sqnr = this.measure(this.draft);
  }

  async repairLayers(name: LayerRepair): Promise<void> {
    const { model, ranges } = this.draft;
    const planOf = (candidate: Model): QuantizationPlan => planQuantization(candidate, ranges, this.options);
    const repaired = await repairLayers(model, name, { reference: this.reference, planOf, onStep: this.steps(name) });
    if (repaired.changes > 0)
      this.judge(
        name,
        repaired.changes,
        { ...this.draft, model: repaired.model, plan: planOf(repaired.model) },
        minGainOfRepair,
      );
  }

  async mixPrecision(minDecibels: number, wider: WiderType): Promise<void> {
    const { model, ranges } = this.draft;
    const planOf = (exceptions: ModeExceptions): QuantizationPlan =>
      planQuantization(model, ranges, {
        ...this.options,
        exceptions: new Map([...(this.options.exceptions ?? []), ...exceptions]),
      });
    this.mixed = await mixPrecision(model, this.reference, {
      minDecibels,
      wider,
      planOf,
      onStep: this.steps('mix precision'),
    });
    this.draft = {
      ...this.draft,
      plan: planOf(new Map(this.mixed.operators.map(({ operator }) => [operator, wider]))),
    };
  }

  /** @param gain minimum improvement of the outputs, in dB */
  private judge(name: RepairName, changes: number, candidate: Draft, gain = 0): void {
    const after = this.measure(candidate);
    const kept = gain < 0 ? after.decibels >= this.sqnr.decibels + gain : after.exceeds(this.sqnr, gain);
    this.repairs.push({ name, before: this.sqnr.decibels, after: after.decibels, kept, changes });
    if (kept) [this.draft, this.sqnr] = [candidate, after];
  }

  private measure({ model, plan }: Draft): Sqnr {
    return this.reference.sqnr(applyPlan(model, plan));
  }

  private steps(step: QuantizeStep): (amount: Amount) => Promise<void> {
    return async (amount) => {
      this.options.onProgress?.({ step, ...amount });
      await yieldToEventLoop(this.options.signal);
    };
  }
}
