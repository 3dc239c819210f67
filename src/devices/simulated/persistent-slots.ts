// Slots that outlive the process: each image in a file named by its hash, and an index file with the state of each
// slot. The index is written last, atomically.

import { link, readdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { Mutex } from 'async-mutex';
import { z } from 'zod';
import { fail, reasonOf } from '../../base/errors.js';
import { readBytes, readText, writeAtomically } from '../../base/files/index.js';
import { sha256Hex } from '../../base/hashes.js';
import { processIdentity } from '../../base/programs/index.js';
import { type Slot, Slots } from './slots.js';

const indexFile = 'slots.json';
const imageName = /^[0-9a-f]{64}\.slot$/;
const lockFile = 'lock';
const slotSchema = z.object({
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .nullable(),
  active: z.boolean(),
  pending: z.boolean(),
  confirmed: z.boolean(),
  tested: z.boolean(),
  attempts: z.number().int().min(0),
});
const indexSchema = z.object({
  schema: z.literal('atoll-slots-1'),
  slots: z.tuple([slotSchema, slotSchema]),
  floor: z.number().int().min(0).default(0),
});
type Index = z.infer<typeof indexSchema>;

export class PersistentSlots extends Slots {
  private readonly hashes = new WeakMap<Uint8Array, string>();
  private written: string;
  private readonly writes = new Mutex();

  private constructor(
    private readonly folder: string,
    written: string,
  ) {
    super();
    this.written = written;
  }

  /**
   * Opens the slots of a folder; empty ones if there are none. This counts as a boot: an unconfirmed model uses up one
   * attempt.
   * @throws STATE_BUSY, STATE_INVALID, FILE_*
   */
  static async open(folder: string): Promise<PersistentSlots> {
    await lock(folder);
    const file = path.join(folder, indexFile);
    const names = await readdir(folder).catch((): string[] => []);
    const index = names.includes(indexFile) ? parseIndex(await readText(file), file) : null;
    const kept = new PersistentSlots(folder, index === null ? '' : textOf(index));
    for (const [i, entry] of (index?.slots ?? []).entries()) {
      const { sha256: sha, ...state } = entry;
      if (sha !== null && !names.includes(path.basename(imagePath(folder, sha))))
        throw fail('STATE_INVALID', { path: imagePath(folder, sha), reason: 'it does not exist' });
      const bytes = sha === null ? new Uint8Array(0) : await readBytes(imagePath(folder, sha));
      if (sha !== null && sha256Hex(bytes) !== sha)
        throw fail('STATE_INVALID', { path: imagePath(folder, sha), reason: 'its content does not match its name' });
      Object.assign(kept.at(i), state, { bytes });
    }
    kept.floor = index?.floor ?? 0;
    kept.boot();
    await kept.keep();
    return kept;
  }

  /**
   * Saves what has changed. An image that was not tested yet is not worth it.
   * @throws FILE_NOT_WRITABLE
   */
  keep(): Promise<void> {
    const worth = this.all.map((slot) =>
      slot.active || slot.confirmed || slot.tested || slot.attempts > 0 ? { ...slot } : null,
    );
    const { floor } = this;
    return this.writes.runExclusive(() => this.write(worth, floor));
  }

  private async write(slots: readonly (Slot | null)[], floor: number): Promise<void> {
    const entries = slots.map((slot) =>
      slot === null
        ? { sha256: null, active: false, pending: false, confirmed: false, tested: false, attempts: 0 }
        : {
            sha256: this.hashOf(slot.bytes),
            active: slot.active,
            pending: slot.pending,
            confirmed: slot.confirmed,
            tested: slot.tested,
            attempts: slot.attempts,
          },
    );
    const text = textOf({ schema: 'atoll-slots-1', slots: entries as Index['slots'], floor });
    if (text === this.written) return;
    const names = await readdir(this.folder).catch((): string[] => []);
    for (const [i, { sha256: sha }] of entries.entries()) {
      if (sha !== null && !names.includes(path.basename(imagePath(this.folder, sha))))
        await writeAtomically(imagePath(this.folder, sha), slots[i]?.bytes ?? new Uint8Array(0), { durable: true });
    }
    await writeAtomically(path.join(this.folder, indexFile), text, { durable: true });
    this.written = text;
    const used = new Set(
      entries.map(({ sha256: sha }) => (sha === null ? '' : path.basename(imagePath(this.folder, sha)))),
    );
    for (const name of names)
      if (imageName.test(name) && !used.has(name)) await rm(path.join(this.folder, name), { force: true });
  }

  /** Releases the folder for another process. */
  async close(): Promise<void> {
    await this.writes.waitForUnlock();
    await rm(path.join(this.folder, lockFile), { force: true });
  }

  private hashOf(bytes: Uint8Array): string {
    const known = this.hashes.get(bytes) ?? sha256Hex(bytes);
    this.hashes.set(bytes, known);
    return known;
  }
}

/**
 * Locks the folder for this process. The lock of a process that no longer exists is ignored.
 * @throws STATE_BUSY, FILE_NOT_WRITABLE
 */
async function lock(folder: string): Promise<void> {
  const file = path.join(folder, lockFile);
  const own = `${process.pid} ${await processIdentity(process.pid)}`;
  // The lock is created under a temporary name and then linked: it appears with its content, and for one process only.
  const mine = path.join(folder, `${lockFile}.${process.pid}`);
  await writeAtomically(mine, own);
  try {
    for (;;) {
      if (await linked(mine, file)) return;
      const found = await readFile(file, 'utf8').catch(() => '');
      const [owner = '', identity = ''] = found.split(' ');
      const pid = Number(owner);
      if (found === own) return;
      if (pid > 0 && (await processIdentity(pid)) === identity)
        throw fail('STATE_BUSY', { path: folder, pid, lock: file });
      await removeStale(file, found, mine);
    }
  } finally {
    await rm(mine, { force: true });
  }
}

/** Whether the name was free, and is now this file's. */
async function linked(existing: string, name: string): Promise<boolean> {
  try {
    await link(existing, name);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw fail('FILE_NOT_WRITABLE', { path: name, reason: reasonOf(error) }, error);
  }
}

/** Removes the lock of a dead process, unless another process has taken its place meanwhile. */
async function removeStale(file: string, content: string, mine: string): Promise<void> {
  const aside = `${mine}.stale`;
  await rename(file, aside).catch(() => undefined);
  const moved = await readFile(aside, 'utf8').catch(() => null);
  if (moved !== null && moved !== content) await linked(aside, file);
  await rm(aside, { force: true });
}

function imagePath(folder: string, sha: string): string {
  return path.join(folder, `${sha}.slot`);
}

function textOf(index: Index): string {
  return `${JSON.stringify(index, null, 2)}\n`;
}

function parseIndex(text: string, file: string): Index {
  try {
    return indexSchema.parse(JSON.parse(text));
  } catch (error) {
    throw fail(
      'STATE_INVALID',
      { path: file, reason: error instanceof z.ZodError ? z.prettifyError(error) : 'it is not JSON' },
      error,
    );
  }
}
