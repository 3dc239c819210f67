import { Argument, Option } from 'commander';
import { fail } from '../../base/errors.js';
import { collect } from './options.js';
import type { Context, Outcome, Verb } from './verb.js';

type Action = (context: Context, what: string | null, options: Readonly<Record<string, unknown>>) => Promise<Outcome>;

/** Each action is in its own file, loaded on demand. */
const actions: Readonly<Record<string, { readonly says: string; readonly load: () => Promise<Action> }>> = {
  plan: {
    says: 'show what a plan would do, without doing it',
    load: async () => (await import('./rollout/plan.js')).planRollout,
  },
  start: {
    says: 'run it, or continue it, until it ends or a gate pauses it',
    load: async () => (await import('./rollout/start.js')).startRollout,
  },
  status: {
    says: 'show the state of a rollout',
    load: async () => (await import('./rollout/status.js')).rolloutStatus,
  },
  pause: { says: 'notify no further devices', load: async () => (await import('./rollout/commands.js')).pauseRollout },
  resume: {
    says: 'continue; a gate that paused it judges again',
    load: async () => (await import('./rollout/commands.js')).resumeRollout,
  },
  overrule: {
    says: 'continue past the gate that paused it',
    load: async () => (await import('./rollout/commands.js')).overruleRollout,
  },
  abort: {
    says: 'stop it for good; devices that have not finished are called back',
    load: async () => (await import('./rollout/commands.js')).abortRollout,
  },
  retry: {
    says: 'notify devices again that failed or did not report',
    load: async () => (await import('./rollout/commands.js')).retryRollout,
  },
  list: { says: 'list the rollouts of the store', load: async () => (await import('./rollout/list.js')).listRollouts },
  log: { says: 'print the events as JSON lines', load: async () => (await import('./rollout/log.js')).rolloutLog },
  report: {
    says: 'write a report as HTML, Markdown or JUnit',
    load: async () => (await import('./rollout/report.js')).reportRollout,
  },
};

export const rolloutVerb: Verb = {
  name: 'rollout',
  summary: 'roll a bundle out over a fleet in waves, gated by what devices measure',
  define: (command) => {
    command
      .addArgument(
        new Argument(
          '<action>',
          Object.entries(actions)
            .map(([name, { says }]) => `${name}: ${says}`)
            .join('; '),
        ).choices(Object.keys(actions)),
      )
      .argument('[what]', 'plan, start: a rollout plan (YAML); otherwise the name of a rollout (default: the newest)')
      .option('--fleet <uri>', 'mqtt://BROKER/FLEET; required for plan and start')
      .option(
        '--store <url>',
        'store of rollouts: a file, or postgres://... (default: ATOLL_STORE, or a file in the home folder)',
      )
      .option('--bundle <file>', 'plan, start without a plan: the bundle; these options go with it')
      .option('--name <rollout>', "  name of the rollout (default: the bundle's)")
      .option('--waves <list>', '  cumulative devices after each wave, for example 1,10%,100%')
      .addOption(new Option('--tag <name=value>', '  only devices with this tag; repeatable').argParser(collect))
      .option('--share <percent>', '  share of the devices, for example 50%')
      .option('--concurrency <n>', '  maximum number of devices in flight')
      .option('--bandwidth <rate>', '  limit on the download rate, for example 200kB/s')
      .option('--keep', 'start: wait for a command when a gate has paused it, instead of exiting with 1')
      .option('--metrics <[host:]port>', 'start: serve metrics for Prometheus')
      .option('--watch', 'status: update until it ends')
      .option('--follow', 'log: continue until it ends')
      .option('--roll-back', 'abort: devices with the new bundle return to the previous one')
      .addOption(
        new Option('--id <device>', 'retry, or with --bundle: only this device; repeatable').argParser(collect),
      )
      .option('--html <file>', 'start, report: write a page with plots')
      .option('--markdown <file>', 'start, report: write it as text')
      .option('--junit <file>', 'start, report: write waves and gates as JUnit tests');
  },
  run: async (context, [action = '', what], options) => {
    const entry = actions[action];
    if (entry === undefined) throw fail('USAGE', { reason: `there is no action ${action}` });
    return (await entry.load())(context, what ?? null, options);
  },
};
