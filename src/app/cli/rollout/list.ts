import { fleetKey, parseBrokerAddress } from '../../../devices/mqtt/index.js';
import { rolloutListReport } from '../../report/index.js';
import type { Context, Outcome } from '../verb.js';
import type { RolloutOptions } from './options.js';
import { withStore } from './store.js';

export function listRollouts(
  _context: Context,
  _name: string | null,
  options: RolloutOptions,
): Promise<Outcome<'rollout'>> {
  return withStore(options, async (store) => {
    const rows = await store.rollouts(options.fleet === undefined ? null : fleetKey(parseBrokerAddress(options.fleet)));
    const rollouts = rows.map(({ name, uri, target, bundle, state, createdAt, changedAt }) => {
      return { rollout: name, uri, target, bundle, phase: state.phase, reason: state.reason, createdAt, changedAt };
    });
    return { document: { store: store.uri, rollouts }, text: rolloutListReport(store.uri, rollouts) };
  });
}
