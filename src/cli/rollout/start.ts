import { readBytes } from '../../files/index.js';
import { beginRollout, leadRollout, readWholeRegistry, summarize } from '../../fleet/index.js';
import { connectToBroker, fleetKey, fleetOf } from '../../mqtt/index.js';
import type { Context, Outcome } from '../verb.js';
import { outcomeOf, showing } from './lead.js';
import { serveMetrics } from './metrics.js';
import { fleetAddress, planOf } from './plan.js';
import { withStore } from './store.js';

export async function startRollout(context: Context, file: string | null, options: Readonly<Record<string, unknown>>): Promise<Outcome> {
  const address = fleetAddress(options);
  const fleet = fleetOf(address);
  const plan = await planOf(file, options);
  const image = await readBytes(plan.bundle);
  const previousImage = plan.previous === null ? null : await readBytes(plan.previous);
  return withStore(options, async (store) => {
    const broker = await connectToBroker(address);
    try {
      context.progress.update('read the fleet', null);
      const beginning = { plan, image, previousImage, fleet: fleetKey(address), uri: address.uri };
      const row = await beginRollout(store, beginning, () => readWholeRegistry(broker, fleet, { signal: context.signal }), {
        onMissing: (ids) => context.progress.note(missingText(ids)),
      });
      const closeMetrics = await serveMetrics(options.metrics as string | undefined, async () => summarize(store, await store.rollout(row.no)));
      try {
        const led = await leadRollout(store, broker, fleet, row.no, { ...showing(context, row), rest: options.keep === true ? 'never' : 'gate' });
        return await outcomeOf(store, led, options);
      } finally {
        await closeMetrics();
      }
    } finally {
      await broker.close();
    }
  });
}

const mostNamed = 5;

function missingText(ids: readonly string[]): string {
  const more = ids.length > mostNamed ? `, and ${ids.length - mostNamed} more` : '';
  return `the broker does not know ${ids.length} device(s) any more that the rollout before has reached: ${ids.slice(0, mostNamed).join(', ')}${more} (\`expect\` in a plan refuses that)`;
}
