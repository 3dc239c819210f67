// Programs that flash boards, played by scripts which say what the real ones say when all goes well, or nothing of the
// kind.

import { chmodSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { findFlashWay, placeInFlash } from '../../../../src/devices/flashing/index.js';
import { loadTarget } from '../../../../src/targets/index.js';
import { temporaryFolder, writeFiles } from '../../../support/files.js';

const folder = temporaryFolder();
const realPath = process.env.PATH;
const image = Uint8Array.from({ length: 5000 }, (_, i) => i % 251);

beforeEach(() => {
  process.env.PATH = `${folder}${path.delimiter}${realPath ?? ''}`;
});
afterAll(() => {
  process.env.PATH = realPath;
});

/** A program which notes how it was called, keeps the file it was given, and says this. */
function play(name: string, said: string, code = 0): void {
  const script = `#!${process.execPath}
const { appendFileSync, copyFileSync } = require('node:fs');
appendFileSync(${JSON.stringify(path.join(folder, 'calls'))}, process.argv.slice(2).join(' ') + '\\n');
const file = /[^ {]*model\\.bin/.exec(process.argv.slice(2).join(' '))?.[0];
if (file !== undefined) copyFileSync(file, ${JSON.stringify(path.join(folder, 'flashed'))});
process.stdout.write(${JSON.stringify(said)});
process.exitCode = ${code};
`;
  writeFiles(folder, { [name]: script, calls: '' });
  chmodSync(path.join(folder, name), 0o755);
}

async function wayOf(target: string, method: 'esptool' | 'openocd' | 'bossac' | 'probe-rs') {
  const loaded = await loadTarget(target);
  return findFlashWay({
    target: loaded,
    image,
    place: placeInFlash(loaded, image.length, null),
    choice: { method, port: '/dev/ttyX' },
  });
}

const cases = [
  [
    'esptool',
    'esp32s3',
    'Writing at 0x00150000... (50 %)\rWriting at 0x00151000... (100 %)\nHash of data verified.\n',
    '--chip esp32s3 --port /dev/ttyX --baud 460800 write_flash 0x150000 FILE',
  ],
  [
    'openocd',
    'disco-f746ng',
    '** Programming Finished **\n** Verify Started **\n** Verified OK **\n',
    '-f board/stm32f746g-disco.cfg -c program {FILE} 0x8040000 verify reset exit',
  ],
  [
    'bossac',
    'nano33ble',
    '[=====     ] 50% (1/2 pages)\nVerify successful\n',
    '--port=/dev/ttyX --offset=0x40000 --erase --write --verify --reset FILE',
  ],
] as const;

test.each(cases)(
  '%s is called for %s, and is done when it says that it verified',
  async (method, target, said, call) => {
    play(method, said);
    const shown: number[] = [];
    const way = await wayOf(target, method);
    expect(await way.write({ onProgress: ({ done }) => shown.push(done) })).toEqual({ verifiedBy: 'program' });
    expect(
      readFileSync(path.join(folder, 'calls'), 'utf8')
        .replace(/[^ {]*model\.bin/, 'FILE')
        .trim(),
    ).toBe(call);
    expect(Buffer.compare(readFileSync(path.join(folder, 'flashed')), image)).toBe(0);
    if (said.includes('50')) expect(shown).toContain(50);
    expect(way.commands[0]?.slice(1).join(' ')).toBe(call.replace('FILE', 'model.bin'));
  },
);

test('probe-rs verifies by its exit code, and resets the board afterwards', async () => {
  play('probe-rs', 'Finished in 1.2s\n');
  await (await wayOf('nrf5340dk', 'probe-rs')).write({});
  expect(
    readFileSync(path.join(folder, 'calls'), 'utf8')
      .replace(/\S*model\.bin/, 'FILE')
      .trim()
      .split('\n'),
  ).toEqual([
    'download --chip nRF5340_xxAA --binary-format bin --base-address 0x40000 --verify --non-interactive FILE',
    'reset --chip nRF5340_xxAA --non-interactive',
  ]);
});

test.each([
  ['it ends well without a word of verifying', 'all fine\n', 0, 'it did not report that it verified: all fine'],
  ['it fails', 'Info : something\nError: open failed\nshutdown\n', 1, 'exit code 1: Error: open failed'],
  ['it fails without a word', '', 3, 'exit code 3: no output'],
])('%s: an error with what it said', async (_what, said, code, reason) => {
  play('openocd', said, code);
  const way = await wayOf('disco-f746ng', 'openocd');
  await expect(way.write({})).rejects.toMatchObject({
    code: 'FLASH_PROGRAM',
    message: `openocd did not write the model: ${reason}`,
  });
});

test('a target lists its flashing methods, and what each of them lacks here', async () => {
  process.env.PATH = folder;
  const target = await loadTarget('esp32c3');
  const job = { target, image, place: placeInFlash(target, image.length, null), choice: {} };
  await expect(findFlashWay({ ...job, choice: { method: 'uf2' } })).rejects.toMatchObject({
    code: 'USAGE',
    message: expect.stringContaining('esptool'),
  });
  process.env.PATH = path.join(folder, 'nothing');
  await expect(findFlashWay(job)).rejects.toMatchObject({
    code: 'FLASH_NO_WAY',
    message: expect.stringContaining('esptool is not on PATH'),
  });
});

test('a program that hangs ends with the signal of the run', async () => {
  writeFiles(folder, { openocd: `#!${process.execPath}\nsetInterval(() => {}, 1000);\n` });
  chmodSync(path.join(folder, 'openocd'), 0o755);
  const stop = new AbortController();
  const running = (await wayOf('disco-f746ng', 'openocd')).write({ signal: stop.signal });
  setTimeout(() => stop.abort(new Error('enough')), 100);
  await expect(running).rejects.toThrow('enough');
});
