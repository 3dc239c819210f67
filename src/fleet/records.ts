// The records of a rollout and of its devices: plain data that the store keeps and the engine works on.

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
 * - waiting: not notified yet
 * - notified: the broker has its `desired` message, and the device has not answered
 * - unknown: it was notified and has not reported in time
 * - rolled-back: it runs its previous model again, by itself or on request
 * - withdrawn: called back before it finished
 * - returning: it may run the new model and waits to be notified to go back
 * - removed: it was deleted from the fleet before it was confirmed; waves and gates do not count it
 */
export type DevicePhase = (typeof devicePhases)[number];

/** Phases in which a device has finished. */
export const settledPhases = ['confirmed', 'failed', 'rolled-back', 'unknown', 'withdrawn', 'removed'] as const;

/** Phases with a deadline; a device that exceeds it becomes `unknown`. */
export const timedPhases = ['notified', 'downloading', 'verified', 'pending'] as const;
/** Deadline of each phase in milliseconds. */
export type Deadlines = Readonly<Record<(typeof timedPhases)[number], number>>;

/**
 * `paused`: no new device is notified. `rolling-back`: devices that run the new bundle are notified to go back.
 * `stopped` and `done` are final.
 */
export type RolloutPhase = 'planned' | 'running' | 'paused' | 'rolling-back' | 'stopped' | 'done';

/** Whether a rollout has ended: it notifies no more devices, though a roll-back can follow `done`. */
export function hasEnded(phase: RolloutPhase): phase is 'stopped' | 'done' {
  return phase === 'stopped' || phase === 'done';
}

/** What a device should run, as its `desired` message says. */
export type Desired = 'nothing' | 'new' | 'old';

/** A device of a rollout: where it stands, and what it has measured. */
export interface DeviceRecord {
  readonly id: string;
  /** Counted from 0. */
  readonly wave: number;
  /** Position among waiting devices: the lowest is notified first. */
  readonly place: number;
  readonly phase: DevicePhase;
  /** When the device entered this phase, on the rollout's clock. */
  readonly since: number;
  /** Sequence number of the last accepted report. */
  readonly seq: number;
  /** How often the device was notified. Reports from an earlier attempt are ignored. */
  readonly attempt: number;
  readonly desired: Desired;
  /** Whether the broker has acknowledged the `desired` message. */
  readonly published: boolean;
  /** Why it failed; null otherwise. */
  readonly code: string | null;
  readonly measured: DeviceMeasurements;
  /** Measurements with the previous model. */
  readonly before: DeviceMeasurements;
}

/** The phase of a rollout, and why it is in it. */
export interface RolloutState {
  readonly phase: RolloutPhase;
  /** The current wave, counted from 0. */
  readonly wave: number;
  /** Why the rollout is paused or stopped, and by whom; empty otherwise. */
  readonly reason: string;
  readonly by: 'user' | 'gate' | null;
  /** The last wave whose gates a user has overruled; -1 for none. */
  readonly overruled: number;
  /** The gates' findings when one of them stopped the rollout; devices that are rolled back no longer count in them. */
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

/** The initial record of a device. @param before measurements of the model that it runs now */
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

/** Events of a rollout, as they are logged and shown. */
export type RolloutEvent =
  | { readonly kind: 'phase'; readonly phase: RolloutPhase; readonly reason: string; readonly by: RolloutState['by'] }
  | { readonly kind: 'wave'; readonly wave: number; readonly devices: number }
  /** A device that has failed, was rolled back, has not reported in time, or was deleted from the fleet. */
  | { readonly kind: 'device'; readonly id: string; readonly phase: DevicePhase; readonly code: string | null }
  /** Devices that were not part of the plan's fleet when the rollout began. */
  | { readonly kind: 'joined'; readonly id: string }
  /** Ids that reported during the rollout and are not admitted. */
  | { readonly kind: 'quarantined'; readonly ids: readonly string[]; readonly why: Quarantine }
  /** The connection to the broker was lost, or is back. */
  | { readonly kind: 'broker'; readonly connected: boolean; readonly reason: string };
