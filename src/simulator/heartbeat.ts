// Computing blocks the event loop. A heartbeat between operators shows the caller that the model is still running, and
// ends runs that take too long.

import { fail } from '../base/errors.js';

/** End of a run, by `performance.now()`. */
export interface TimeLimit {
  end: number;
  ms: number;
}

export const noLimit = (): TimeLimit => ({ end: Infinity, ms: Infinity });

let listener: ((now: number) => void) | null = null;

/** @param heard called before every operator of any interpreter in this process; it must be fast. null removes it */
export function onHeartbeat(heard: ((now: number) => void) | null): void {
  listener = heard;
}

/** @throws RUN_TIMEOUT */
export function heartbeat({ end, ms }: TimeLimit): void {
  const now = performance.now();
  if (now > end) throw fail('RUN_TIMEOUT', { ms });
  listener?.(now);
}
