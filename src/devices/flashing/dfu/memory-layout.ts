// The memory that a DfuSe device describes in the name of an alternate setting, such as
// @Internal Flash  /0x08000000/04*032Kg,01*128Kg,03*256Kg
// Source: ST UM0424, "DfuSe USB device firmware upgrade", 10.3.2: count * size, unit (blank, K or M), and a letter
// whose low bits mean readable, erasable, writable.

import type { AddressRange } from '../place.js';

export interface Sector extends AddressRange {
  readonly readable: boolean;
  readonly erasable: boolean;
  readonly writable: boolean;
}

const units: Readonly<Record<string, number>> = { '': 1, B: 1, K: 1024, M: 1024 * 1024 };
/** No microcontroller has more. */
const maxSectors = 65_536;

/** @returns the sectors in order; null if the text is not such a layout */
export function parseMemoryLayout(text: string): { readonly name: string; readonly sectors: readonly Sector[] } | null {
  const [name = '', ...parts] = text.split('/');
  if (!name.startsWith('@') || parts.length < 2) return null;
  const sectors: Sector[] = [];
  for (let i = 0; i + 1 < parts.length; i += 2) {
    let start = Number((parts[i] ?? '').trim());
    if (!Number.isInteger(start) || start < 0 || start > 0xffffffff) return null;
    for (const run of (parts[i + 1] ?? '').split(',')) {
      const found = /^\s*(\d+)\*(\d+) ?([BKM]?)([a-g])\s*$/.exec(run);
      if (found === null) return null;
      const [, count, size, unit = '', kind = ''] = found;
      const bytes = Number(size) * (units[unit] ?? 1);
      if (bytes === 0 || sectors.length + Number(count) > maxSectors) return null;
      const rights = kind.charCodeAt(0) - 'a'.charCodeAt(0) + 1;
      for (let n = 0; n < Number(count); n++, start += bytes) {
        sectors.push({
          start,
          end: start + bytes,
          readable: (rights & 1) !== 0,
          erasable: (rights & 2) !== 0,
          writable: (rights & 4) !== 0,
        });
      }
    }
  }
  return { name: name.slice(1).trim(), sectors };
}
