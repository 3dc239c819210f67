// YAML files checked against a schema, with faults that name line and path.

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

/** Hand-written files are far smaller; the parser's search for repeated keys takes the square of a file's length. */
const maxCharacters = 256 * 1024;

/** The parser descends, and would run out of stack. */
const maxDepth = 100;

/** Of brackets, and of dashes and question marks in a row, which nest too. */
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
 * Parses a YAML text and checks it; every fault is reported, not only the first.
 * @param schemaFor the schema of what the text holds
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
    // Aliases are few in hand-written files; the limit keeps a hostile one from unfolding without end.
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
    // A key too many is at itself, not at what holds it.
    issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => ({
          line: lineOf([...issue.path, key]),
          path: pathText(issue.path),
          reason: `Unrecognized key: "${key}"`,
        }))
      : [{ line: lineOf(issue.path), path: pathText(issue.path), reason: reasonText(issue) }],
  );
  // An unknown key is often the reason why another one is missing.
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
  // Of a value that may have several forms: what each of them would be.
  const forms = new Set(
    issue.errors.flatMap(([first]) =>
      first === undefined ? [] : [`${pathText(first.path)}${first.path.length > 0 ? ': ' : ''}${reasonText(first)}`],
    ),
  );
  return `has none of its forms: ${[...forms].join(', or ')}`;
}

/** Faults of which more are hardly of one cause each. */
const namedFaults = 8;

/** Where the first fault is, and what each is. */
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
