// The devices of a rollout in waves. Who comes first is drawn from the rollout's name: no part of the fleet is tried on
// every time, and the same rollout always has the same waves.

import { createHash } from 'node:crypto';

/**
 * Devices in all when a wave is through: so many, or a share of the selection; or waves that grow by a factor from the
 * first on.
 */
export type WavePlan =
  | readonly (number | { readonly share: number })[]
  | { readonly first: number; readonly factor: number };

/** An order that nobody chose, and that is the same every time. */
export function drawnOrder(ids: readonly string[], name: string): string[] {
  const drawn = ids.map((id) => [draw(id, name).toString('hex'), id] as const);
  return drawn.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, id]) => id);
}

/** Where in that order a device stands, between 0 and 1, whoever else is in it. */
export function drawnShare(id: string, name: string): number {
  return draw(id, name).readUInt32BE() / 2 ** 32;
}

function draw(id: string, name: string): Buffer {
  return createHash('sha256').update(`${name}\n${id}`).digest();
}

/** @returns the ids of each wave; none is empty, and every id is in one. What the plan leaves over is the last wave. */
export function wavesOf(ids: readonly string[], plan: WavePlan, rollout: string): string[][] {
  const order = drawnOrder(ids, rollout);
  const waves: string[][] = [];
  let begun = 0;
  for (const end of [...endsOf(plan, ids.length), ids.length]) {
    const wave = order.slice(begun, Math.min(end, ids.length));
    if (wave.length > 0) waves.push(wave);
    begun += wave.length;
  }
  return waves;
}

/** How many devices there are in all after each wave. */
function endsOf(plan: WavePlan, total: number): number[] {
  if (!('first' in plan)) return plan.map((end) => (typeof end === 'number' ? end : Math.ceil(end.share * total)));
  const ends: number[] = [];
  for (let size = plan.first, end = size; end < total; size *= plan.factor, end += Math.round(size)) ends.push(end);
  return ends;
}
