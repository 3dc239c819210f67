// Deletes devices from a fleet: everything that the broker retains of them. Current rollouts continue without them.

import { fail } from '../base/errors.js';
import { fleetTopics } from '../devices/mqtt/index.js';
import type { FleetBroker } from './broker.js';
import { type ReadOptions, readDevices } from './registry.js';

/**
 * Deletes all of them or none.
 * @throws FLEET_DEVICE for an id that has no retained messages, or whose device is connected and would report again;
 * BROKER_*, INTERRUPTED
 */
export async function forgetDevices(
  broker: FleetBroker,
  fleet: string,
  ids: readonly string[],
  options: ReadOptions = {},
): Promise<void> {
  const { alive, reports, unreadable } = await readDevices(broker, fleet, ids, options);
  for (const id of ids) {
    if (alive.get(id) === true)
      throw fail('FLEET_DEVICE', {
        device: id,
        fleet,
        reason: 'it is online and would report again: switch it off first',
      });
    if (!alive.has(id) && !reports.has(id) && !unreadable.has(id))
      throw fail('FLEET_DEVICE', { device: id, fleet, reason: 'the broker has no messages of it' });
  }
  const topics = fleetTopics(fleet);
  const nothing = new Uint8Array(0);
  for (const id of ids) {
    // The report is deleted last: agents treat its deletion as that of the device.
    for (const topic of [topics.desired(id), topics.alive(id), topics.reported(id)])
      await broker.publish(topic, nothing, { retain: true });
  }
}
