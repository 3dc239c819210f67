// Computing blocks the event loop. Between operators a beat tells whoever runs the model that it is still at it, and
// ends what takes too long.

import { fail } from '../base/errors.js';

/** When a run is to end, on the clock of `performance.now()`. */
export interface TimeLimit {
  end: number;
  ms: number;
}

export const noLimit = (): TimeLimit => ({ end: Infinity, ms: Infinity });

let listener: ((now: number) => void) | null = null;

/**
 * @param heard called before every operator that any interpreter of this process runs; it must be quick. null: nobody
 */
export function onHeartbeat(heard: ((now: number) => void) | null): void {
  listener = heard;
}

/** @throws RUN_TIMEOUT */
export function heartbeat({ end, ms }: TimeLimit): void {
  const now = performance.now();
  if (now > end) throw fail('RUN_TIMEOUT', { ms });
  listener?.(now);
}
