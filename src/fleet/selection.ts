// Which devices of a fleet a plan means.

import type { RolloutPlan } from './plan.js';
import type { FleetMember } from './registry.js';
import { drawnOrder, drawnShare } from './waves.js';

/** What a plan selects of a fleet. */
export interface Selection {
  readonly members: readonly FleetMember[];
  /** Ids that the plan names, and the fleet does not have. */
  readonly unknown: readonly string[];
  /** Named or tagged by the plan, but of another kind than the bundle is for. */
  readonly otherTargets: readonly FleetMember[];
  /**
   * Where the share that is asked for ends in the order that was drawn: devices that come later belong to it up to
   * here.
   */
  readonly cutoff: number;
}

type Selecting = Pick<RolloutPlan, 'select' | 'rollout'>;

/** @param target that the bundle is for */
export function selectMembers(members: readonly FleetMember[], plan: Selecting, target: string): Selection {
  const { ids, share } = plan.select;
  const meant = members.filter((member) => isMeant(member, plan));
  const fitting = meant.filter(({ reported }) => reported.target === target);
  const order = drawnOrder(
    fitting.map(({ id }) => id),
    drawOf(plan),
  );
  const chosen = order.slice(0, Math.ceil(share * fitting.length));
  const drawn = new Set(chosen);
  const last = chosen.at(-1);
  const known = new Set(members.map(({ id }) => id));
  return {
    members: fitting.filter(({ id }) => drawn.has(id)),
    unknown: (ids ?? []).filter((id) => !known.has(id)),
    otherTargets: meant.filter(({ reported }) => reported.target !== target),
    cutoff: share === 1 || last === undefined ? share : drawnShare(last, drawOf(plan)),
  };
}

/** Whether a device that comes later belongs to it too. @param cutoff of the selection */
export function selectsLater(member: FleetMember, plan: Selecting, target: string, cutoff: number): boolean {
  return member.reported.target === target && isMeant(member, plan) && drawnShare(member.id, drawOf(plan)) <= cutoff;
}

function isMeant({ id, reported }: FleetMember, { select: { tags, ids } }: Selecting): boolean {
  return (
    Object.entries(tags).every(([name, value]) => reported.tags?.[name] === value) && (ids === null || ids.includes(id))
  );
}

/** Another draw than that of the waves, or the first ones of one would be the first of the other. */
function drawOf({ rollout }: Selecting): string {
  return `${rollout} share`;
}
