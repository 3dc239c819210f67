// The drive of a bootloader, as a folder: found by its INFO_UF2.TXT, written with what such a bootloader would program.

import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { copyToDrive, findUf2Drives, onlyDrive } from '../../../../src/devices/flashing/uf2-drive.js';
import { temporaryFolder, writeFiles } from '../../../support/files.js';

const folder = temporaryFolder();
const drive = (name: string, info: string): string => {
  mkdirSync(path.join(folder, name), { recursive: true });
  writeFiles(path.join(folder, name), { 'INFO_UF2.TXT': info });
  return path.join(folder, name);
};

test('drives are found by their INFO_UF2.TXT; nothing is guessed where there are several', async () => {
  const pico = drive('pico', 'UF2 Bootloader v3.0\r\nModel: Raspberry Pi RP2\r\nBoard-ID: RPI-RP2\r\n');
  const other = drive('other', 'UF2 Bootloader v1.0\nBoard-ID: nRF52840-x\n');
  mkdirSync(path.join(folder, 'stick'), { recursive: true });
  const found = await findUf2Drives([pico, path.join(folder, 'stick'), path.join(folder, 'nothing'), other]);
  expect(found).toEqual([
    { folder: pico, model: 'Raspberry Pi RP2', boardId: 'RPI-RP2' },
    { folder: other, model: null, boardId: 'nRF52840-x' },
  ]);
  expect(() => onlyDrive(found)).toThrow(/2 UF2 drives are mounted: .*pico \(RPI-RP2\), .*other/);
  expect(() => onlyDrive([])).toThrow(
    expect.objectContaining({ code: 'UF2_DRIVE', message: '0 UF2 drives are mounted' }),
  );
  expect(onlyDrive(found.slice(0, 1)).folder).toBe(pico);
});

test('the file is written whole, with progress', async () => {
  const [target] = await findUf2Drives([drive('board', 'Board-ID: x\n')]);
  if (target === undefined) throw new Error('no drive');
  const image = Uint8Array.from({ length: 100_352 }, (_, i) => i);
  const seen: number[] = [];
  await copyToDrive(image, target, { onProgress: ({ done }) => seen.push(done) });
  expect(Buffer.compare(readFileSync(path.join(target.folder, 'atoll.uf2')), image)).toBe(0);
  expect(seen[0]).toBe(0);
  expect(seen.at(-1)).toBe(image.byteLength);
  expect(seen.length).toBeGreaterThan(3);
  await expect(copyToDrive(image, { ...target, folder: path.join(folder, 'gone') })).rejects.toThrow(
    expect.objectContaining({ code: 'UF2_COPY' }),
  );
});
