// Conditions on what a wave's devices have come to. Each is a share of devices that may be bad at most. A wave passes
// only where the condition holds of all of it; it fails as soon as it is surely broken, sure to the gate's confidence,
// so that one unlucky device stops nothing; in between people decide.

import { lowerBound } from './binomial.js';

/** What a device has measured of the model that it runs; null where it is not known. */
export interface DeviceMeasurements {
  /** 95th percentile of an inference, in milliseconds. */
  readonly p95Ms: number | null;
  /** Share of right answers on the labelled samples that the device holds. */
  readonly accuracy: number | null;
  readonly arenaBytes: number | null;
  /** The largest distance of an output from the simulator's. */
  readonly maxLsb: number | null;
}

export const nothingMeasured: DeviceMeasurements = { p95Ms: null, accuracy: null, arenaBytes: null, maxLsb: null };

/** What a device has come to. */
export interface DeviceOutcome {
  readonly state: 'under-way' | 'confirmed' | 'failed' | 'unknown';
  /** Of the new model, and of the one before. */
  readonly measured: DeviceMeasurements;
  readonly before: DeviceMeasurements;
}

export const gateActions = ['pause', 'abort', 'roll-back', 'next'] as const;
export type GateAction = (typeof gateActions)[number];

/** Which devices are bad. A limit of null is none. */
export type Condition =
  /** All that are not confirmed; that failed; that were never heard of again. */
  | { readonly measure: 'confirmed' | 'failed' | 'unknown' }
  /** Above a limit, or so many times as slow as with the model before. */
  | { readonly measure: 'latency'; readonly limitMs: number | null; readonly factor: number | null }
  /** Below a share of right answers, or worse by more than `drop` than with the model before. */
  | { readonly measure: 'accuracy'; readonly least: number | null; readonly drop: number | null }
  /** Outputs that are farther than this from the simulator's. */
  | { readonly measure: 'agreement'; readonly limitLsb: number }
  | { readonly measure: 'arena'; readonly limitBytes: number };

export type Gate = Condition & {
  /** Share of bad devices that still passes. */
  readonly maxBad: number;
  /** Devices that must have been measured, or the whole wave where it is smaller. */
  readonly minimum: number;
  /** How sure it must be that a wave is bad before it fails. */
  readonly confidence: number;
  /** What happens when a wave fails. */
  readonly action: GateAction;
};

export interface Judgement {
  /**
   * `undecided`: the whole wave is through, the condition does not hold, and it may be chance, or too few were
   * measured.
   */
  readonly decision: 'pass' | 'fail' | 'wait' | 'undecided';
  readonly bad: number;
  readonly measured: number;
  /**
   * The true share of bad devices is at least this, sure to the gate's confidence; null where no more are bad than may
   * be.
   */
  readonly minShare: number | null;
}

/** The devices of a wave, counted as one gate sees them. */
export class Tally {
  private bad = 0;
  private measured = 0;
  private inFlight = 0;
  private devices = 0;

  constructor(private readonly gate: Gate) {}

  judge(): Judgement {
    const { gate, bad, measured, devices } = this;
    const within = bad <= gate.maxBad * measured;
    const minShare = within ? null : lowerBound(bad, measured, gate.confidence);
    const enough = measured >= Math.min(gate.minimum, devices) && measured > 0;
    const surelyBad = enough && minShare !== null && isAbove(minShare, gate.maxBad);
    return {
      decision: surelyBad ? 'fail' : this.inFlight > 0 ? 'wait' : enough && within ? 'pass' : 'undecided',
      bad,
      measured,
      minShare,
    };
  }

  /** @param by -1 takes an outcome back */
  count(outcome: DeviceOutcome, by: 1 | -1): void {
    const bad = isBad(this.gate, outcome);
    this.devices += by;
    if (outcome.state === 'under-way') this.inFlight += by;
    if (bad !== null) this.measured += by;
    if (bad === true) this.bad += by;
  }
}

/** @param outcomes of all devices of the wave */
export function judge(gate: Gate, outcomes: readonly DeviceOutcome[]): Judgement {
  const tally = new Tally(gate);
  for (const outcome of outcomes) tally.count(outcome, 1);
  return tally.judge();
}

/** The fewest bad devices with which a wave of so many would fail; null where it never would. */
export function failsFrom(gate: Gate, devices: number): number | null {
  for (let bad = 1; bad <= devices; bad++)
    if (isAbove(lowerBound(bad, devices, gate.confidence), gate.maxBad)) return bad;
  return null;
}

/** Beyond what rounding makes of it: one bad of one is a bound of just 5 % at 95 %. */
function isAbove(minShare: number, maxBad: number): boolean {
  return minShare > maxBad + 1e-9;
}

/** @returns null where it is not known of this device, or not yet */
function isBad(gate: Condition, { state, measured, before }: DeviceOutcome): boolean | null {
  if (state === 'under-way') return null;
  switch (gate.measure) {
    case 'failed':
    case 'unknown':
      return state === gate.measure;
    case 'confirmed':
      return state !== 'confirmed';
    case 'latency':
      return isBeyond(
        state,
        measured.p95Ms,
        gate.limitMs,
        gate.factor === null || before.p95Ms === null ? null : gate.factor * before.p95Ms,
      );
    case 'accuracy': {
      const { least, drop } = gate;
      const negative = (value: number | null): number | null => (value === null ? null : -value);
      return isBeyond(
        state,
        negative(measured.accuracy),
        negative(least),
        drop === null || before.accuracy === null ? null : drop - before.accuracy,
      );
    }
    case 'agreement':
      return isBeyond(state, measured.maxLsb, gate.limitLsb, null);
    case 'arena':
      return isBeyond(state, measured.arenaBytes, gate.limitBytes, null);
  }
}

/**
 * Above either limit. A device with nothing to compare it with is not measured: one that ran nothing before has nothing
 * to be worse than.
 */
function isBeyond(
  state: DeviceOutcome['state'],
  value: number | null,
  limit: number | null,
  relative: number | null,
): boolean | null {
  if (state !== 'confirmed' || value === null || (limit === null && relative === null)) return null;
  return value > (limit ?? Infinity) || value > (relative ?? Infinity);
}
