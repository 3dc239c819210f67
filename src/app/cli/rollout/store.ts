// Opens the store of the options and finds a rollout in it.

import { fail } from '../../../base/errors.js';
import { fleetKey, parseBrokerAddress } from '../../../devices/mqtt/index.js';
import { defaultStore, openStore, type RolloutRow, type RolloutStore } from '../../../fleet/index.js';
import type { RolloutOptions } from './options.js';

/** @throws STORE */
export async function withStore<T>({ store }: RolloutOptions, work: (store: RolloutStore) => Promise<T>): Promise<T> {
  const opened = await openStore(store ?? defaultStore());
  try {
    return await work(opened);
  } finally {
    await opened.close();
  }
}

/** @param name null: the newest rollout. @throws ROLLOUT_UNKNOWN, USAGE if several fleets have one of this name */
export async function findRollout(
  store: RolloutStore,
  name: string | null,
  { fleet }: RolloutOptions,
): Promise<RolloutRow> {
  const rows = await store.rollouts(fleet === undefined ? null : fleetKey(parseBrokerAddress(fleet)));
  const [found, ...others] = name === null ? rows.slice(0, 1) : rows.filter((row) => row.name === name);
  if (found === undefined) {
    const known = rows.map((row) => row.name).join(', ');
    throw fail('ROLLOUT_UNKNOWN', { rollout: name ?? '', store: store.uri, known: known === '' ? 'none' : known });
  }
  if (others.length > 0)
    throw fail('USAGE', { reason: `several fleets have a rollout ${name}: select one with --fleet` });
  return found;
}
