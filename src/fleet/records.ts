// What is remembered of a rollout and of each of its devices: plain data that a store keeps and the engine works on.

import type { BrokerTrouble } from '../devices/mqtt/index.js';
import { type DeviceMeasurements, type Judgement, nothingMeasured } from './gates.js';

export const devicePhases = [
  'waiting',
  'notified',
  'downloading',
  'verified',
  'pending',
  'confirmed',
  'failed',
  'rolled-back',
  'unknown',
  'withdrawn',
  'returning',
  'removed',
] as const;
/**
 * - waiting: not told yet
 * - notified: the broker has its desire, and it has not answered
 * - unknown: it was told, and has not been heard of within its time
 * - rolled-back: it runs again what it ran before, by itself or because it was told
 * - withdrawn: called back before it was through
 * - returning: it may run what was rolled out, and waits to be told to go back
 * - removed: it was deleted from the fleet before it was confirmed; waves and gates do not count it
 */
export type DevicePhase = (typeof devicePhases)[number];

/** Phases in which a device is through. */
export const settledPhases = ['confirmed', 'failed', 'rolled-back', 'unknown', 'withdrawn', 'removed'] as const;

/** Phases that end within a time, or the device is unknown. */
export const timedPhases = ['notified', 'downloading', 'verified', 'pending'] as const;
/** Milliseconds that a device may spend in a phase. */
export type Deadlines = Readonly<Record<(typeof timedPhases)[number], number>>;

/**
 * `paused`: nobody new is told. `rolling-back`: who runs the new bundle is told to run the one before. `stopped` and
 * `done` are ends.
 */
export type RolloutPhase = 'planned' | 'running' | 'paused' | 'rolling-back' | 'stopped' | 'done';

/** Whether a rollout has ended: it sends no more models, though a roll-back can follow `done`. */
export function hasEnded(phase: RolloutPhase): phase is 'stopped' | 'done' {
  return phase === 'stopped' || phase === 'done';
}

/** What a device is to run, as the broker is to say it. */
export type Desired = 'nothing' | 'new' | 'old';

export interface DeviceRecord {
  readonly id: string;
  readonly wave: number;
  /** Among those that wait: the lowest is told first. */
  readonly place: number;
  readonly phase: DevicePhase;
  /** When it came into this phase, in the rollout's own time. */
  readonly since: number;
  /** Of the last report that was taken. */
  readonly seq: number;
  /** How often it has been told: reports of an earlier time tell nothing of this one. */
  readonly attempt: number;
  readonly desired: Desired;
  /** The broker has it. */
  readonly published: boolean;
  readonly code: string | null;
  readonly measured: DeviceMeasurements;
  /** Under the model before. */
  readonly before: DeviceMeasurements;
}

export interface RolloutState {
  readonly phase: RolloutPhase;
  /** The wave that is under way, from 0 on. */
  readonly wave: number;
  /** Why it is paused or stopped, and who says so; empty otherwise. */
  readonly reason: string;
  readonly by: 'user' | 'gate' | null;
  /** The last wave whose gates a user has waved through; -1 for none. */
  readonly overruled: number;
  /** What the gates found when one of them stopped it: devices that are taken back tell nothing of that any more. */
  readonly verdict: readonly Judgement[] | null;
  /** Set while the leading agent has no connection to the broker; otherwise null or absent. */
  readonly broker?: BrokerTrouble | null;
}

export const plannedState: RolloutState = {
  phase: 'planned',
  wave: 0,
  reason: '',
  by: null,
  overruled: -1,
  verdict: null,
};

/** A device of a rollout that has not begun with it. @param before what it has measured of the model that it runs */
export function waitingDevice(
  id: string,
  wave: number,
  place: number,
  before: DeviceMeasurements = nothingMeasured,
): DeviceRecord {
  return {
    id,
    wave,
    place,
    phase: 'waiting',
    since: 0,
    seq: 0,
    attempt: 0,
    desired: 'nothing',
    published: true,
    code: null,
    measured: nothingMeasured,
    before,
  };
}

/** `never-connected`: the broker retains no `alive` message of it. `not-expected`: the plan's `expect` is reached. */
export type Quarantine = 'never-connected' | 'not-expected';

/** What happens in a rollout, as those who watch it are told. */
export type RolloutEvent =
  | { readonly kind: 'phase'; readonly phase: RolloutPhase; readonly reason: string; readonly by: RolloutState['by'] }
  | { readonly kind: 'wave'; readonly wave: number; readonly devices: number }
  /** A device that has failed, is back at what it ran before, was not heard of, or was deleted from the fleet. */
  | { readonly kind: 'device'; readonly id: string; readonly phase: DevicePhase; readonly code: string | null }
  /** Not in the plan's fleet when the rollout began. */
  | { readonly kind: 'joined'; readonly id: string }
  /** Ids that reported during the rollout and that it does not take. */
  | { readonly kind: 'quarantined'; readonly ids: readonly string[]; readonly why: Quarantine }
  /** The connection to the broker was lost, or is back. */
  | { readonly kind: 'broker'; readonly connected: boolean; readonly reason: string };
