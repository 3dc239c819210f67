// A target file that extends another contains only the differences.

import { elementAt } from '../base/checked.js';

type Plain = Readonly<Record<string, unknown>>;

export function isPlain(value: unknown): value is Plain {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Mappings are merged, everything else is replaced. If the extension changes a figure without naming a source, the
 * figure counts as unverified.
 */
export function extendTarget(base: Plain, { extends: _, ...own }: Plain): Plain {
  const merged = merge(base, own) as Record<string, unknown>;
  const changed = (key: string): boolean => elementAt(key.split('.'), 0) in own;
  const ownSources = isPlain(own.sources) ? own.sources : {};
  const baseSources = isPlain(base.sources) ? base.sources : {};
  const baseUnverified = Array.isArray(base.unverified) ? (base.unverified as string[]) : [];
  const ownUnverified = Array.isArray(own.unverified) ? (own.unverified as string[]) : [];
  const figures = Object.keys(baseSources).filter((key) => changed(key) && !(key in ownSources));
  // The schema refuses what is not a mapping or a list.
  if (
    (own.sources !== undefined && !isPlain(own.sources)) ||
    (own.unverified !== undefined && !Array.isArray(own.unverified))
  )
    return merged;
  merged.sources = {
    ...Object.fromEntries(Object.entries(baseSources).filter(([key]) => !changed(key))),
    ...ownSources,
  };
  merged.unverified = [
    ...new Set([
      ...baseUnverified.filter((key) => !changed(key)),
      ...figures.map((key) => elementAt(key.split('.'), 0)),
      ...ownUnverified,
    ]),
  ];
  return merged;
}

function merge(base: unknown, own: unknown): unknown {
  if (!isPlain(base) || !isPlain(own)) return own;
  const keys = new Set([...Object.keys(base), ...Object.keys(own)]);
  return Object.fromEntries([...keys].map((key) => [key, key in own ? merge(base[key], own[key]) : base[key]]));
}
