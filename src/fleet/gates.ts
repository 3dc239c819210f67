// Gates: conditions on the devices of a wave, each a maximum share of bad devices. A wave passes if the condition holds
// for the whole wave. It fails as soon as the condition is violated with the gate's confidence, so that one bad device
// does not stop a rollout. In between, people decide.

import { lowerBound } from './binomial.js';

/** What a device has measured of its model; null if unknown. */
export interface DeviceMeasurements {
  /** 95th percentile of the inference time, in milliseconds. */
  readonly p95Ms: number | null;
  /** Share of correct answers on the labelled samples that the device holds. */
  readonly accuracy: number | null;
  /** Arena that the interpreter uses, in bytes. */
  readonly arenaBytes: number | null;
  /** The largest difference between an output and the simulator's, in LSB. */
  readonly maxLsb: number | null;
}

export const nothingMeasured: DeviceMeasurements = { p95Ms: null, accuracy: null, arenaBytes: null, maxLsb: null };

/** How a device ended. */
export interface DeviceOutcome {
  readonly state: 'under-way' | 'confirmed' | 'failed' | 'unknown';
  /** Measurements of the new model, and of the previous one. */
  readonly measured: DeviceMeasurements;
  readonly before: DeviceMeasurements;
}

export const gateActions = ['pause', 'abort', 'roll-back', 'next'] as const;
/** What happens when a gate's condition is violated. */
export type GateAction = (typeof gateActions)[number];

/** Which devices count as bad. A limit of null does not apply. */
export type Condition =
  /** Devices that are not confirmed; that failed; that have not reported in time. */
  | { readonly measure: 'confirmed' | 'failed' | 'unknown' }
  /** Above a limit, or slower than with the previous model by more than a factor. */
  | { readonly measure: 'latency'; readonly limitMs: number | null; readonly factor: number | null }
  /** Accuracy below a limit, or lower than with the previous model by more than `drop`. */
  | { readonly measure: 'accuracy'; readonly least: number | null; readonly drop: number | null }
  /** Outputs that differ from the simulator's by more than this. */
  | { readonly measure: 'agreement'; readonly limitLsb: number }
  | { readonly measure: 'arena'; readonly limitBytes: number };

/** A condition on what the devices of a wave measure. */
export type Gate = Condition & {
  /** Maximum share of bad devices. */
  readonly maxBad: number;
  /** Minimum number of measured devices, or the whole wave if it is smaller. */
  readonly minimum: number;
  /** Confidence with which a wave must be bad before it fails. */
  readonly confidence: number;
  /** What to do when a wave fails. */
  readonly action: GateAction;
};

/** What a gate makes of the measurements so far. */
export interface Judgement {
  /**
   * `undecided`: every device of the wave has finished and the condition does not hold, but this may be chance, or too
   * few devices were measured.
   */
  readonly decision: 'pass' | 'fail' | 'wait' | 'undecided';
  /** Number of devices that violate the condition. */
  readonly bad: number;
  /** Number of devices that were measured. */
  readonly measured: number;
  /**
   * Lower bound of the true share of bad devices, at the gate's confidence; null if no more devices are bad than
   * allowed.
   */
  readonly minShare: number | null;
}

/** The devices of a wave as one gate counts them. */
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

  /** @param by -1 removes an outcome */
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

/** The smallest number of bad devices with which a wave of this size fails; null if it never fails. */
export function failsFrom(gate: Gate, devices: number): number | null {
  for (let bad = 1; bad <= devices; bad++)
    if (isAbove(lowerBound(bad, devices, gate.confidence), gate.maxBad)) return bad;
  return null;
}

/** Allows for rounding: the bound for one bad device of one is exactly 5 % at 95 %. */
function isAbove(minShare: number, maxBad: number): boolean {
  return minShare > maxBad + 1e-9;
}

/** @returns null if it is unknown for this device, or not known yet */
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
 * Whether a value is above either limit. A device without a previous model has nothing to compare with and does not
 * count as measured.
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
