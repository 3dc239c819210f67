import type { Verb } from './verb.js';

export const devicesVerb: Verb = {
  name: 'devices',
  summary: 'list what is attached to this machine, and what of it answers',
  define: (command) => {
    command
      .argument('[uri...]', 'further devices to ask, such as tcp:192.0.2.7:1337')
      .option('--all', 'ask ports of unknown boards too, which may reset what is behind them');
  },
  run: async (context, [named], options) => {
    const [{ listDevices }, { devicesReport }] = await Promise.all([import('../devices.js'), import('../report/index.js')]);
    // commander gives the values of a repeatable argument as one list.
    const uris = (named ?? []) as unknown as readonly string[];
    const devices = await listDevices({ uris, all: options.all === true, signal: context.signal });
    return { document: { devices }, text: devicesReport(devices) };
  },
};
