import { type Command, Option } from '@commander-js/extra-typings';
import { elementAt } from '../../base/checked.js';
import { fail } from '../../base/errors.js';
import type { VerifyingKey } from '../../devices/bundle/index.js';
import type { SimulatedDeviceOptions } from '../../devices/simulated/index.js';
import type { Target } from '../../targets/index.js';
import { collect, positiveInteger, tagsOf } from './options.js';
import { type Context, defineVerb, type OptionsOf, type Outcome, untilInterrupted } from './verb.js';

function define(command: Command) {
  return command
    .requiredOption('--target <target>', 'kind of device')
    .option(
      '--listen <where>',
      'pty (pty:?baud=115200 limits its speed), tcp:[HOST:]PORT, udp:[HOST:][PORT]; port 0 selects any free ' +
        'port; mqtt://BROKER/FLEET/DEVICE',
      'pty',
    )
    .option('--id <id>', 'id of the device')
    .option('--seed <n>', 'seed of the latency jitter', positiveInteger)
    .option('--buffer <bytes>', 'maximum packet size', positiveInteger)
    .option('--buffers <n>', 'number of requests accepted at once', positiveInteger)
    .addOption(
      new Option(
        '--key <file>',
        'PEM file of a public key: accept only images signed by such a key; repeatable',
      ).argParser(collect),
    )
    .option('--no-inflate', 'do not support compressed uploads')
    .option('--count <n>', 'number of devices of a fleet, at --listen mqtt://BROKER/FLEET[/PREFIX]', positiveInteger)
    .option('--data <dataset>', 'at a broker: labelled samples for reporting the accuracy of each device')
    .addOption(
      new Option('--tag <name=value>', 'at a broker: a tag, for example line=a; repeatable').argParser(collect),
    )
    .addOption(
      new Option(
        '--fault <name>',
        'fault to simulate, of its line, or at a broker in rollouts: NAME or NAME=SHARE, for example ' +
          'slow=10%; repeatable',
      ).argParser(collect),
    );
}

type Options = OptionsOf<typeof define>;

export const simulateDeviceVerb = defineVerb({
  name: 'simulate-device',
  summary: 'serve a simulated device for any SMP client, or a fleet at a broker, until interrupted',
  define,
  run: async (context, _args, options) => {
    const [{ loadTarget }, { readPublicKey }, { readText }] = await Promise.all([
      import('../../targets/index.js'),
      import('../../devices/bundle/index.js'),
      import('../../base/files/index.js'),
    ]);
    const target = await loadTarget(options.target);
    const keyFiles = options.key ?? [];
    const keys = await Promise.all(keyFiles.map(async (file) => readPublicKey(await readText(file), file)));
    const { isBrokerUri } = await import('../../devices/mqtt/index.js');
    return isBrokerUri(options.listen)
      ? serveAtBroker(context, target, keys, options)
      : serveOne(context, target, keys, options);
  },
});

async function serveOne(
  { signal }: Context,
  target: Target,
  keys: readonly VerifyingKey[],
  options: Options,
): Promise<Outcome<'simulate-device'>> {
  if (options.count !== undefined)
    throw fail('USAGE', { reason: '--count is for a fleet at a broker: --listen mqtt://BROKER/FLEET' });
  const [{ SimulatedDevice, faultsNamed }, { listen }] = await Promise.all([
    import('../../devices/simulated/index.js'),
    import('../../devices/transport/index.js'),
  ]);
  const device = new SimulatedDevice(target, {
    ...answering(options),
    keys,
    faults: faultsNamed(options.fault ?? []),
    ...(options.id === undefined ? {} : { id: options.id }),
    ...(options.seed === undefined ? {} : { seed: options.seed }),
  });
  const listener = await listen(
    options.listen,
    (transport) => device.serve(transport),
    (lines) => device.faults.distort(lines),
  );
  return {
    document: { uri: listener.uri, id: device.id, target: target.id, pid: process.pid },
    text: `${device.id} listens at ${listener.uri}; press Ctrl-C to stop`,
    serve: untilInterrupted(signal, () => listener.close()),
  };
}

/** How it answers SMP packets. */
function answering(options: Options): Pick<SimulatedDeviceOptions, 'buffers' | 'inflateBytes' | 'maxPacketBytes'> {
  return {
    ...(options.buffer === undefined ? {} : { maxPacketBytes: options.buffer }),
    ...(options.buffers === undefined ? {} : { buffers: options.buffers }),
    ...(options.inflate === false ? { inflateBytes: null } : {}),
  };
}

async function serveAtBroker(
  { signal, progress }: Context,
  target: Target,
  keys: readonly VerifyingKey[],
  options: Options,
): Promise<Outcome<'simulate-device'>> {
  const [{ fleetOf, parseBrokerAddress }, { fleetFaultsNamed, numberedIds, serveFleet }, { openDataset }] =
    await Promise.all([
      import('../../devices/mqtt/index.js'),
      import('../../devices/simulated/index.js'),
      import('../../data/index.js'),
    ]);
  const address = parseBrokerAddress(options.listen);
  const fleet = fleetOf(address);
  const count = options.count;
  const name = address.device ?? options.id;
  if (count === undefined && name === undefined)
    throw fail('BROKER_ADDRESS', {
      uri: address.uri,
      reason: 'it does not name a device: use mqtt://BROKER/FLEET/DEVICE, or --count for several',
    });
  const ids = count === undefined ? [String(name)] : numberedIds(name ?? `${target.id}-`, count);
  const served = await serveFleet(address, {
    fleet,
    ids,
    target,
    keys,
    seed: options.seed ?? 1,
    tags: tagsOf(options.tag ?? []),
    faults: fleetFaultsNamed(options.fault ?? []),
    smp: answering(options),
    ...(options.data === undefined ? {} : { samples: await openDataset(options.data) }),
    onProgress: progress.update,
    onTrouble: (text) => progress.note(text),
    signal,
  });
  const [first, last] = [elementAt(ids, 0), elementAt(ids, ids.length - 1)];
  const who = count === undefined ? `${first} is` : `${count} devices, ${first} to ${last}, are`;
  const uri = count === undefined && address.device === null ? `${address.uri}/${first}` : address.uri;
  return {
    document: {
      uri,
      target: target.id,
      count: ids.length,
      first,
      last,
      ...(count === undefined ? { id: first } : {}),
      pid: process.pid,
    },
    text: `${who} at ${uri}; Ctrl-C ends ${count === undefined ? 'it' : 'them'}`,
    serve: untilInterrupted(signal, () => served.close(), served.lost),
  };
}
