// The options of `rollout`, shared by its actions.

import { type Command, Option } from '@commander-js/extra-typings';
import { collect } from '../options.js';
import type { Context, OptionsOf, Outcome } from '../verb.js';

export function rolloutOptions<Args extends unknown[]>(command: Command<Args>) {
  return command
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
    .addOption(new Option('--id <device>', 'retry, or with --bundle: only this device; repeatable').argParser(collect))
    .option('--html <file>', 'start, report: write a page with plots')
    .option('--markdown <file>', 'start, report: write it as text')
    .option('--junit <file>', 'start, report: write waves and gates as JUnit tests');
}

export type RolloutOptions = OptionsOf<typeof rolloutOptions<[]>>;

/** @param what a plan or the name of a rollout; null if not given */
export type RolloutAction = (
  context: Context,
  what: string | null,
  options: RolloutOptions,
) => Promise<Outcome<'rollout'>>;
