// Parses option values; errors name the option.

import { realpathSync } from 'node:fs';
import path from 'node:path';
import { InvalidArgumentError } from '@commander-js/extra-typings';
import { fail } from '../../base/errors.js';

export function positiveInteger(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1) throw new InvalidArgumentError('It must be a whole number of at least 1.');
  return value;
}

export function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(Number(text)))
    throw new InvalidArgumentError('It must be a whole number of at least 0.');
  return Number(text);
}

/** Version counter of bundles: 32 bits, as on devices. */
export function counterNumber(text: string): number {
  const value = wholeNumber(text);
  if (value > 0xffff_ffff) throw new InvalidArgumentError('It must be a whole number from 0 to 4294967295.');
  return value;
}

/** Repeatable option: collects its values. */
export function collect(value: string, previous: readonly string[] = []): readonly string[] {
  return [...previous, value];
}

/** @throws USAGE if an output would overwrite an input or another output */
export function refuseOverwriting(output: string, others: readonly unknown[]): void {
  const files = others.filter((other) => typeof other === 'string');
  if (files.some((other) => placeOf(other) === placeOf(output))) {
    throw fail('USAGE', { reason: `the output ${output} would replace another file of this command` });
  }
}

/** The real path, with links resolved as far as the path exists. */
function placeOf(file: string): string {
  try {
    return realpathSync(file);
  } catch {
    const folder = path.dirname(path.resolve(file));
    return folder === path.resolve(file) ? folder : path.join(placeOf(folder), path.basename(file));
  }
}

export function positiveNumber(text: string): number {
  const value = Number(text);
  if (!(value > 0 && value < Infinity)) throw new InvalidArgumentError('It must be a number above 0.');
  return value;
}

/** A whole number, decimal or hexadecimal. */
export function address(text: string): number {
  const value = Number(text);
  if (!/^(0x[0-9a-f]+|\d+)$/i.test(text) || value > 0xffffffff)
    throw new InvalidArgumentError('It must be a whole number of up to 32 bits, for example 0x10040000.');
  return value;
}

/** `name=value`, each. @throws USAGE */
export function tagsOf(texts: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    texts.map((text) => {
      const [, name, value] = /^([^=]{1,64})=(.{1,64})$/.exec(text) ?? [];
      if (name === undefined || value === undefined) throw fail('USAGE', { reason: `${text} is not NAME=VALUE` });
      return [name, value];
    }),
  );
}

/** `1%` or `0.01`. */
export function fraction(text: string): number {
  const value = text.endsWith('%') ? Number(text.slice(0, -1)) / 100 : Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= 1))
    throw new InvalidArgumentError('It must be a share between 0 and 1, or 0% and 100%.');
  return value;
}
