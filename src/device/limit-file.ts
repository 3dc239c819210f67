// What was learned of devices, in a file of the user: a small record that may be lost, and is never worth an error.

import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { writeAtomically } from '../files/index.js';
import type { LimitMemory } from './smp-client.js';

/** After so long a device is tried with full packets again: its firmware may be another one. */
const keptMs = 30 * 24 * 3600 * 1000;
const mostDevices = 200;

const entrySchema = z.object({ maxPacketBytes: z.number().int().min(1), pauseMs: z.number().min(0).max(1000), learned: z.number() });
const fileSchema = z.record(z.string(), entrySchema);
type Entries = z.output<typeof fileSchema>;

/** @param file JSON; made when something is learned */
export function limitFile(file: string, now: () => number = Date.now): LimitMemory {
  return {
    recall: (device) => {
      const entry = entriesOf(file)[device];
      if (entry === undefined || now() - entry.learned > keptMs) return null;
      return { maxPacketBytes: entry.maxPacketBytes, pauseMs: entry.pauseMs };
    },
    remember: async (device, limit) => {
      const entries = Object.entries({ ...entriesOf(file), [device]: { ...limit, learned: now() } });
      const newest = entries.sort(([, a], [, b]) => b.learned - a.learned).slice(0, mostDevices);
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
