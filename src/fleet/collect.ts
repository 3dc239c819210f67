// Removes from the broker what no rollout needs any more: blocks of older bundles, and `desired` messages of devices
// that never fetched them.

import { fleetTopics } from '../devices/mqtt/index.js';
import type { FleetBroker } from './broker.js';
import { withdrawBundle } from './publish-bundle.js';
import { hasEnded } from './records.js';
import type { RolloutRow, RolloutStore } from './store/index.js';

/**
 * Keeps the bundles of rollouts that have not ended, and of the last finished rollout of each target: late and offline
 * devices fetch that one.
 * @param fleet name of the fleet at the broker
 * @param key name of the fleet in the store
 */
export async function collectBundles(
  store: RolloutStore,
  broker: FleetBroker,
  fleet: string,
  key: string,
): Promise<void> {
  const rollouts = await store.rollouts(key);
  const needed = new Set<string>();
  const served = new Set<string>();
  for (const row of rollouts) {
    const last = row.state.phase === 'done' && !served.has(row.target);
    if (row.state.phase === 'done') served.add(row.target);
    if (last || isUnderWay(row)) for (const sha of [row.bundle, row.previous]) if (sha !== null) needed.add(sha);
  }
  for (const { sha, blocks } of await store.published(key)) {
    if (needed.has(sha) || (await isAwaited(store, rollouts, sha))) continue;
    for (const [i, row] of rollouts.entries())
      if (row.bundle === sha) await takeBackDesires(store, broker, fleet, row, rollouts.slice(0, i));
    await withdrawBundle(broker, fleet, { sha: Buffer.from(sha, 'hex'), blocks });
    await store.forgetPublished(key, sha);
  }
}

function isUnderWay({ state: { phase } }: RolloutRow): boolean {
  return !hasEnded(phase);
}

/** Whether devices that should go back to this bundle have not reported since. */
async function isAwaited(store: RolloutStore, rollouts: readonly RolloutRow[], sha: string): Promise<boolean> {
  for (const row of rollouts) {
    if (row.previous !== sha || row.state.phase !== 'stopped') continue;
    for await (const { desired, phase } of store.devices(row.no))
      if (desired === 'old' && phase !== 'rolled-back') return true;
  }
  return false;
}

/** Devices that have not finished, and that no later rollout has notified. */
async function takeBackDesires(
  store: RolloutStore,
  broker: FleetBroker,
  fleet: string,
  row: RolloutRow,
  later: readonly RolloutRow[],
): Promise<void> {
  const notified = new Set<string>();
  for (const { no } of later) for await (const { id, attempt } of store.devices(no)) if (attempt > 0) notified.add(id);
  for await (const { id, phase, desired } of store.devices(row.no)) {
    if (desired !== 'new' || phase === 'confirmed' || notified.has(id)) continue;
    await broker.publish(fleetTopics(fleet).desired(id), new Uint8Array(0), { retain: true });
  }
}
