import { Argument, Option } from 'commander';
import { fail } from '../../base/errors.js';
import { collect } from './options.js';
import type { Context, Outcome, Verb } from './verb.js';

type Action = (context: Context, what: string | null, options: Readonly<Record<string, unknown>>) => Promise<Outcome>;

/** Each action is in its own file, loaded on demand. */
const actions: Readonly<Record<string, { readonly says: string; readonly load: () => Promise<Action> }>> = {
  plan: {
    says: 'what a plan would do, and do nothing',
    load: async () => (await import('./rollout/plan.js')).planRollout,
  },
  start: {
    says: 'do it, or go on with it, until it ends or a gate pauses it',
    load: async () => (await import('./rollout/start.js')).startRollout,
  },
  status: { says: 'where a rollout is', load: async () => (await import('./rollout/status.js')).rolloutStatus },
  pause: { says: 'tell nobody new', load: async () => (await import('./rollout/commands.js')).pauseRollout },
  resume: {
    says: 'go on; a gate that paused it judges again',
    load: async () => (await import('./rollout/commands.js')).resumeRollout,
  },
  overrule: {
    says: 'go on past the gate that paused it',
    load: async () => (await import('./rollout/commands.js')).overruleRollout,
  },
  abort: {
    says: 'call back who is not through, for good',
    load: async () => (await import('./rollout/commands.js')).abortRollout,
  },
  retry: {
    says: 'tell those again that have failed or were not heard of',
    load: async () => (await import('./rollout/commands.js')).retryRollout,
  },
  list: { says: 'all rollouts of the store', load: async () => (await import('./rollout/list.js')).listRollouts },
  log: { says: 'what has happened, as lines of JSON', load: async () => (await import('./rollout/log.js')).rolloutLog },
  report: {
    says: 'write it as HTML, Markdown or JUnit',
    load: async () => (await import('./rollout/report.js')).reportRollout,
  },
};

export const rolloutVerb: Verb = {
  name: 'rollout',
  summary: 'spread a bundle over a fleet, wave by wave, as long as what devices measure is good',
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
      .argument('[what]', 'plan, start: a rollout plan, YAML; else the name of a rollout, by default the newest')
      .option('--fleet <uri>', 'mqtt://BROKER/FLEET; plan and start need it')
      .option(
        '--store <url>',
        'where rollouts are remembered: a file, or postgres://...; ATOLL_STORE, or a file in the home folder unless given',
      )
      .option('--bundle <file>', 'plan, start without a plan: what is rolled out; these go with it')
      .option('--name <rollout>', "  its name; the bundle's unless given")
      .option('--waves <list>', '  devices in all after each wave, such as 1,10%,100%')
      .addOption(new Option('--tag <name=value>', '  only devices that are called so; repeatable').argParser(collect))
      .option('--share <percent>', '  so many of them, such as 50%')
      .option('--concurrency <n>', '  devices under way at once')
      .option('--bandwidth <rate>', '  of what devices fetch, such as 200kB/s')
      .option('--keep', 'start: wait for a word where a gate has paused it, rather than end with 1')
      .option('--metrics <[host:]port>', 'start: serve metrics for Prometheus')
      .option('--watch', 'status: until it ends')
      .option('--follow', 'log: until it ends')
      .option('--roll-back', 'abort: who runs the new bundle runs the one before again')
      .addOption(new Option('--id <device>', 'retry, or with --bundle: only this one; repeatable').argParser(collect))
      .option('--html <file>', 'start, report: a page with plots')
      .option('--markdown <file>', 'start, report: the same as text')
      .option('--junit <file>', "start, report: waves and gates as a CI's tests");
  },
  run: async (context, [action = '', what], options) => {
    const entry = actions[action];
    if (entry === undefined) throw fail('USAGE', { reason: `rollout has no action ${action}` });
    return (await entry.load())(context, what ?? null, options);
  },
};
