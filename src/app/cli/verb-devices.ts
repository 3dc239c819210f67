import { Option } from '@commander-js/extra-typings';
import { fail } from '../../base/errors.js';
import { hex } from '../../base/hashes.js';
import { started } from '../../base/progress.js';
import type { BrokerAddress } from '../../devices/mqtt/index.js';
import { collect } from './options.js';
import { type Context, defineVerb, type Outcome } from './verb.js';

export const devicesVerb = defineVerb({
  name: 'devices',
  summary: 'list the devices attached to this machine and those that answer; or the devices of a fleet',
  define: (command) =>
    command
      .argument('[uri...]', 'further devices to query, for example tcp:192.0.2.7:1337; or a fleet, mqtt://BROKER/FLEET')
      .option('--all', 'query ports of unknown boards too, which may reset them')
      .addOption(
        new Option(
          '--forget <id>',
          'for a fleet: delete a device and its messages at the broker; repeatable',
        ).argParser(collect),
      ),
  run: async (context, [uris], options) => {
    const [{ listDevices }, { devicesReport }, { isBrokerUri, parseBrokerAddress }] = await Promise.all([
      import('../../devices/list-devices.js'),
      import('../report/index.js'),
      import('../../devices/mqtt/index.js'),
    ]);
    const [fleet] = uris;
    const forget = options.forget ?? null;
    if (fleet !== undefined && uris.length === 1 && isBrokerUri(fleet)) {
      const address = parseBrokerAddress(fleet);
      if (address.device === null)
        return forget === null ? listFleet(address, context) : forgetIn(address, forget, context);
    }
    if (forget !== null)
      throw fail('USAGE', { reason: '--forget is for a fleet: atoll devices mqtt://BROKER/FLEET --forget ID' });
    const devices = await listDevices({ uris, all: options.all === true, signal: context.signal });
    return { document: { devices }, text: devicesReport(devices) };
  },
});

async function listFleet(address: BrokerAddress, { signal, progress }: Context): Promise<Outcome<'devices'>> {
  const [{ readRegistryAt }, { fleetReport }] = await Promise.all([
    import('../../fleet/index.js'),
    import('../report/index.js'),
  ]);
  const { uri } = address;
  progress.update(started('read the fleet'));
  const { members, ...doubtful } = await readRegistryAt(address, signal);
  const devices = members.map(
    ({ id, online, reported: { target, tags = {}, state, rollout = null, model, code = null } }) => {
      return { id, online, target, tags, state, rollout, model: model === undefined ? null : hex(model), code };
    },
  );
  return { document: { uri, devices, ...doubtful }, text: fleetReport(uri, devices, doubtful) };
}

async function forgetIn(
  address: BrokerAddress,
  ids: readonly string[],
  { signal, progress }: Context,
): Promise<Outcome<'devices'>> {
  const [{ forgetDevices }, { connectToBroker, fleetOf }] = await Promise.all([
    import('../../fleet/index.js'),
    import('../../devices/mqtt/index.js'),
  ]);
  const fleet = fleetOf(address);
  progress.update(started('read the fleet'));
  const broker = await connectToBroker(address);
  try {
    await forgetDevices(broker, fleet, ids, { signal });
  } finally {
    await broker.close();
  }
  return { document: { uri: address.uri, forgotten: ids }, text: `deleted from ${address.uri}: ${ids.join(', ')}` };
}
