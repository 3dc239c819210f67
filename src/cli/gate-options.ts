// The options that say what a model must keep: one set for all verbs that judge one.

import { type Command, InvalidArgumentError } from 'commander';
import type { Allowance, Limits } from '../evaluate/index.js';
import { positiveInteger, positiveNumber } from './options.js';

const metrics = ['top1', 'top5', 'auc', 'snr'] as const;

/** `2pt`, `5%`, or a number in the metric's own unit. */
export function allowance(text: string): Allowance {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)(pt|%)?$/.exec(text) ?? [];
  if (number === '')
    throw new InvalidArgumentError("It must be such as 2pt (percentage points), 5% (of the float value), or a number in the metric's own unit.");
  return { unit: unit === 'pt' ? 'points' : unit === '%' ? 'percent' : 'own', value: Number(number) };
}

function least(text: string): NonNullable<Limits['min']> {
  const [, name, number = ''] = /^(\w+)=(.+)$/.exec(text) ?? [];
  const metric = metrics.find((known) => known === name);
  const value = number.endsWith('%') ? Number(number.slice(0, -1)) / 100 : Number(number);
  if (metric === undefined || !Number.isFinite(value)) throw new InvalidArgumentError(`It must be METRIC=VALUE, such as top1=0.90, of ${metrics.join(', ')}.`);
  return { metric, value };
}

export const maxDropHelp =
  'accepted loss of the metric: 2pt (percentage points), 5% (of the float value) or a number in its own unit (default: 2pt, 5% of metrics that are no shares)';

export function maxDropOption(command: Command): Command {
  return command.option('--max-drop <loss>', maxDropHelp, allowance);
}

/** What can be said of a model by itself. */
export function limitOptions(command: Command): Command {
  return command
    .option('--min <metric=value>', 'what the metric must reach, such as top1=0.90', least)
    .option('--max-latency-ms <ms>', 'accepted latency of one inference', positiveNumber)
    .option('--max-arena-bytes <bytes>', 'accepted arena of the interpreter', positiveInteger);
}

export function forceOption(command: Command): Command {
  return command.option('--force', 'go on although a limit is not kept; the report says so');
}

export function limitsOf(options: Readonly<Record<string, unknown>>): Limits {
  const { maxDrop, min, maxLatencyMs, maxArenaBytes } = options as Limits;
  return {
    ...(maxDrop === undefined ? {} : { maxDrop }),
    ...(min === undefined ? {} : { min }),
    ...(maxLatencyMs === undefined ? {} : { maxLatencyMs }),
    ...(maxArenaBytes === undefined ? {} : { maxArenaBytes }),
  };
}
