// The drive of a board's bootloader: a file copied there is written to flash.

import { open, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fail, reasonOf } from '../../base/errors.js';
import type { OnProgress } from '../../base/progress.js';

export interface Uf2Drive {
  readonly folder: string;
  /** From its INFO_UF2.TXT; null if absent. */
  readonly model: string | null;
  readonly boardId: string | null;
}

const infoFile = 'INFO_UF2.TXT';
const chunkBytes = 64 * 512;

/** Folders where systems mount drives, and every mount that the kernel lists. */
async function mountedFolders(): Promise<string[]> {
  const mounts = await readFile('/proc/mounts', 'utf8').catch(() => '');
  // The kernel writes spaces in octal.
  const fromKernel = mounts.split('\n').flatMap((line) => line.split(' ')[1]?.replaceAll('\\040', ' ') ?? []);
  const volumes = await readdir('/Volumes').catch(() => []);
  return [...fromKernel, ...volumes.map((name) => path.join('/Volumes', name))];
}

/** @param folders to search; by default everything mounted on this machine */
export async function findUf2Drives(folders?: readonly string[]): Promise<Uf2Drive[]> {
  const found: Uf2Drive[] = [];
  for (const folder of folders ?? (await mountedFolders())) {
    const text = await readFile(path.join(folder, infoFile), 'utf8').catch(() => null);
    if (text === null) continue;
    const field = (name: string): string | null => new RegExp(`^${name}: *(.+?) *\r?$`, 'm').exec(text)?.[1] ?? null;
    found.push({ folder, model: field('Model'), boardId: field('Board-ID') });
  }
  return found;
}

/** The only drive. @throws UF2_DRIVE if there is none or several: nothing is guessed */
export function onlyDrive(drives: readonly Uf2Drive[]): Uf2Drive {
  const [only] = drives;
  if (only !== undefined && drives.length === 1) return only;
  const list = drives.map(({ folder, boardId }) => `${folder} (${boardId ?? 'unknown board'})`).join(', ');
  throw fail('UF2_DRIVE', { count: drives.length, list: list === '' ? '' : `: ${list}` });
}

/**
 * Copies a UF2 image to a drive. Boards start writing at once and remove the drive when they have all blocks.
 * @throws UF2_COPY if the drive does not accept all of it
 */
export async function copyToDrive(
  image: Uint8Array,
  drive: Uf2Drive,
  options: { readonly onProgress?: OnProgress<'write'>; readonly signal?: AbortSignal } = {},
): Promise<void> {
  const file = path.join(drive.folder, 'atoll.uf2');
  let written = 0;
  try {
    const handle = await open(file, 'w');
    try {
      while (written < image.byteLength) {
        options.signal?.throwIfAborted();
        options.onProgress?.({ step: 'write', done: written, total: image.byteLength, unit: 'bytes' });
        written += (await handle.write(image, written, Math.min(chunkBytes, image.byteLength - written))).bytesWritten;
      }
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    options.signal?.throwIfAborted();
    // The board restarts after the last block, and its drive disappears before the file is closed.
    if (written < image.byteLength)
      throw fail('UF2_COPY', { path: file, done: written, total: image.byteLength, reason: reasonOf(error) }, error);
  }
  options.onProgress?.({ step: 'write', done: image.byteLength, total: image.byteLength, unit: 'bytes' });
}
