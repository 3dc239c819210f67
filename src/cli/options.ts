// Values of options: parsed once, refused with a message that names the option.

import path from 'node:path';
import { InvalidArgumentError } from 'commander';
import { fail } from '../errors.js';

export function positiveInteger(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1) throw new InvalidArgumentError('It must be a whole number from 1 on.');
  return value;
}

/** Repeatable option: collects its values. */
export function collect(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value];
}

/** @throws USAGE where an output would replace what it is made from */
export function refuseOverwriting(output: string, inputs: readonly string[]): void {
  const same = inputs.find((input) => path.resolve(input) === path.resolve(output));
  if (same !== undefined) throw fail('USAGE', { reason: `the output ${output} would replace the input` });
}
