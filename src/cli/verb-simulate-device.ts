import { Option } from 'commander';
import { collect, positiveInteger } from './options.js';
import type { Verb } from './verb.js';

export const simulateDeviceVerb: Verb = {
  name: 'simulate-device',
  summary: 'serve a simulated device to any SMP client, until interrupted',
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
      .addOption(new Option('--fault <name>', 'what is wrong with it; repeatable').argParser(collect));
  },
  run: async (context, _args, options) => {
    const [{ loadTarget }, { SimulatedDevice, faultsNamed }, { listen }, { readPublicKey }, { readText }] = await Promise.all([
      import('../targets/index.js'),
      import('../simdevice/index.js'),
      import('../transport/index.js'),
      import('../bundle/index.js'),
      import('../files/index.js'),
    ]);
    const target = await loadTarget(String(options.target));
    const keyFiles = (options.key as readonly string[] | undefined) ?? [];
    const keys = await Promise.all(keyFiles.map(async (file) => readPublicKey(await readText(file), file)));
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
      serve: async () => {
        if (!context.signal.aborted) await new Promise((resolve) => context.signal.addEventListener('abort', resolve, { once: true }));
        await listener.close();
      },
    };
  },
};
