import { Argument } from '@commander-js/extra-typings';
import { type RolloutAction, rolloutOptions } from './rollout/options.js';
import { defineVerb } from './verb.js';

interface ActionEntry {
  readonly says: string;
  readonly load: () => Promise<RolloutAction>;
}

/** Each action is in its own file, loaded on demand. */
const actions = {
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
} satisfies Readonly<Record<string, ActionEntry>>;

const actionNames = Object.keys(actions) as (keyof typeof actions)[];

export const rolloutVerb = defineVerb({
  name: 'rollout',
  summary: 'roll a bundle out over a fleet in waves, gated by what devices measure',
  define: (command) =>
    rolloutOptions(
      command
        .addArgument(
          new Argument('<action>', actionNames.map((name) => `${name}: ${actions[name].says}`).join('; ')).choices(
            actionNames,
          ),
        )
        .argument(
          '[what]',
          'plan, start: a rollout plan (YAML); otherwise the name of a rollout (default: the newest)',
        ),
    ),
  run: async (context, [action, what], options) => {
    const run = await actions[action].load();
    return run(context, what ?? null, options);
  },
});
