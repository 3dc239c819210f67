import { wholeNumber } from './options.js';
import { untilInterrupted, type Verb } from './verb.js';

export const brokerVerb: Verb = {
  name: 'broker',
  summary: 'an MQTT broker for a bench or a small fleet, until interrupted; for more, take one of your own',
  define: (command) => {
    command
      .option('--port <port>', '0 takes a free one', wholeNumber, 1883)
      .option(
        '--host <address>',
        'address to listen at; others than this machine reach it at 0.0.0.0, and nobody is asked for a password',
        '127.0.0.1',
      )
      .option('--data <folder>', 'where it keeps what is retained; without it, that ends with it');
  },
  run: async (context, _args, options) => {
    const { startBroker } = await import('../../devices/mqtt/index.js');
    const folder = (options.data as string | undefined) ?? null;
    const broker = await startBroker({ host: String(options.host), port: options.port as number, folder });
    return {
      document: { uri: broker.uri, data: folder, pid: process.pid },
      text: `the broker listens at ${broker.uri}; Ctrl-C ends it`,
      serve: untilInterrupted(context.signal, () => broker.close()),
    };
  },
};
