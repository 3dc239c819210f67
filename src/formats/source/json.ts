// Checked access to JSON that came from a file.

import { fail } from '../../base/errors.js';
import type { Attribute, Attributes } from './graph.js';

/** The error for a source model that contradicts its format. @param where what is wrong, for example a layer's path */
export function sourceInvalid(where: string, reason: string, cause?: unknown): Error {
  return fail('SOURCE_INVALID', { where, reason }, cause);
}

/** Deepest nesting of a model's JSON: models within models, lists of nodes, arguments. */
const maxDepth = 200;

/** @throws SOURCE_INVALID if the text is not a JSON object */
export function parseJsonObject(text: string, where: string): Attributes {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw sourceInvalid(where, 'it is not valid JSON', error);
  }
  if (depthExceeds(value, maxDepth)) throw sourceInvalid(where, `its JSON is nested deeper than ${maxDepth} levels`);
  return asObject(value as Attribute, where);
}

/** Walks with a list of its own: JSON.parse accepts nesting that recursion would not survive. */
function depthExceeds(root: unknown, limit: number): boolean {
  let level: unknown[] = [root];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > limit) return true;
    level = level.flatMap((value) => (value !== null && typeof value === 'object' ? Object.values(value) : []));
  }
  return false;
}

export function isObject(value: Attribute | undefined): value is Attributes {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

export function isList(value: Attribute | undefined): value is readonly Attribute[] {
  return Array.isArray(value);
}

/** @throws SOURCE_INVALID */
export function asObject(value: Attribute | undefined, where: string): Attributes {
  if (!isObject(value)) throw sourceInvalid(where, `an object is expected, not ${describe(value)}`);
  return value;
}

/** @throws SOURCE_INVALID */
export function asList(value: Attribute | undefined, where: string): readonly Attribute[] {
  if (!isList(value)) throw sourceInvalid(where, `a list is expected, not ${describe(value)}`);
  return value;
}

/** @throws SOURCE_INVALID */
export function asText(value: Attribute | undefined, where: string): string {
  if (typeof value !== 'string') throw sourceInvalid(where, `a text is expected, not ${describe(value)}`);
  return value;
}

/** Short form of a value for a message. */
export function describe(value: Attribute | undefined): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
