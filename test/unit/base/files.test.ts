// Files that are read and written: regular ones, of a bounded size, all or nothing.

import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, readFileSync, readlinkSync, statSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { readBytes, writeAtomically, writeNew, writeTogether } from '../../../src/base/files/index.js';
import { temporaryFolder } from '../../support/files.js';

const folder = temporaryFolder();

test.skipIf(!existsSync('/dev/zero'))('endless files are not read', async () => {
  await expect(readBytes('/dev/zero')).rejects.toMatchObject({
    code: 'FILE_NOT_READABLE',
    message: expect.stringContaining('it is no regular file'),
  });
  await expect(readBytes(folder)).rejects.toMatchObject({
    code: 'FILE_NOT_READABLE',
    message: expect.stringContaining('it is a folder'),
  });
});

test('files that belong together are all written, or none', async () => {
  const at = (name: string): string => path.join(folder, name);
  await writeTogether([
    { path: at('a.c'), content: 'one' },
    { path: at('a.h'), content: 'two' },
  ]);
  expect(readFileSync(at('a.h'), 'utf8')).toBe('two');
  // The second cannot be: its name is that of a file within a file.
  const broken = writeTogether([
    { path: at('a.c'), content: 'three' },
    { path: at('a.h/b.h'), content: 'four' },
  ]);
  await expect(broken).rejects.toMatchObject({ code: 'FILE_NOT_WRITABLE' });
  expect(readFileSync(at('a.c'), 'utf8')).toBe('one');
  expect(readdirSync(folder).sort()).toEqual(['a.c', 'a.h']);
});

test('a replaced file keeps its permissions, and links are followed, dangling ones too', async () => {
  const own = temporaryFolder();
  const at = (name: string): string => path.join(own, name);
  await writeAtomically(at('secret'), 'one');
  chmodSync(at('secret'), 0o600);
  symlinkSync('secret', at('link'));
  symlinkSync('later', at('dangling'));
  await writeAtomically(at('link'), 'two');
  await writeTogether([{ path: at('dangling'), content: 'three' }]);
  expect(statSync(at('secret')).mode & 0o777).toBe(0o600);
  expect([readFileSync(at('secret'), 'utf8'), readFileSync(at('later'), 'utf8')]).toEqual(['two', 'three']);
  expect([readlinkSync(at('link')), readlinkSync(at('dangling'))]).toEqual(['secret', 'later']);
  expect(readdirSync(own).sort()).toEqual(['dangling', 'later', 'link', 'secret']);
});

test('a new file is whole and never replaces another', async () => {
  const file = path.join(temporaryFolder(), 'key.pem');
  await writeNew(file, 'one', 0o600);
  await expect(writeNew(file, 'two')).rejects.toMatchObject({
    code: 'FILE_NOT_WRITABLE',
    message: expect.stringContaining('it is there already'),
  });
  expect(readFileSync(file, 'utf8')).toBe('one');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readdirSync(path.dirname(file))).toEqual(['key.pem']);
});

test('every tracked file can be checked out on Windows', () => {
  const names = execFileSync('git', ['ls-files', '-z'], { encoding: 'utf8', maxBuffer: 1e8 }).split('\0');
  expect(names.length).toBeGreaterThan(100);
  expect(names.filter((name) => /[<>:"|?*\\]|[. ]$/.test(name))).toEqual([]);
});
