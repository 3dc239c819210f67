import { wholeNumber } from './options.js';
import { defineVerb, untilInterrupted } from './verb.js';

export const brokerVerb = defineVerb({
  name: 'broker',
  summary: 'run an MQTT broker for a test bench or a small fleet, until interrupted; use your own for more',
  define: (command) =>
    command
      .option('--port <port>', '0 selects any free port', wholeNumber, 1883)
      .option(
        '--host <address>',
        'address to listen at; 0.0.0.0 accepts other machines; no password is required',
        '127.0.0.1',
      )
      .option('--data <folder>', 'folder for retained messages (default: in memory only)'),
  run: async (context, _args, options) => {
    const { startBroker } = await import('../../devices/mqtt/index.js');
    const folder = options.data ?? null;
    const broker = await startBroker({ host: options.host, port: options.port, folder });
    return {
      document: { uri: broker.uri, data: folder, pid: process.pid },
      text: `the broker listens at ${broker.uri}; press Ctrl-C to stop`,
      serve: untilInterrupted(context.signal, () => broker.close()),
    };
  },
});
