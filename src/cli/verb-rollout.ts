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
    const [{ parseBrokerAddress }, { forecastRollout, readPlan, readRegistryAt }, { readBytes }, { rolloutPlanReport }] = await Promise.all([
      import('../mqtt/index.js'),
      import('../fleet/index.js'),
      import('../files/index.js'),
      import('../report/index.js'),
    ]);
    const address = parseBrokerAddress(String(options.fleet));
    const plan = await readPlan(file);
    const image = await readBytes(plan.bundle);
    progress.update('read the fleet', null);
    const forecast = forecastRollout(plan, image, await readRegistryAt(address, signal));
    return { document: { uri: address.uri, ...forecast }, text: rolloutPlanReport(forecast), exitCode: forecast.devices === 0 ? 1 : 0 };
  },
};
