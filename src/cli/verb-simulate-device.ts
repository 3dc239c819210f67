import { Option } from 'commander';
import type { VerifyingKey } from '../bundle/index.js';
import { fail } from '../errors.js';
import type { Target } from '../targets/index.js';
import { collect, positiveInteger, tagsOf } from './options.js';
import { type Context, type Outcome, untilInterrupted, type Verb } from './verb.js';

export const simulateDeviceVerb: Verb = {
  name: 'simulate-device',
  summary: 'serve a simulated device to any SMP client, or a fleet of them at a broker, until interrupted',
  define: (command) => {
    command
      .requiredOption('--target <target>', 'kind of device')
      .option(
        '--listen <where>',
        'pty (pty:?baud=115200 is as slow as such a line), tcp:[HOST:]PORT, udp:[HOST:][PORT]; port 0 takes a free one; mqtt://BROKER/FLEET/DEVICE',
        'pty',
      )
      .option('--id <id>', 'what it calls itself')
      .option('--seed <n>', 'seed of the jitter of its latencies', positiveInteger)
      .option('--buffer <bytes>', 'the largest packet that it takes', positiveInteger)
      .option('--buffers <n>', 'how many requests it takes at once', positiveInteger)
      .addOption(new Option('--key <file>', 'PEM file of a public key: it runs only what such a key has signed; repeatable').argParser(collect))
      .option('--no-inflate', 'take no compressed uploads')
      .option('--count <n>', 'so many devices of a fleet, at --listen mqtt://BROKER/FLEET[/PREFIX]; each takes rollouts', positiveInteger)
      .addOption(new Option('--tag <name=value>', 'with --count: what its owner calls it, such as line=a; repeatable').argParser(collect))
      .addOption(new Option('--fault <name>', 'what is wrong with it; with --count NAME=SHARE, such as slow=10%; repeatable').argParser(collect));
  },
  run: async (context, _args, options) => {
    const [{ loadTarget }, { readPublicKey }, { readText }] = await Promise.all([
      import('../targets/index.js'),
      import('../bundle/index.js'),
      import('../files/index.js'),
    ]);
    const target = await loadTarget(String(options.target));
    const keyFiles = (options.key as readonly string[] | undefined) ?? [];
    const keys = await Promise.all(keyFiles.map(async (file) => readPublicKey(await readText(file), file)));
    return options.count === undefined ? serveOne(context, target, keys, options) : serveMany(context, target, keys, options);
  },
};

type Options = Readonly<Record<string, unknown>>;

async function serveOne({ signal }: Context, target: Target, keys: readonly VerifyingKey[], options: Options): Promise<Outcome> {
  const [{ SimulatedDevice, faultsNamed }, { listen }] = await Promise.all([import('../simdevice/index.js'), import('../transport/index.js')]);
  const device = new SimulatedDevice(target, {
    keys,
    faults: faultsNamed((options.fault as readonly string[] | undefined) ?? []),
    ...(options.id === undefined ? {} : { id: String(options.id) }),
    ...(options.seed === undefined ? {} : { seed: options.seed as number }),
    ...(options.buffer === undefined ? {} : { maxPacketBytes: options.buffer as number }),
    ...(options.buffers === undefined ? {} : { buffers: options.buffers as number }),
    ...(options.inflate === false ? { inflateBytes: null } : {}),
  });
  const listener = await listen(
    String(options.listen),
    (transport) => device.serve(transport),
    (lines) => device.faults.distort(lines),
  );
  return {
    document: { uri: listener.uri, id: device.id, target: target.id, pid: process.pid },
    text: `${device.id} answers at ${listener.uri}; Ctrl-C ends it`,
    serve: untilInterrupted(signal, () => listener.close()),
  };
}

async function serveMany({ signal, progress }: Context, target: Target, keys: readonly VerifyingKey[], options: Options): Promise<Outcome> {
  const [{ isBrokerUri, parseBrokerAddress }, { fleetFaultsNamed, serveFleet }] = await Promise.all([
    import('../mqtt/index.js'),
    import('../simdevice/index.js'),
  ]);
  const where = String(options.listen);
  if (!isBrokerUri(where)) throw fail('USAGE', { reason: '--count is for a fleet at a broker: --listen mqtt://BROKER/FLEET' });
  const address = parseBrokerAddress(where);
  const { fleet, device: prefix } = address;
  if (fleet === null) throw fail('USAGE', { reason: `--listen ${where} names no fleet: mqtt://BROKER/FLEET` });
  const count = options.count as number;
  const served = await serveFleet(address, {
    fleet,
    count,
    prefix: prefix ?? `${target.id}-`,
    target,
    keys,
    seed: (options.seed as number | undefined) ?? 1,
    tags: tagsOf((options.tag as readonly string[] | undefined) ?? []),
    faults: fleetFaultsNamed((options.fault as readonly string[] | undefined) ?? []),
    onProgress: (value) => progress.update('connect', value),
    signal,
  });
  const ids = served.devices.map(({ id }) => id);
  return {
    document: { uri: address.uri, target: target.id, count, first: ids[0], last: ids.at(-1), pid: process.pid },
    text: `${count} devices, ${ids[0]} to ${ids.at(-1)}, at ${address.uri}; Ctrl-C ends them`,
    serve: untilInterrupted(signal, () => served.close()),
  };
}
