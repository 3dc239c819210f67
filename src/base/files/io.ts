import { randomBytes } from 'node:crypto';
import { renameSync, type Stats } from 'node:fs';
import {
  chmod,
  chown,
  link,
  lstat,
  mkdir,
  open,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import path from 'node:path';
import { fail } from '../errors.js';

/** What one array can hold on every supported system. */
const maxFileBytes = 2 ** 31 - 1;

/** A regular file of at most 2 GiB. @throws FILE_NOT_READABLE */
export async function readBytes(file: string): Promise<Uint8Array> {
  try {
    // Devices and pipes may never end.
    const entry = await stat(file);
    if (!entry.isFile()) throw new Error(entry.isDirectory() ? 'it is a folder' : 'it is no regular file');
    if (entry.size > maxFileBytes) throw new Error(`it has ${entry.size} bytes, more than ${maxFileBytes}`);
    const buffer = await readFile(file);
    return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  } catch (error) {
    throw fail('FILE_NOT_READABLE', { path: file, reason: systemReason(error) }, error);
  }
}

/** @throws FILE_NOT_READABLE */
export async function readText(file: string): Promise<string> {
  return new TextDecoder().decode(await readBytes(file));
}

/**
 * Writes under a temporary name in the same folder, then renames, so that no reader ever sees half a file. A link is
 * followed; what is no regular file (a pipe, a device) is written to as it is.
 * @param durable it is there even when the power fails right afterwards
 * @throws FILE_NOT_WRITABLE
 */
export async function writeAtomically(
  file: string,
  content: Uint8Array | string,
  { durable = false } = {},
): Promise<void> {
  let temporary: string | null = null;
  try {
    const { target, existing } = await placeOf(file);
    if (existing !== null && !existing.isFile()) return await writeFile(file, content);
    temporary = temporaryBeside(target);
    await writeLike(existing, temporary, content, durable);
    await rename(temporary, target);
    if (durable) await syncFolder(path.dirname(path.resolve(target)));
  } catch (error) {
    // The first error is the one to tell, whatever becomes of the temporary file.
    if (temporary !== null) await rm(temporary, { force: true }).catch(() => undefined);
    throw fail('FILE_NOT_WRITABLE', { path: file, reason: systemReason(error) }, error);
  }
}

/**
 * Follows symbolic links, including dangling ones, to the file that is meant, and creates its folder. Also returns what
 * is there.
 */
async function placeOf(file: string): Promise<{ readonly target: string; readonly existing: Stats | null }> {
  let target = file;
  for (let links = 0; links < maxLinks && (await lstat(target).catch(() => null))?.isSymbolicLink(); links++)
    target = path.resolve(path.dirname(target), await readlink(target));
  await makeFolder(path.dirname(path.resolve(target)));
  const existing = await stat(target).catch(() => null);
  if (existing?.isDirectory()) throw new Error('it is a folder');
  return { target, existing };
}

/** Maximum number of links followed, as on Linux. */
const maxLinks = 40;

function temporaryBeside(target: string): string {
  return path.join(path.dirname(target), `.${path.basename(target)}.${randomBytes(4).toString('hex')}.tmp`);
}

/**
 * Creates a file with the permissions of the one it will replace, and with its owner if this process is allowed to set
 * it.
 */
async function writeLike(
  existing: Stats | null,
  file: string,
  content: Uint8Array | string,
  durable = false,
): Promise<void> {
  await writeFile(file, content, { flag: 'wx', flush: durable, ...(existing === null ? {} : { mode: 0o600 }) });
  if (existing === null) return;
  if (existing.uid !== process.getuid?.() || existing.gid !== process.getgid?.())
    await chown(file, existing.uid, existing.gid).catch(() => undefined);
  await chmod(file, existing.mode & 0o7777);
}

/**
 * Several files that belong together: all are written under temporary names, then renamed one right after another. A
 * full disk leaves none of them, nor does a process that is interrupted or killed, but for the microseconds between two
 * renames.
 * @throws FILE_NOT_WRITABLE
 */
export async function writeTogether(
  files: readonly { readonly path: string; readonly content: Uint8Array | string }[],
): Promise<void> {
  const staged: { temporary: string; target: string }[] = [];
  let current = '';
  try {
    for (const { path: file, content } of files) {
      current = file;
      const { target, existing } = await placeOf(file);
      const temporary = temporaryBeside(target);
      staged.push({ temporary, target });
      await writeLike(existing, temporary, content);
    }
    for (const { temporary, target } of staged) {
      current = target;
      // Synchronous, so that nothing of this process comes between.
      renameSync(temporary, target);
    }
  } catch (error) {
    for (const { temporary } of staged) await rm(temporary, { force: true }).catch(() => undefined);
    throw fail('FILE_NOT_WRITABLE', { path: current, reason: systemReason(error) }, error);
  }
}

/** Error codes of file systems without links (FAT). */
const withoutLinks: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);

/**
 * Never replaces a file, and leaves none that is not whole.
 * @param mode rights of the file.
 * @throws FILE_NOT_WRITABLE
 */
export async function writeNew(file: string, content: string, mode = 0o644): Promise<void> {
  let temporary: string | null = null;
  try {
    await makeFolder(path.dirname(path.resolve(file)));
    temporary = temporaryBeside(file);
    await writeFile(temporary, content, { flag: 'wx', mode, flush: true });
    await link(temporary, file).catch(async (error: NodeJS.ErrnoException) => {
      if (!withoutLinks.has(error.code ?? '')) throw error;
      await writeFile(file, content, { flag: 'wx', mode });
    });
  } catch (error) {
    throw fail('FILE_NOT_WRITABLE', { path: file, reason: systemReason(error) }, error);
  } finally {
    if (temporary !== null) await rm(temporary, { force: true }).catch(() => undefined);
  }
}

/** A new name is kept once its folder is. Systems on which folders cannot be opened do that by themselves. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder).catch(() => null);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

/**
 * Folder by folder: Node's own way with `recursive` never ends where a file system refuses with ENOENT, as /proc does.
 */
async function makeFolder(folder: string): Promise<void> {
  const exists = await stat(folder).then(
    () => true,
    () => false,
  );
  if (exists) return;
  await makeFolder(path.dirname(folder));
  await mkdir(folder).catch((error: NodeJS.ErrnoException) => {
    // Someone else may have been quicker.
    if (error.code !== 'EEXIST') throw error;
  });
}

/** Node's messages repeat call and path; the code says enough. */
function systemReason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return (code === undefined ? undefined : systemReasons[code]) ?? message;
}

const systemReasons: Readonly<Record<string, string>> = {
  EEXIST: 'it is there already, and is not replaced',
  ENOENT: 'there is no such file',
  ENOTDIR: 'part of its path is a file, not a folder',
  EISDIR: 'it is a folder',
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  ENOSPC: 'the disk is full',
  EROFS: 'the file system is read-only',
};
