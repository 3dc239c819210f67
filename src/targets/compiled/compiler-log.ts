// Parses the output of edgetpu_compiler, versions 2.1 to 16.0.

import { defined } from '../../base/checked.js';

export interface LoggedOperators {
  readonly op: string;
  readonly count: number;
  readonly status: string;
}

export interface CompilerLog {
  readonly version: string | null;
  readonly succeeded: boolean;
  /** The compiler's error; null if it succeeded. */
  readonly failure: string | null;
  readonly milliseconds: number | null;
  readonly subgraphs: number | null;
  readonly operators: number | null;
  /** The compiler rounds to hundredths of the unit that it prints. */
  readonly cachedParameterBytes: number | null;
  readonly remainingCacheBytes: number | null;
  readonly streamedParameterBytes: number | null;
  /** Only with -s. */
  readonly table: readonly LoggedOperators[];
}

const units: Readonly<Record<string, number>> = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

/** A line that reports why the compiler failed. */
const failureLine = new RegExp(
  `^(${[
    '(?:ERROR|E :).*',
    'Internal compiler error.*',
    'Compilation failed.*',
    'Invalid model.*',
    '.*timed out.*',
    '.*Segmentation fault.*',
    '.*Aborted.*',
    'ended by signal .*',
  ].join('|')})$`,
  'i',
);

export function parseCompilerLog(text: string): CompilerLog {
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const first = (pattern: RegExp): string | null =>
    lines.map((line) => pattern.exec(line)?.[1]).find((found) => found !== undefined) ?? null;
  const integer = (pattern: RegExp): number | null => numberOf(first(pattern));
  const milliseconds = integer(/^Models? compiled successfully in (\d+) ms/);
  const failure = first(failureLine);
  return {
    version: first(/^Edge TPU Compiler version (\S+)/),
    succeeded: milliseconds !== null,
    failure: milliseconds === null ? (failure ?? lines.filter((line) => line !== '').at(-1) ?? null) : null,
    milliseconds,
    subgraphs: integer(/^Number of Edge TPU subgraphs: (\d+)/),
    operators: integer(/^Total number of operations: (\d+)/),
    cachedParameterBytes: bytesOf(first(/^On-chip memory used for caching model parameters: (\S+)/)),
    remainingCacheBytes: bytesOf(first(/^On-chip memory remaining for caching model parameters: (\S+)/)),
    streamedParameterBytes: bytesOf(first(/^Off-chip memory used for streaming uncached model parameters: (\S+)/)),
    table: lines.flatMap((line): LoggedOperators[] => {
      const [, op, count, status] = /^([A-Z][A-Z0-9_-]*|CUSTOM:? ?\S*)\s+(\d+)\s+(\S.*)$/.exec(line) ?? [];
      return op === undefined || count === undefined || status === undefined
        ? []
        : [{ op, count: Number(count), status }];
    }),
  };
}

function numberOf(text: string | null): number | null {
  return text === null ? null : Number(text);
}

/** `1.92MiB` */
function bytesOf(text: string | null): number | null {
  const [, value, unit = ''] = /^([\d.]+)(B|KiB|MiB|GiB)$/.exec(text ?? '') ?? [];
  return value === undefined ? null : Math.round(Number(value) * defined(units[unit]));
}
