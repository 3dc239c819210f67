// The options for limits on a model, shared by all verbs that judge one.

import { type Command, InvalidArgumentError, type OptionValues } from '@commander-js/extra-typings';
import { fail } from '../../base/errors.js';
import type { Allowance, Limits } from '../../evaluate/index.js';
import { allowanceForm, minimumForm, parseAllowance, parseMinimum } from '../../evaluate/limit-text.js';
import { positiveInteger, positiveNumber } from './options.js';

function allowance(text: string): Allowance {
  const parsed = parseAllowance(text);
  if (parsed === null) throw new InvalidArgumentError(`It must be ${allowanceForm}.`);
  return parsed;
}

function least(text: string): NonNullable<Limits['min']> {
  const parsed = parseMinimum(text);
  if (parsed === null) throw new InvalidArgumentError(`It must be ${minimumForm}.`);
  return parsed;
}

export const maxDropHelp =
  'accepted loss of the metric: 2pt (percentage points), 5% (of the float value) or a number in its own unit ' +
  '(default: 2pt for shares, otherwise 5%)';

export function maxDropOption<Args extends unknown[], Options extends OptionValues>(command: Command<Args, Options>) {
  return command.option('--max-drop <loss>', maxDropHelp, allowance);
}

/** Limits that can be checked without a float model. */
export function limitOptions<Args extends unknown[], Options extends OptionValues>(command: Command<Args, Options>) {
  return command
    .option('--min <metric=value>', 'minimum of the metric, for example top1=0.90', least)
    .option('--max-latency-ms <ms>', 'maximum latency of one inference', positiveNumber)
    .option('--max-arena-bytes <bytes>', 'maximum arena of the interpreter', positiveInteger);
}

export function forceOption<Args extends unknown[], Options extends OptionValues>(command: Command<Args, Options>) {
  return command.option('--force', 'continue even if a limit is exceeded; the report says so');
}

export function limitsOf({ maxDrop, min, maxLatencyMs, maxArenaBytes }: Limits): Limits {
  return {
    ...(maxDrop === undefined ? {} : { maxDrop }),
    ...(min === undefined ? {} : { min }),
    ...(maxLatencyMs === undefined ? {} : { maxLatencyMs }),
    ...(maxArenaBytes === undefined ? {} : { maxArenaBytes }),
  };
}

/** @throws USAGE if latency or arena are limited but no target is known */
export function requireTargetForCosts({ maxLatencyMs, maxArenaBytes }: Limits, target: unknown): void {
  if (target === undefined && (maxLatencyMs ?? maxArenaBytes) !== undefined)
    throw fail('USAGE', { reason: '--max-latency-ms and --max-arena-bytes need --target' });
}
