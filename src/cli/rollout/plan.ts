import { fail } from '../../errors.js';
import { readBytes } from '../../files/index.js';
import { forecastRollout, readPlan, readRegistryAt } from '../../fleet/index.js';
import { type BrokerAddress, parseBrokerAddress } from '../../mqtt/index.js';
import { rolloutPlanReport } from '../../report/index.js';
import type { Context, Outcome } from '../verb.js';

export async function planRollout({ signal, progress }: Context, file: string | null, options: Readonly<Record<string, unknown>>): Promise<Outcome> {
  const address = fleetAddress(options);
  const plan = await readPlan(planFile(file));
  const image = await readBytes(plan.bundle);
  progress.update('read the fleet', null);
  const forecast = forecastRollout(plan, image, await readRegistryAt(address, signal));
  return { document: { uri: address.uri, ...forecast }, text: rolloutPlanReport(forecast), exitCode: forecast.devices === 0 ? 1 : 0 };
}

/** @throws USAGE */
export function planFile(file: string | null): string {
  if (file === null) throw fail('USAGE', { reason: 'name a rollout plan, a YAML file' });
  return file;
}

/** @throws USAGE, BROKER_ADDRESS */
export function fleetAddress({ fleet }: Readonly<Record<string, unknown>>): BrokerAddress {
  if (fleet === undefined) throw fail('USAGE', { reason: 'name the fleet with --fleet mqtt://BROKER/FLEET' });
  return parseBrokerAddress(String(fleet));
}
