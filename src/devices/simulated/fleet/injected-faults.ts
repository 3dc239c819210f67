// What each named fault makes a fleet device do. The device asks at certain points of an update; it knows no names.

import type { FleetFault } from './fleet-faults.js';

/** Points of an update at which a fault may strike. */
export type FaultPoint = 'notified' | 'half-downloaded' | 'verified' | 'self-tested' | 'activated';

/**
 * - falls-silent: it sends and receives nothing any more
 * - stalls: it stops the download and waits
 * - loses-power: it restarts
 * - boots-fail: the new model survives no boot
 * - refuses: it reports the update as failed
 */
export type Misbehaviour =
  | { readonly kind: 'falls-silent' | 'stalls' | 'loses-power' | 'boots-fail' }
  | { readonly kind: 'refuses'; readonly code: string; readonly detail: string };

interface Effect {
  readonly at?: FaultPoint;
  readonly does?: Misbehaviour;
  /** Strikes a single time. */
  readonly once?: true;
  readonly latencyFactor?: number;
  /** Share of the samples that it got right and still gets right. */
  readonly accuracyFactor?: number;
  /** It never activates the new model, and reports as if it had. */
  readonly keepsOldModel?: true;
}

const effects: Readonly<Record<FleetFault, Effect>> = {
  'dies-notified': { at: 'notified', does: { kind: 'falls-silent' } },
  'dies-downloading': { at: 'half-downloaded', does: { kind: 'falls-silent' } },
  'dies-verified': { at: 'verified', does: { kind: 'falls-silent' } },
  'dies-pending': { at: 'activated', does: { kind: 'falls-silent' } },
  'reboots-downloading': { at: 'half-downloaded', does: { kind: 'loses-power' }, once: true },
  'reboots-pending': { at: 'activated', does: { kind: 'loses-power' }, once: true },
  'stuck-download': { at: 'half-downloaded', does: { kind: 'stalls' } },
  'bad-signature': {
    at: 'self-tested',
    does: {
      kind: 'refuses',
      code: 'SIGNATURE_INVALID',
      detail: 'the signature is not from a key of this device',
    },
  },
  'wrong-result': {
    at: 'self-tested',
    does: { kind: 'refuses', code: 'SELF_TEST_FAILED', detail: 'all vectors differ' },
  },
  'falls-back': { at: 'activated', does: { kind: 'boots-fail' } },
  'still-old': { keepsOldModel: true },
  slow: { latencyFactor: 3 },
  inaccurate: { accuracyFactor: 0.75 },
};

/** The faults of one device. */
export class InjectedFaults {
  private readonly present: Set<Effect>;

  constructor(names: readonly FleetFault[]) {
    this.present = new Set(names.map((name) => effects[name]));
  }

  /** What the device does at this point instead of going on; null to go on. */
  strike(point: FaultPoint): Misbehaviour | null {
    for (const effect of this.present) {
      if (effect.at !== point || effect.does === undefined) continue;
      if (effect.once === true) this.present.delete(effect);
      return effect.does;
    }
    return null;
  }

  get latencyFactor(): number {
    return this.product(({ latencyFactor }) => latencyFactor);
  }

  get accuracyFactor(): number {
    return this.product(({ accuracyFactor }) => accuracyFactor);
  }

  get keepsOldModel(): boolean {
    return [...this.present].some(({ keepsOldModel }) => keepsOldModel === true);
  }

  private product(factorOf: (effect: Effect) => number | undefined): number {
    return [...this.present].reduce((product, effect) => product * (factorOf(effect) ?? 1), 1);
  }
}
