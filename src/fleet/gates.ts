// Conditions on what a wave's devices have come to. Each is a share of devices that may be bad at most. A wave passes only where the condition holds of all
// of it; it fails as soon as it is surely broken, sure to the gate's confidence, so that one unlucky device stops nothing; in between people decide.

import { lowerBound } from './binomial.js';

/** What a device has come to. */
export interface Outcome {
  readonly state: 'under-way' | 'confirmed' | 'failed' | 'unknown';
  /** Milliseconds of an inference: of the new model, and of the one before; null where they are not known. */
  readonly p95Ms: number | null;
  readonly oldP95Ms: number | null;
}

export const gateActions = ['pause', 'abort', 'roll-back', 'next'] as const;
export type GateAction = (typeof gateActions)[number];

export interface Gate {
  /** What is counted as bad: not confirmed, failed, never heard of again, or slow by `limitMs` or `factor`. */
  readonly measure: 'confirmed' | 'failed' | 'unknown' | 'latency';
  /** Share of bad devices that still passes. */
  readonly mostBad: number;
  /** Of a latency: a device is slow whose 95th percentile is above it. */
  readonly limitMs: number | null;
  /** Of a latency: a device is slow that takes so many times as long as with the model before. */
  readonly factor: number | null;
  /** Devices that must have been measured, or the whole wave where it is smaller. */
  readonly minimum: number;
  /** How sure it must be that a wave is bad before it fails. */
  readonly confidence: number;
  /** What happens when a wave fails. */
  readonly action: GateAction;
}

export interface Judgement {
  /** `undecided`: the whole wave is through, the condition does not hold, and it may be chance, or too few were measured. */
  readonly decision: 'pass' | 'fail' | 'wait' | 'undecided';
  readonly bad: number;
  readonly measured: number;
  /** The true share of bad devices is at least this, sure to the gate's confidence; null where no more are bad than may be. */
  readonly leastShare: number | null;
}

/** The devices of a wave, counted as one gate sees them. */
export class Tally {
  private bad = 0;
  private measured = 0;
  private underWay = 0;
  private devices = 0;

  constructor(private readonly gate: Gate) {}

  add(outcome: Outcome): void {
    this.count(outcome, 1);
  }

  /** What a device has come to takes the place of what it was. */
  replace(before: Outcome, after: Outcome): void {
    this.count(before, -1);
    this.count(after, 1);
  }

  judge(): Judgement {
    const { gate, bad, measured, devices } = this;
    const within = bad <= gate.mostBad * measured;
    const leastShare = within ? null : lowerBound(bad, measured, gate.confidence);
    const enough = measured >= Math.min(gate.minimum, devices) && measured > 0;
    const surelyBad = enough && leastShare !== null && leastShare > gate.mostBad;
    return { decision: surelyBad ? 'fail' : this.underWay > 0 ? 'wait' : enough && within ? 'pass' : 'undecided', bad, measured, leastShare };
  }

  private count(outcome: Outcome, by: 1 | -1): void {
    const bad = isBad(this.gate, outcome);
    this.devices += by;
    if (outcome.state === 'under-way') this.underWay += by;
    if (bad !== null) this.measured += by;
    if (bad === true) this.bad += by;
  }
}

/** @param outcomes of all devices of the wave */
export function judge(gate: Gate, outcomes: readonly Outcome[]): Judgement {
  const tally = new Tally(gate);
  for (const outcome of outcomes) tally.add(outcome);
  return tally.judge();
}

/** The fewest bad devices with which a wave of so many would fail; null where it never would. */
export function failsFrom(gate: Gate, devices: number): number | null {
  for (let bad = 1; bad <= devices; bad++) if (lowerBound(bad, devices, gate.confidence) > gate.mostBad) return bad;
  return null;
}

/** @returns null where it is not known of this device, or not yet */
function isBad({ measure, limitMs, factor }: Gate, { state, p95Ms, oldP95Ms }: Outcome): boolean | null {
  if (state === 'under-way') return null;
  if (measure === 'failed') return state === 'failed';
  if (measure === 'unknown') return state === 'unknown';
  if (measure === 'confirmed') return state !== 'confirmed';
  if (state !== 'confirmed' || p95Ms === null) return null;
  if (limitMs !== null && p95Ms > limitMs) return true;
  // A device that ran nothing before has nothing to be slower than.
  if (factor === null) return false;
  return oldP95Ms === null ? (limitMs === null ? null : false) : p95Ms > factor * oldP95Ms;
}
