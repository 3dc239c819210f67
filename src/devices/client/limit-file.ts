// Keeps the packet limits found for each device in a file in the user's state folder. Losing it costs only time, so
// reading and writing it never fails.

import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { writeAtomically } from '../../base/files/index.js';
import type { LimitMemory } from './smp-client.js';

/** After this time full packets are tried again: the device may have new firmware. */
const keptMs = 30 * 24 * 3600 * 1000;
const maxDevices = 200;

const entrySchema = z.object({
  maxPacketBytes: z.number().int().min(1),
  pauseMs: z.number().min(0).max(1000),
  learned: z.number(),
});
const fileSchema = z.record(z.string(), entrySchema);
type Entries = z.output<typeof fileSchema>;

/** @param file path of a JSON file, created when the first limit is found */
export function limitFile(file: string, now: () => number = Date.now): LimitMemory {
  return {
    recall: (device) => {
      const entry = entriesOf(file)[device];
      if (entry === undefined || now() - entry.learned > keptMs) return null;
      return { maxPacketBytes: entry.maxPacketBytes, pauseMs: entry.pauseMs };
    },
    remember: async (device, limit) => {
      const entries = Object.entries({ ...entriesOf(file), [device]: { ...limit, learned: now() } });
      const newest = entries.sort(([, a], [, b]) => b.learned - a.learned).slice(0, maxDevices);
      await writeAtomically(file, `${JSON.stringify(Object.fromEntries(newest), null, 2)}\n`).catch(() => undefined);
    },
  };
}

function entriesOf(file: string): Entries {
  try {
    return fileSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    return {};
  }
}
