// What a rollout remembers, on disk: everything that an agent must know to go on where another was killed. One agent
// leads a rollout; it alone commits, and what it commits is whole or not there.

import type { Judgement } from '../gates.js';
import type { RolloutPlan } from '../plan.js';
import type { DeviceRecord, RolloutEvent, RolloutState } from '../records.js';

export interface RolloutRow {
  /** Its number in this store. */
  readonly no: number;
  /** The fleet: HOST:PORT/NAME. */
  readonly fleet: string;
  readonly name: string;
  /** mqtt://BROKER/FLEET, without password. */
  readonly uri: string;
  readonly plan: RolloutPlan;
  /** Kind of device. */
  readonly target: string;
  /** SHA-256 of the bundle, in hexadecimal, and of the one that devices go back to. */
  readonly bundle: string;
  readonly previous: string | null;
  /** Devices that come later belong to the share that was selected up to here (0 to 1). */
  readonly cutoff: number;
  readonly state: RolloutState;
  /** Of the wave that is under way. */
  readonly judgements: readonly Judgement[];
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly changedAt: number;
  /** The rollout's own time: milliseconds in which an agent led it and its broker was there. */
  readonly clockMs: number;
}

export type NewRollout = Pick<
  RolloutRow,
  'fleet' | 'name' | 'uri' | 'plan' | 'target' | 'bundle' | 'previous' | 'cutoff' | 'createdAt' | 'state'
>;

/** Who leads a rollout. `beat` grows as long as it does: one whose beat stands still is gone. */
export interface Lease {
  readonly holder: string;
  readonly heartbeat: number;
}

/** A user's word, to whichever agent leads. */
export type RolloutCommand =
  | { readonly kind: 'pause' | 'resume' | 'overrule' }
  | { readonly kind: 'abort'; readonly rollBack: boolean }
  /** null: all that have failed or were not heard of. */
  | { readonly kind: 'retry'; readonly ids: readonly string[] | null };

export interface LoggedEvent {
  readonly n: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly event: RolloutEvent;
}

/** A bundle whose blocks lie at a broker, or may: it was written down before the first was published. */
export interface PublishedRow {
  readonly sha: string;
  readonly blocks: number;
  readonly blockBytes: number;
  readonly complete: boolean;
}

export interface Commit {
  readonly devices: readonly DeviceRecord[];
  readonly events: readonly RolloutEvent[];
  readonly state: RolloutState;
  readonly judgements: readonly Judgement[];
  readonly clockMs: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Requests that were carried out. */
  readonly handled: readonly number[];
  readonly published: readonly PublishedRow[];
}

/** Devices of a wave in one phase. */
export interface WaveRow {
  readonly wave: number;
  readonly phase: DeviceRecord['phase'];
  readonly devices: number;
}

/**
 * Medians of what the devices of a wave have measured, those too that were taken back since; null where nothing was.
 */
export interface MeasuredRow {
  readonly wave: number;
  readonly p95Ms: number | null;
  readonly beforeP95Ms: number | null;
  readonly accuracy: number | null;
  readonly beforeAccuracy: number | null;
}

export interface RolloutStore {
  /** As it may be shown. */
  readonly uri: string;
  /** @returns null where the fleet has one of this name already */
  readonly create: (rollout: NewRollout, devices: readonly DeviceRecord[]) => Promise<RolloutRow | null>;
  /** Newest first. @param fleet null: of all */
  readonly rollouts: (fleet: string | null) => Promise<readonly RolloutRow[]>;
  readonly rollout: (no: number) => Promise<RolloutRow>;
  /** In the order of their places. */
  readonly devices: (no: number) => AsyncIterable<DeviceRecord>;
  readonly waves: (no: number) => Promise<readonly WaveRow[]>;
  readonly measured: (no: number) => Promise<readonly MeasuredRow[]>;
  /** Those after number `after`, at most so many. */
  readonly events: (no: number, after: number, most: number) => Promise<readonly LoggedEvent[]>;
  readonly keepImage: (sha: string, image: Uint8Array) => Promise<void>;
  readonly image: (sha: string) => Promise<Uint8Array | null>;
  readonly published: (fleet: string) => Promise<readonly PublishedRow[]>;
  readonly forgetPublished: (fleet: string, sha: string) => Promise<void>;
  /** @returns its number */
  readonly request: (no: number, request: RolloutCommand) => Promise<number>;
  readonly requests: (no: number) => Promise<readonly { readonly n: number; readonly request: RolloutCommand }[]>;
  readonly lease: (no: number) => Promise<Lease | null>;
  /** Takes the place of the lease that was seen; not where another was quicker. */
  readonly takeLease: (no: number, holder: string, seen: Lease | null) => Promise<boolean>;
  readonly giveLease: (no: number, holder: string) => Promise<void>;
  /** All of it or nothing; renews the lease. @throws ROLLOUT_LEASE where another holds it */
  readonly commit: (no: number, holder: string, commit: Commit) => Promise<void>;
  readonly close: () => Promise<void>;
}
