// Parses limits from the command line and from rollout plans.

import type { Allowance, Limits } from './gates.js';

export const allowanceForm = "2pt (percentage points), 5% (of the float value), or a number in the metric's own unit";

/** @returns null if the text is not valid */
export function parseAllowance(text: string): Allowance | null {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)(pt|%)?$/.exec(text) ?? [];
  if (number === '') return null;
  return { unit: unit === 'pt' ? 'points' : unit === '%' ? 'percent' : 'own', value: Number(number) };
}

const metrics = ['top1', 'top5', 'auc', 'snr'] as const;

export const minimumForm = `METRIC=VALUE, such as top1=0.90, of ${metrics.join(', ')}`;

/** @returns null if the text is not valid */
export function parseMinimum(text: string): NonNullable<Limits['min']> | null {
  const [, name, number = ''] = /^(\w+)=(\S+)$/.exec(text) ?? [];
  const metric = metrics.find((known) => known === name);
  const value = number.endsWith('%') ? Number(number.slice(0, -1)) / 100 : Number(number);
  return metric === undefined || !Number.isFinite(value) ? null : { metric, value };
}
