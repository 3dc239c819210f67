import { setTimeout as delay } from 'node:timers/promises';
import { hasEnded, summarize } from '../../../fleet/index.js';
import { rolloutStatusReport } from '../../report/index.js';
import type { Context, Outcome } from '../verb.js';
import { outcomeOf } from './lead.js';
import type { RolloutOptions } from './options.js';
import { findRollout, withStore } from './store.js';

const redrawMs = 1000;

export function rolloutStatus(
  { signal, progress }: Context,
  name: string | null,
  options: RolloutOptions,
): Promise<Outcome<'rollout'>> {
  return withStore(options, async (store) => {
    const { no } = await findRollout(store, name, options);
    for (;;) {
      const row = await store.rollout(no);
      const ended = hasEnded(row.state.phase);
      if (options.watch !== true || ended || signal.aborted) return outcomeOf(store, row, {});
      progress.draw(rolloutStatusReport(await summarize(store, row), Date.now()));
      await delay(redrawMs, undefined, { signal }).catch(() => undefined);
    }
  });
}
