import path from 'node:path';
import { fail } from '../../../base/errors.js';
import { readBytes } from '../../../base/files/index.js';
import { started } from '../../../base/progress.js';
import { type BrokerAddress, parseBrokerAddress } from '../../../devices/mqtt/index.js';
import {
  forecastRollout,
  planFrom,
  type RolloutPlan,
  readPlan,
  readRegistryAt,
  requireExpected,
} from '../../../fleet/index.js';
import { rolloutPlanReport } from '../../report/index.js';
import { tagsOf } from '../options.js';
import type { Context, Outcome } from '../verb.js';
import type { RolloutOptions } from './options.js';

export async function planRollout(
  { signal, progress }: Context,
  file: string | null,
  options: RolloutOptions,
): Promise<Outcome<'rollout'>> {
  const address = fleetAddress(options);
  const plan = await planOf(file, options);
  const image = await readBytes(plan.bundle);
  progress.update(started('read the fleet'));
  const forecast = forecastRollout(plan, image, await readRegistryAt(address, signal));
  requireExpected(plan, forecast.devices, address.uri);
  return {
    document: { uri: address.uri, ...forecast },
    text: rolloutPlanReport(forecast),
    exitCode: forecast.devices === 0 ? 1 : 0,
  };
}

/** A plan from a file, or from options alone. @throws USAGE, ROLLOUT_PLAN, FILE_NOT_READABLE */
export async function planOf(file: string | null, options: RolloutOptions): Promise<RolloutPlan> {
  const { bundle, name, waves, tag, id, share, concurrency, bandwidth } = options;
  if (file !== null) {
    if (bundle !== undefined) throw fail('USAGE', { reason: 'give either a plan, or --bundle with its options' });
    return readPlan(file);
  }
  if (bundle === undefined)
    throw fail('USAGE', { reason: 'name a rollout plan, a YAML file, or a bundle with --bundle' });
  return planFrom({
    rollout: name ?? path.parse(bundle).name,
    bundle,
    select: { tags: tagsOf(tag ?? []), ids: id, share },
    waves: waves === undefined ? undefined : waves.split(',').map(waveEnd),
    concurrency: concurrency === undefined ? undefined : Number(concurrency),
    bandwidth,
  });
}

/** `10%`, or a number of devices. */
function waveEnd(text: string): string | number {
  return /^\d+$/.test(text.trim()) ? Number(text) : text.trim();
}

/** @throws USAGE, BROKER_ADDRESS */
export function fleetAddress({ fleet }: RolloutOptions): BrokerAddress {
  if (fleet === undefined) throw fail('USAGE', { reason: 'name the fleet with --fleet mqtt://BROKER/FLEET' });
  return parseBrokerAddress(fleet);
}
