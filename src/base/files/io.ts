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

/** The largest array on every supported system. */
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
 * Writes under a temporary name in the same folder, then renames, so that a reader never sees a partial file. Symbolic
 * links are followed. Anything that is not a regular file (a pipe, a device) is written to directly. (The package
 * write-file-atomic, 7.0.1, renames a truncated file into place when the disk is full: it ignores short writes.)
 * @param durable the file survives a power failure right after the call
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
    // Report the first error, even if removing the temporary file fails too.
    if (temporary !== null) await rm(temporary, { force: true }).catch(() => undefined);
    throw fail('FILE_NOT_WRITABLE', { path: file, reason: systemReason(error) }, error);
  }
}

/**
 * Follows symbolic links, also dangling ones, to the actual file and creates its folder. Also returns what exists
 * there.
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
 * Writes several files that belong together: all under temporary names, then renamed one right after another. A full
 * disk, an interruption or a kill leaves none of them, except in the microseconds between two renames.
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
      // Synchronous, so that nothing else in this process runs in between.
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
 * Creates a file. Never replaces one, and leaves no partial file.
 * @param mode permissions of the file
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

/** A new name is durable once its folder is synced. Systems that cannot open folders do this themselves. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder).catch(() => null);
  await handle?.sync().catch(() => undefined);
  await handle?.close();
}

/** One folder at a time: `recursive` in Node never ends on a file system that answers ENOENT, such as /proc. */
async function makeFolder(folder: string): Promise<void> {
  const exists = await stat(folder).then(
    () => true,
    () => false,
  );
  if (exists) return;
  await makeFolder(path.dirname(folder));
  await mkdir(folder).catch((error: NodeJS.ErrnoException) => {
    // Another process may have created it first.
    if (error.code !== 'EEXIST') throw error;
  });
}

/** Node's messages repeat the call and the path; the code is enough. */
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
