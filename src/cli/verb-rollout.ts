import { Argument } from 'commander';
import type { Verb } from './verb.js';

export const rolloutVerb: Verb = {
  name: 'rollout',
  summary: 'plan how a bundle spreads over a fleet, wave by wave',
  define: (command) => {
    command
      .addArgument(new Argument('<action>', 'plan: say what a rollout would do, and do nothing').choices(['plan']))
      .argument('<plan>', 'a rollout plan, YAML')
      .requiredOption('--fleet <uri>', 'mqtt://BROKER/FLEET');
  },
  run: async ({ signal, progress }, [, file = ''], options) => {
    const [{ connectToBroker, parseBrokerAddress }, { forecastRollout, readPlan, readRegistry }, { readBytes }, { rolloutPlanReport }, { fail }] =
      await Promise.all([
        import('../mqtt/index.js'),
        import('../fleet/index.js'),
        import('../files/index.js'),
        import('../report/index.js'),
        import('../errors.js'),
      ]);
    const address = parseBrokerAddress(String(options.fleet));
    const { fleet } = address;
    if (fleet === null) throw fail('BROKER_ADDRESS', { uri: address.uri, reason: 'it names no fleet' });
    const plan = await readPlan(file);
    const image = await readBytes(plan.bundle);
    const connection = await connectToBroker(address);
    try {
      progress.update('read the fleet', null);
      const forecast = forecastRollout(plan, image, await readRegistry(connection, fleet, signal));
      return { document: { uri: address.uri, ...forecast }, text: rolloutPlanReport(forecast), exitCode: forecast.devices === 0 ? 1 : 0 };
    } finally {
      await connection.close();
    }
  },
};
