// Progress of a rollout, computed from the store alone, so that any terminal can show it.

import type { BrokerTrouble } from '../devices/mqtt/index.js';
import { failsFrom, type Gate, type Judgement } from './gates.js';
import { opensAt } from './maintenance-window.js';
import { type DevicePhase, devicePhases, type RolloutState, settledPhases } from './records.js';
import type { RolloutRow, RolloutStore } from './store/index.js';

/** The devices of one wave by phase, and their medians. */
export interface WaveSummary {
  readonly devices: number;
  /** Number of devices by phase. */
  readonly counts: Readonly<Partial<Record<DevicePhase, number>>>;
  /** Medians with the new model and with the previous one; null if nothing was measured. */
  readonly p95Ms: number | null;
  readonly beforeP95Ms: number | null;
  /** Median share of right samples with the new model; null if not measured. */
  readonly accuracy: number | null;
  readonly beforeAccuracy: number | null;
}

/** The progress of a rollout. */
export interface RolloutSummary {
  readonly rollout: string;
  readonly uri: string;
  readonly target: string;
  /** SHA-256 of the bundle, and of the one to roll back to. */
  readonly bundle: string;
  readonly previous: string | null;
  readonly phase: RolloutState['phase'];
  /** Waves are counted from 1 here. */
  readonly wave: number;
  readonly reason: string;
  readonly by: RolloutState['by'];
  readonly devices: number;
  /** Number of devices by phase, of all waves. */
  readonly counts: WaveSummary['counts'];
  readonly waves: readonly WaveSummary[];
  /** The gates with their judgement of the current wave; null before it begins. */
  readonly gates: readonly (Gate & { readonly judgement: Judgement | null; readonly failsFrom: number | null })[];
  /** How long the rollout has been led, and the estimated rest; null if that is unknown. */
  readonly elapsedMs: number;
  /** Estimated rest, in milliseconds; null if it is unknown. */
  readonly leftMs: number | null;
  /** When the maintenance window opens, in milliseconds since 1970; null if nothing waits for it. */
  readonly opensAt: number | null;
  /** HOST:PID of the leading agent; null if none leads. */
  readonly agent: string | null;
  /** Set while the leading agent has no connection to the broker; null otherwise, and if no agent leads. */
  readonly broker: BrokerTrouble | null;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** Milliseconds since 1970. */
  readonly changedAt: number;
}

const settled: ReadonlySet<DevicePhase> = new Set(settledPhases);

/**
 * Computes the progress of a rollout from its store.
 * @param now milliseconds since 1970
 */
export async function summarize(store: RolloutStore, row: RolloutRow, now = Date.now()): Promise<RolloutSummary> {
  const [rows, measured, lease] = [await store.waves(row.no), await store.measured(row.no), await store.lease(row.no)];
  const { state, plan, judgements } = row;
  const waves = Array.from(
    { length: 1 + rows.reduce((most, { wave }) => Math.max(most, wave), 0) },
    (_, wave): WaveSummary => {
      const counts = Object.fromEntries(
        rows.filter((one) => one.wave === wave).map(({ phase, devices }) => [phase, devices]),
      );
      const {
        p95Ms = null,
        beforeP95Ms = null,
        accuracy = null,
        beforeAccuracy = null,
      } = measured.find((one) => one.wave === wave) ?? {};
      return { devices: total(counts), counts, p95Ms, beforeP95Ms, accuracy, beforeAccuracy };
    },
  );
  const counts: Partial<Record<DevicePhase, number>> = {};
  for (const phase of devicePhases) {
    const count = waves.reduce((sum, wave) => sum + (wave.counts[phase] ?? 0), 0);
    if (count > 0) counts[phase] = count;
  }
  const devices = total(counts);
  const through = Object.entries(counts).reduce(
    (sum, [phase, count]) => sum + (settled.has(phase as DevicePhase) ? count : 0),
    0,
  );
  const opens = plan.window === null || state.phase !== 'running' ? now : opensAt(plan.window, now);
  return {
    rollout: row.name,
    uri: row.uri,
    target: row.target,
    bundle: row.bundle,
    previous: row.previous,
    phase: state.phase,
    wave: state.wave + 1,
    reason: state.reason,
    by: state.by,
    devices,
    counts,
    waves,
    gates: plan.gates.map((gate, g) => ({
      ...gate,
      judgement: judgements[g] ?? null,
      failsFrom: failsFrom(gate, waves[state.wave]?.devices ?? 0),
    })),
    elapsedMs: row.clockMs,
    leftMs: state.phase === 'running' && through > 0 ? ((devices - through) * row.clockMs) / through : null,
    opensAt: opens === now ? null : opens,
    agent: lease === null ? null : lease.holder.split(':').slice(0, 2).join(':'),
    broker: lease === null ? null : (state.broker ?? null),
    createdAt: row.createdAt,
    changedAt: row.changedAt,
  };
}

function total(counts: WaveSummary['counts']): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}
