import { readBytes } from '../../../base/files/index.js';
import { started } from '../../../base/progress.js';
import { connectToBroker, fleetKey, fleetOf } from '../../../devices/mqtt/index.js';
import { beginRollout, leadRollout, type Registry, readWholeRegistry, summarize } from '../../../fleet/index.js';
import { devicesText, namedText, quarantineText } from '../../report/index.js';
import type { Context, Outcome } from '../verb.js';
import { outcomeOf, showing } from './lead.js';
import { serveMetrics } from './metrics.js';
import type { RolloutOptions } from './options.js';
import { fleetAddress, planOf } from './plan.js';
import { withStore } from './store.js';

export async function startRollout(
  context: Context,
  file: string | null,
  options: RolloutOptions,
): Promise<Outcome<'rollout'>> {
  const address = fleetAddress(options);
  const fleet = fleetOf(address);
  const plan = await planOf(file, options);
  const image = await readBytes(plan.bundle);
  const previousImage = plan.previous === null ? null : await readBytes(plan.previous);
  return withStore(options, async (store) => {
    const broker = await connectToBroker(address);
    try {
      context.progress.update(started('read the fleet'));
      const beginning = { plan, image, previousImage, fleet: fleetKey(address), uri: address.uri };
      const readFleet = async (): Promise<Registry> => {
        const registry = await readWholeRegistry(broker, fleet, { signal: context.signal });
        if (registry.neverConnected.length > 0)
          context.progress.note(quarantineText({ ids: registry.neverConnected, why: 'never-connected' }));
        return registry;
      };
      const row = await beginRollout(store, beginning, readFleet, {
        onMissing: (ids) => context.progress.note(missingText(ids)),
      });
      const closeMetrics = await serveMetrics(options.metrics, async () =>
        summarize(store, await store.rollout(row.no)),
      );
      try {
        const led = await leadRollout(store, broker, fleet, row.no, {
          ...showing(context, row),
          rest: options.keep === true ? 'never' : 'gate',
        });
        return await outcomeOf(store, led, options);
      } finally {
        await closeMetrics();
      }
    } finally {
      await broker.close();
    }
  });
}

function missingText(ids: readonly string[]): string {
  return (
    `${devicesText(ids.length)} of the previous rollout are missing at the broker: ${namedText(ids)} (\`expect\` ` +
    'in a plan makes this an error)'
  );
}
