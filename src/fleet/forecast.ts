// What a rollout would do to a fleet in its present state.

import { fail } from '../base/errors.js';
import { hex, sha256 } from '../base/hashes.js';
import { compressedBlocks, decodeSlotImage } from '../devices/bundle/index.js';
import { encodeDesired } from '../devices/protocol/index.js';
import { failsFrom, type Gate } from './gates.js';
import type { RolloutPlan } from './plan.js';
import type { FleetMember, Registry } from './registry.js';
import { selectMembers } from './selection.js';
import { wavesOf } from './waves.js';

/** What a rollout would do in one wave. */
export interface WaveForecast {
  readonly devices: number;
  readonly online: number;
  /** Devices that already run this model. */
  readonly running: number;
  readonly ids: readonly string[];
  /** For each gate, the smallest number of bad devices with which the wave fails; null if it never fails. */
  readonly failsFrom: readonly (number | null)[];
}

/** What a rollout would do. */
export interface RolloutForecast {
  readonly rollout: string;
  readonly target: string;
  readonly bundle: {
    readonly sha256: string;
    readonly bytes: number;
    readonly version: string;
    readonly signed: boolean;
  };
  readonly devices: number;
  readonly gates: readonly Gate[];
  readonly waves: readonly WaveForecast[];
  /** Bytes of the blocks, published once, and of the `desired` message for each device. */
  readonly publishedBytes: { readonly bundle: number; readonly perDevice: number };
  /** Ids that the plan names and the fleet does not have. */
  readonly unknown: readonly string[];
  /** Ids that have reported but were never connected: the rollout leaves them out. */
  readonly neverConnected: readonly string[];
  /** Selected devices of another target than the bundle's. */
  readonly otherTargets: readonly { readonly id: string; readonly target: string }[];
}

/**
 * Computes what a rollout would do to a fleet in its present state.
 * @param image the bundle. @throws SLOT_IMAGE_INVALID; ROLLOUT_PLAN for a bare model, which devices cannot prove
 */
export function forecastRollout(plan: RolloutPlan, image: Uint8Array, registry: Registry): RolloutForecast {
  const { trailer } = decodeSlotImage(image);
  if (trailer === null) throw fail('ROLLOUT_PLAN', { where: plan.bundle, reason: 'it is a bare model, not a bundle' });
  const { manifest } = trailer;
  const { members, unknown, otherTargets } = selectMembers(registry.members, plan, manifest.target);
  const byId = new Map(members.map((member) => [member.id, member]));
  const sha = sha256(image);
  const model = hex(manifest.model);
  const runs = ({ reported }: FleetMember): boolean => reported.model !== undefined && hex(reported.model) === model;
  const waves = wavesOf([...byId.keys()], plan.waves, plan.rollout).map((ids) => {
    const wave = ids.flatMap((id) => byId.get(id) ?? []);
    return {
      devices: wave.length,
      online: wave.filter(({ online }) => online).length,
      running: wave.filter(runs).length,
      ids,
      failsFrom: plan.gates.map((gate) => failsFrom(gate, wave.length)),
    };
  });
  const desired = {
    rollout: plan.rollout,
    attempt: 1,
    sha,
    len: image.byteLength,
    block: plan.blockBytes,
    seed: 0xffffffff,
  };
  return {
    rollout: plan.rollout,
    target: manifest.target,
    bundle: {
      sha256: hex(sha),
      bytes: image.byteLength,
      version: manifest.version,
      signed: trailer.signature !== null,
    },
    devices: members.length,
    gates: plan.gates,
    waves,
    publishedBytes: {
      bundle: compressedBlocks(image, plan.blockBytes).reduce((sum, block) => sum + block.byteLength, 0),
      perDevice: encodeDesired(desired).byteLength,
    },
    unknown,
    neverConnected: registry.neverConnected,
    otherTargets: otherTargets.map(({ id, reported }) => ({ id, target: reported.target })),
  };
}
