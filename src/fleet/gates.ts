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
  /** The true share of bad devices is at least this, sure to the gate's confidence. */
  readonly leastShare: number;
}

/** @param outcomes of all devices of the wave */
export function judge(gate: Gate, outcomes: readonly Outcome[]): Judgement {
  const through = outcomes.every(({ state }) => state !== 'under-way');
  const verdicts = outcomes.flatMap((outcome) => isBad(gate, outcome) ?? []);
  const [bad, measured] = [verdicts.filter(Boolean).length, verdicts.length];
  const leastShare = lowerBound(bad, measured, gate.confidence);
  const enough = measured >= Math.min(gate.minimum, outcomes.length) && measured > 0;
  const surelyBad = enough && leastShare > gate.mostBad;
  const holds = enough && bad <= gate.mostBad * measured;
  return { decision: surelyBad ? 'fail' : !through ? 'wait' : holds ? 'pass' : 'undecided', bad, measured, leastShare };
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
