// Parses YAML and checks it against a schema; errors name the line and the path.

import { LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';

export interface YamlFault {
  /** 1-based. */
  readonly line: number;
  /** Path of the faulty value, for example inputs[0].shape. */
  readonly path: string;
  readonly reason: string;
}

export type YamlSource<T> =
  | { readonly value: T; readonly faults: readonly [] }
  | { readonly value: null; readonly faults: readonly YamlFault[] };

/** Hand-written files are far smaller, and the parser's search for repeated keys is quadratic. */
const maxCharacters = 256 * 1024;

/** The parser recurses and would overflow the stack. */
const maxDepth = 100;

/** Nesting by brackets, and by consecutive dashes and question marks, which nest too. */
function deepest(text: string): number {
  let [depth, most] = [0, 0];
  for (const character of text) {
    if (character === '[' || character === '{') most = Math.max(most, ++depth);
    else if (character === ']' || character === '}') depth = Math.max(0, depth - 1);
  }
  const runs = Array.from(text.matchAll(/(?:[-?][ \t]+){2,}/g), ([run]) => run.replaceAll(/\s/g, '').length);
  return runs.reduce((deep, run) => Math.max(deep, run), most);
}

/**
 * Parses a YAML text and checks it. Reports every error, not only the first.
 * @param schemaFor returns the schema for the parsed content
 */
export function parseYaml<T>(
  text: string,
  schemaFor: z.ZodType<T> | ((plain: unknown) => z.ZodType<T>),
): YamlSource<T> {
  if (text.length > maxCharacters)
    return {
      value: null,
      faults: [{ line: 1, path: '', reason: `it has ${text.length} characters; such files end at ${maxCharacters}` }],
    };
  if (deepest(text) > maxDepth)
    return { value: null, faults: [{ line: 1, path: '', reason: `it is nested deeper than ${maxDepth} levels` }] };
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) {
    return {
      value: null,
      faults: document.errors.map((error) => ({
        line: lines.linePos(error.pos[0]).line,
        path: '',
        reason: error.message,
      })),
    };
  }
  let plain: unknown;
  try {
    // Hand-written files have few aliases; the limit stops a hostile file from expanding without end.
    plain = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    return { value: null, faults: [{ line: 1, path: '', reason: String(error) }] };
  }
  const schema = typeof schemaFor === 'function' ? schemaFor(plain) : schemaFor;
  const result = schema.safeParse(plain);
  if (result.success) return { value: result.data, faults: [] };
  const lineOf = (keys: readonly PropertyKey[]): number => {
    for (let depth = keys.length; depth >= 0; depth--) {
      const node = document.getIn(keys.slice(0, depth), true) as { range?: [number, number, number] } | undefined;
      if (node?.range !== undefined) return lines.linePos(node.range[0]).line;
    }
    return 1;
  };
  const faults = result.error.issues.flatMap((issue) =>
    // An unexpected key is reported at the key, not at the object that contains it.
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => ({
          line: lineOf([...issue.path, key]),
          path: pathText(issue.path),
          reason: `Unrecognized key: "${key}"`,
        }))
      : [{ line: lineOf(issue.path), path: pathText(issue.path), reason: reasonText(issue) }],
  );
  // An unknown key is often the cause of a missing one.
  return {
    value: null,
    faults: faults.sort(
      (a, b) => Number(b.reason.startsWith('Unrecognized')) - Number(a.reason.startsWith('Unrecognized')),
    ),
  };
}

function reasonText(issue: z.core.$ZodIssue): string {
  if (issue.message.endsWith('received undefined')) return 'is missing';
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return issue.message;
  // For a value that may have several forms: what each form expects.
  const forms = new Set(
    issue.errors.flatMap(([first]) =>
      first === undefined ? [] : [`${pathText(first.path)}${first.path.length > 0 ? ': ' : ''}${reasonText(first)}`],
    ),
  );
  return `has none of its forms: ${[...forms].join(', or ')}`;
}

/** Beyond this number, errors rarely have different causes. */
const namedFaults = 8;

/** The position of the first error, and a description of each. */
export function describeFaults(file: string, faults: readonly YamlFault[]): { where: string; reason: string } {
  const place = ({ line, path }: YamlFault): string => `line ${line}${path === '' ? '' : `, ${path}`}`;
  const [first, ...others] = faults;
  if (first === undefined) return { where: `${file}, line 1`, reason: 'empty' };
  const named = others.slice(0, namedFaults - 1).map((fault) => `${place(fault)}: ${fault.reason}`);
  const more = faults.length > namedFaults ? [`${faults.length - namedFaults} more`] : [];
  return { where: `${file}, ${place(first)}`, reason: [first.reason, ...named, ...more].join('; ') };
}

function pathText(keys: readonly PropertyKey[]): string {
  return keys
    .map((key, i) => (typeof key === 'number' ? `[${key}]` : i === 0 ? String(key) : `.${String(key)}`))
    .join('');
}
