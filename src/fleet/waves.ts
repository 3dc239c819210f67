// Divides the devices of a rollout into waves. The order is drawn from the rollout's name: no part of the fleet always
// goes first, and the same rollout always has the same waves.

import { createHash } from 'node:crypto';

/**
 * The cumulative number of devices after each wave, as counts or as shares of the selection; or a growth factor from
 * the first wave on.
 */
export type WavePlan =
  | readonly (number | { readonly share: number })[]
  | { readonly first: number; readonly factor: number };

/** A pseudo-random order that is always the same for the same name. */
export function drawnOrder(ids: readonly string[], name: string): string[] {
  const drawn = ids.map((id) => [draw(id, name).toString('hex'), id] as const);
  return drawn.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, id]) => id);
}

/** A device's position in that order, between 0 and 1, independent of the other devices. */
export function drawnShare(id: string, name: string): number {
  return draw(id, name).readUInt32BE() / 2 ** 32;
}

function draw(id: string, name: string): Buffer {
  return createHash('sha256').update(`${name}\n${id}`).digest();
}

/**
 * @returns the ids of each wave; no wave is empty, and every id is in one. Devices that the plan leaves over form the
 * last wave.
 */
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

/** The cumulative number of devices after each wave. */
function endsOf(plan: WavePlan, total: number): number[] {
  if (!('first' in plan)) return plan.map((end) => (typeof end === 'number' ? end : Math.ceil(end.share * total)));
  const ends: number[] = [];
  for (let size = plan.first, end = size; end < total; size *= plan.factor, end += Math.round(size)) ends.push(end);
  return ends;
}
