// Selects the devices of a fleet that a plan applies to.

import type { RolloutPlan } from './plan.js';
import type { FleetMember } from './registry.js';
import { drawnOrder, drawnShare } from './waves.js';

/** The devices that a plan selects. */
export interface Selection {
  readonly members: readonly FleetMember[];
  /** Ids that the plan names and the fleet does not have. */
  readonly unknown: readonly string[];
  /** Devices that the plan names or tags, but of another target than the bundle's. */
  readonly otherTargets: readonly FleetMember[];
  /** Position in the drawn order up to which devices are selected; devices that join later are compared with it. */
  readonly cutoff: number;
}

type Selecting = Pick<RolloutPlan, 'select' | 'rollout'>;

/** @param target of the bundle */
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

/** Whether a device that joins later is selected too. @param cutoff of the selection */
export function selectsLater(member: FleetMember, plan: Selecting, target: string, cutoff: number): boolean {
  return member.reported.target === target && isMeant(member, plan) && drawnShare(member.id, drawOf(plan)) <= cutoff;
}

function isMeant({ id, reported }: FleetMember, { select: { tags, ids } }: Selecting): boolean {
  return (
    Object.entries(tags).every(([name, value]) => reported.tags?.[name] === value) && (ids === null || ids.includes(id))
  );
}

/** A different draw from that of the waves; otherwise a share would select exactly the first waves. */
function drawOf({ rollout }: Selecting): string {
  return `${rollout} share`;
}
