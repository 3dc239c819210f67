import { setTimeout as delay } from 'node:timers/promises';
import { hasEnded } from '../../../fleet/index.js';
import type { Context, Outcome } from '../verb.js';
import type { RolloutOptions } from './options.js';
import { findRollout, withStore } from './store.js';

const [pageEvents, pollMs] = [1000, 500];

/** JSON lines instead of a document, so that they can be read as they are written. */
export function rolloutLog(
  { signal, write }: Context,
  name: string | null,
  options: RolloutOptions,
): Promise<Outcome<'rollout'>> {
  return withStore(options, async (store) => {
    const { no } = await findRollout(store, name, options);
    for (let after = 0; !signal.aborted; ) {
      const { phase } = (await store.rollout(no)).state;
      const events = await store.events(no, after, pageEvents);
      for (const { n, at, event } of events)
        write(`${JSON.stringify({ n, at: new Date(at).toISOString(), ...event })}\n`);
      after = events.at(-1)?.n ?? after;
      if (events.length === pageEvents) continue;
      if (options.follow !== true || hasEnded(phase)) break;
      await delay(pollMs, undefined, { signal }).catch(() => undefined);
    }
    return { document: null, text: '' };
  });
}
