// What a rollout keeps on disk: everything that an agent needs to continue after another was killed. One agent leads a
// rollout, and only it commits; a commit is atomic.

import type { Judgement } from '../gates.js';
import type { RolloutPlan } from '../plan.js';
import type { DeviceRecord, RolloutEvent, RolloutState } from '../records.js';

/** A rollout as it is stored. */
export interface RolloutRow {
  /** Number of the rollout in this store. */
  readonly no: number;
  /** The fleet: HOST:PORT/NAME. */
  readonly fleet: string;
  readonly name: string;
  /** mqtt://BROKER/FLEET, without password. */
  readonly uri: string;
  readonly plan: RolloutPlan;
  /** The target. */
  readonly target: string;
  /** SHA-256, in hexadecimal, of the bundle and of the one to roll back to. */
  readonly bundle: string;
  readonly previous: string | null;
  /** Devices that join later are selected if their draw is below this share (0 to 1). */
  readonly cutoff: number;
  readonly state: RolloutState;
  /** Of the current wave. */
  readonly judgements: readonly Judgement[];
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** Milliseconds since 1970. */
  readonly changedAt: number;
  /** The rollout's clock: milliseconds in which an agent led it and the broker was connected. */
  readonly clockMs: number;
}

/** A rollout before it is stored. */
export type NewRollout = Pick<
  RolloutRow,
  'fleet' | 'name' | 'uri' | 'plan' | 'target' | 'bundle' | 'previous' | 'cutoff' | 'createdAt' | 'state'
>;

/** The lease of the agent that leads a rollout. `heartbeat` increases as long as the agent is alive. */
export interface Lease {
  readonly holder: string;
  readonly heartbeat: number;
}

/** A user's command to a rollout. */
export type RolloutCommand =
  | { readonly kind: 'pause' | 'resume' | 'overrule' }
  | { readonly kind: 'abort'; readonly rollBack: boolean }
  /** null: all devices that failed or did not report in time. */
  | { readonly kind: 'retry'; readonly ids: readonly string[] | null };

/** An event of a rollout with its number and time. */
export interface LoggedEvent {
  /** Number of the event, from 1. */
  readonly n: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly event: RolloutEvent;
}

/** A bundle whose blocks are at a broker or may be: the row is written before the first block is published. */
export interface PublishedRow {
  /** SHA-256 of the slot image, in hexadecimal. */
  readonly sha: string;
  /** Number of blocks. */
  readonly blocks: number;
  readonly blockBytes: number;
  readonly complete: boolean;
}

/** Changes of a rollout that a store saves together. */
export interface Commit {
  readonly devices: readonly DeviceRecord[];
  readonly events: readonly RolloutEvent[];
  readonly state: RolloutState;
  readonly judgements: readonly Judgement[];
  /** The rollout's clock, in milliseconds. */
  readonly clockMs: number;
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Numbers of the commands that were handled. */
  readonly handled: readonly number[];
  readonly published: readonly PublishedRow[];
}

/** The devices of a wave in one phase. */
export interface WaveRow {
  readonly wave: number;
  readonly phase: DeviceRecord['phase'];
  readonly devices: number;
}

/** Medians over the devices of a wave, including those that were rolled back since; null if nothing was measured. */
export interface MeasuredRow {
  readonly wave: number;
  /** 95th percentile of the latency with the new model, in milliseconds; null if not measured. */
  readonly p95Ms: number | null;
  readonly beforeP95Ms: number | null;
  /** Share of the samples that the new model gets right; null if not measured. */
  readonly accuracy: number | null;
  readonly beforeAccuracy: number | null;
}

/** A durable store of rollouts. */
export interface RolloutStore {
  /** Address of the database, without the password. */
  readonly uri: string;
  /** @returns null if the fleet already has a rollout of this name */
  readonly create: (rollout: NewRollout, devices: readonly DeviceRecord[]) => Promise<RolloutRow | null>;
  /** Newest first. @param fleet null: of all fleets */
  readonly rollouts: (fleet: string | null) => Promise<readonly RolloutRow[]>;
  readonly rollout: (no: number) => Promise<RolloutRow>;
  /** In the order of their places. */
  readonly devices: (no: number) => AsyncIterable<DeviceRecord>;
  readonly waves: (no: number) => Promise<readonly WaveRow[]>;
  readonly measured: (no: number) => Promise<readonly MeasuredRow[]>;
  /** Events after number `after`, up to a maximum. */
  readonly events: (no: number, after: number, most: number) => Promise<readonly LoggedEvent[]>;
  readonly keepImage: (sha: string, image: Uint8Array) => Promise<void>;
  readonly image: (sha: string) => Promise<Uint8Array | null>;
  readonly published: (fleet: string) => Promise<readonly PublishedRow[]>;
  readonly forgetPublished: (fleet: string, sha: string) => Promise<void>;
  /** @returns the command's number */
  readonly request: (no: number, request: RolloutCommand) => Promise<number>;
  readonly requests: (no: number) => Promise<readonly { readonly n: number; readonly request: RolloutCommand }[]>;
  readonly lease: (no: number) => Promise<Lease | null>;
  /** Replaces the lease that was read; fails if another agent was faster. */
  readonly takeLease: (no: number, holder: string, seen: Lease | null) => Promise<boolean>;
  readonly giveLease: (no: number, holder: string) => Promise<void>;
  /** Commits all of it or nothing, and renews the lease. @throws ROLLOUT_LEASE if another agent holds it */
  readonly commit: (no: number, holder: string, commit: Commit) => Promise<void>;
  readonly close: () => Promise<void>;
}
