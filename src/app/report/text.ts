// Plain text: tables, and numbers with units.

import { stripVTControlCharacters } from 'node:util';
import { elementAt } from '../../base/checked.js';

/** Columns padded to the widest cell; numbers aligned to the right. */
export function table(rows: readonly (readonly (string | number)[])[], header?: readonly string[]): string {
  const cells = [...(header === undefined ? [] : [header]), ...rows].map((row) => row.map(String));
  const widths = cells.reduce<number[]>(
    (widest, row) => row.map((cell, i) => Math.max(widest[i] ?? 0, width(cell))),
    [],
  );
  const numeric = widths.map((_, i) =>
    rows.every((row) => typeof row[i] === 'number' || /^[\d.,+-]+( \S+)?$/.test(String(row[i] ?? ''))),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => {
        const padding = ' '.repeat(elementAt(widths, i) - width(cell));
        return numeric[i] ? padding + cell : cell + padding;
      })
      .join('  ')
      .trimEnd();
  const rule = header === undefined ? [] : [widths.map((length) => '-'.repeat(length)).join('  ')];
  const lines = cells.map(line);
  return (header === undefined ? lines : [elementAt(lines, 0), ...rule, ...lines.slice(1)]).join('\n');
}

function width(text: string): number {
  return stripVTControlCharacters(text).length;
}

/** Digits in groups of three. Intl.NumberFormat takes 20 ms to start. */
export function countText(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

export function bytesText(bytes: number): string {
  return `${countText(bytes)} B`;
}

export function percentText(fraction: number, digits = 1): string {
  return `${(100 * fraction).toFixed(digits)} %`;
}

export function millisecondsText(ms: number): string {
  return `${ms >= 100 ? ms.toFixed(0) : ms >= 1 ? ms.toFixed(2) : ms.toPrecision(3)} ms`;
}

export function shapeText(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}

/** A metric's value with its unit. */
export function metricText(metric: string, value: number): string {
  return metric === 'top1' || metric === 'top5'
    ? percentText(value)
    : metric === 'snr'
      ? `${value.toFixed(2)} dB`
      : value.toPrecision(4);
}

/** `1 device`, `2 devices`. */
export function devicesText(count: number): string {
  return `${countText(count)} device${count === 1 ? '' : 's'}`;
}

/** A duration in its two largest units. */
export function durationText(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return ms < 10_000 ? `${(ms / 1000).toFixed(1)} s` : `${seconds} s`;
  const [minutes, hours, days] = [Math.floor(seconds / 60), Math.floor(seconds / 3600), Math.floor(seconds / 86_400)];
  if (hours === 0) return `${minutes} min ${seconds % 60} s`;
  return days === 0 ? `${hours} h ${minutes % 60} min` : `${days} d ${hours % 24} h`;
}

/** The first few names, and the number of the rest. */
export function namedText(names: readonly string[], most = 10): string {
  return names.length <= most ? names.join(', ') : `${names.slice(0, most).join(', ')} and ${names.length - most} more`;
}
