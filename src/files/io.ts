import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fail, reasonOf } from '../errors.js';

/** @throws FILE_NOT_READABLE */
export async function readBytes(file: string): Promise<Uint8Array> {
  try {
    const buffer = await readFile(file);
    return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  } catch (error) {
    throw fail('FILE_NOT_READABLE', { path: file, reason: reasonOf(error) }, error);
  }
}

/** @throws FILE_NOT_READABLE */
export async function readText(file: string): Promise<string> {
  return new TextDecoder().decode(await readBytes(file));
}

/**
 * Writes under a temporary name in the same folder, then renames, so that no reader ever sees half a file.
 * @throws FILE_NOT_WRITABLE
 */
export async function writeAtomically(file: string, content: Uint8Array | string): Promise<void> {
  const temporary = path.join(path.dirname(file), `.${path.basename(file)}.${randomBytes(4).toString('hex')}.tmp`);
  try {
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(temporary, content);
    await rename(temporary, file);
  } catch (error) {
    // The folder itself may be what is missing; the first error is the one to tell.
    await rm(temporary, { force: true }).catch(() => undefined);
    throw fail('FILE_NOT_WRITABLE', { path: file, reason: reasonOf(error) }, error);
  }
}
