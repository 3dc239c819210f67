// Records a new rollout before it does anything: its plan, its bundles, and its devices in waves.

import { defined } from '../base/checked.js';
import { fail } from '../base/errors.js';
import { sha256Hex } from '../base/hashes.js';
import { decodeSlotImage, type Manifest } from '../devices/bundle/index.js';
import { type DeviceMeasurements, nothingMeasured } from './gates.js';
import type { RolloutPlan } from './plan.js';
import { plannedState, waitingDevice } from './records.js';
import type { FleetMember, Registry } from './registry.js';
import { selectMembers } from './selection.js';
import type { RolloutRow, RolloutStore } from './store/index.js';
import { wavesOf } from './waves.js';

/** A new rollout: its plan and the bytes of its bundles. */
export interface Beginning {
  readonly plan: RolloutPlan;
  /** The bundle, and the bundle to roll back to; null if the plan names none. */
  readonly image: Uint8Array;
  readonly previousImage: Uint8Array | null;
  /** HOST:PORT/NAME of the fleet, and its address without the password. */
  readonly fleet: string;
  /** Address of the fleet: mqtt://BROKER/FLEET. */
  readonly uri: string;
}

/** Callbacks while a rollout begins. */
export interface BeginOptions {
  /** Milliseconds since 1970; the machine's clock by default. */
  readonly now?: number;
  /** Called with devices that an earlier rollout reached and that are now missing from the broker. */
  readonly onMissing?: (ids: readonly string[]) => void;
}

/**
 * Records the rollout, or returns the existing one if the plan is the same.
 * @param readFleet called only for a new rollout
 * @throws ROLLOUT_PLAN, ROLLOUT_EXISTS if another plan has this name, SLOT_IMAGE_INVALID
 */
export async function beginRollout(
  store: RolloutStore,
  { plan, image, previousImage, fleet, uri }: Beginning,
  readFleet: () => Promise<Registry>,
  { now = Date.now(), onMissing = () => undefined }: BeginOptions = {},
): Promise<RolloutRow> {
  const manifest = manifestOf(image, plan.bundle);
  const bundle = sha256Hex(image);
  const known = (await store.rollouts(fleet)).find(({ name }) => name === plan.rollout);
  if (known !== undefined) return sameAs(known, bundle);
  const previous = await previousOf(store, { plan, previousImage, fleet, manifest });
  await store.keepImage(bundle, image);
  const registry = await readFleet();
  const { members, cutoff } = selectMembers(registry.members, plan, manifest.target);
  if (members.length === 0)
    throw fail('ROLLOUT_PLAN', {
      where: plan.rollout,
      reason: `the plan selects no device of ${manifest.target} in ${uri}`,
    });
  requireExpected(plan, members.length, uri);
  const missing = await missingOf(store, fleet, manifest.target, registry);
  if (missing.length > 0) onMissing(missing);
  const byId = new Map(members.map((member) => [member.id, member]));
  let place = 0;
  const devices = wavesOf([...byId.keys()], plan.waves, plan.rollout).flatMap((ids, wave) =>
    ids.map((id) => waitingDevice(id, wave, place++, measuredBefore(defined(byId.get(id))))),
  );
  const row = {
    fleet,
    name: plan.rollout,
    uri,
    plan,
    target: manifest.target,
    bundle,
    previous,
    cutoff,
    createdAt: now,
    state: plannedState,
  };
  const created = await store.create(row, devices);
  if (created !== null) return created;
  // Another agent was faster.
  const [other] = (await store.rollouts(fleet)).filter(({ name }) => name === plan.rollout);
  return sameAs(defined(other), bundle);
}

/** @throws ROLLOUT_PLAN */
export function requireExpected(
  { expect, rollout }: Pick<RolloutPlan, 'expect' | 'rollout'>,
  found: number,
  uri: string,
): void {
  // Plans stored by an earlier version lack this field.
  if (expect == null || expect === found) return;
  throw fail('ROLLOUT_PLAN', {
    where: rollout,
    reason: `it expects ${expect} devices, but ${found} of ${uri} are selected`,
  });
}

/** Devices of the plan's target that the last rollout to this fleet reached and that are missing now. */
async function missingOf(store: RolloutStore, fleet: string, target: string, { members }: Registry): Promise<string[]> {
  const last = (await store.rollouts(fleet)).find((row) => row.target === target && row.state.phase === 'done');
  if (last === undefined) return [];
  const there = new Set(members.map(({ id }) => id));
  const missing: string[] = [];
  for await (const { id, phase } of store.devices(last.no))
    if (phase === 'confirmed' && !there.has(id)) missing.push(id);
  return missing;
}

/** What a device has reported about the model that it runs. */
export function measuredBefore({ reported }: FleetMember): DeviceMeasurements {
  return reported.state === 'confirmed' ? measuredOf(reported, null) : nothingMeasured;
}

export function measuredOf(
  { p95_us, samples = 0, correct = 0, arena }: FleetMember['reported'],
  maxLsb: number | null,
): DeviceMeasurements {
  return {
    p95Ms: p95_us === undefined ? null : p95_us / 1000,
    accuracy: samples === 0 ? null : correct / samples,
    arenaBytes: arena ?? null,
    maxLsb,
  };
}

function sameAs(row: RolloutRow, bundle: string): RolloutRow {
  if (row.bundle !== bundle)
    throw fail('ROLLOUT_EXISTS', { rollout: row.name, fleet: row.fleet, bundle: row.bundle.slice(0, 12) });
  return row;
}

function manifestOf(image: Uint8Array, where: string): Manifest {
  const { trailer } = decodeSlotImage(image);
  if (trailer === null) throw fail('ROLLOUT_PLAN', { where, reason: 'it is a bare model, not a bundle' });
  return trailer.manifest;
}

/**
 * The bundle to roll back to: the one that the plan names, or the one of the previous rollout.
 * @returns its SHA-256; null if there is none
 */
async function previousOf(
  store: RolloutStore,
  {
    plan,
    previousImage,
    fleet,
    manifest,
  }: Pick<Beginning, 'plan' | 'previousImage' | 'fleet'> & { readonly manifest: Manifest },
): Promise<string | null> {
  let image = previousImage;
  if (image === null) {
    const before = (await store.rollouts(fleet)).find(
      ({ state, target }) => state.phase === 'done' && target === manifest.target,
    );
    image = before === undefined ? null : await store.image(before.bundle);
  }
  const goesBack = plan.gates.some(({ action }) => action === 'roll-back');
  if (image === null) {
    if (!goesBack) return null;
    throw fail('ROLLOUT_PLAN', {
      where: plan.rollout,
      reason: 'a gate has the action roll-back, but the previous bundle is unknown: name it with `previous`',
    });
  }
  const before = manifestOf(image, plan.previous ?? plan.rollout);
  if (before.target !== manifest.target)
    throw fail('ROLLOUT_PLAN', {
      where: plan.rollout,
      reason: `the previous bundle is for ${before.target}, the new one for ${manifest.target}`,
    });
  if (goesBack && (before.counter ?? 0) < (manifest.counter ?? 0)) {
    throw fail('ROLLOUT_PLAN', {
      where: plan.rollout,
      reason:
        'a gate has the action roll-back, but devices would refuse the previous bundle: its counter is ' +
        `${before.counter ?? 0}, the counter of the new one is ${manifest.counter ?? 0}`,
    });
  }
  const sha = sha256Hex(image);
  await store.keepImage(sha, image);
  return sha;
}
