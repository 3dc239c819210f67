// Flashing by DFU: our host and Debian's dfu-util against the same emulated bootloaders, which must be left with the
// same flash.

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'vitest';
import { temporaryFolder, writeFiles } from '../support/files.js';
import { buildFirmware } from '../support/firmware.js';
import { sharedPath, sharedPresent } from '../support/shared.js';
import { toolTest } from '../support/tools.js';

const folder = temporaryFolder();
const dfuTest = toolTest('umockdev', 'gcc', 'make', 'dfu-util').skipIf(!sharedPresent);
const model = sharedPath('models', 'mlperf-tiny', 'kws_ref_model.tflite');
const atoll = [process.execPath, path.resolve('bin/atoll.js')];
const modelPart = 512 * 1024;

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  /** What the emulated flash holds in the end. */
  readonly flash: Buffer;
}

/** Runs a program which sees an emulated bootloader as the only USB device. */
async function withBootloader(
  kind: 'dfuse' | 'dfu' | 'runtime',
  command: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<Outcome> {
  await buildFirmware('usb');
  const flash = path.join(folder, 'flash.bin');
  const all = [path.resolve('firmware-protocol/c/build/atoll-dfu'), ...command];
  const options = { env: { ...process.env, ATOLL_DFU: kind, ATOLL_FLASH: flash, ...env }, timeout: 50_000 };
  return new Promise((resolve, reject) => {
    execFile('umockdev-wrapper', all, options, (error, stdout) => {
      if (error?.killed === true) reject(new Error('it hung'));
      else resolve({ code: error === null ? 0 : Number(error.code), stdout, flash: readFileSync(flash) });
    });
  });
}

const flashBy = (target: string): string[] => [...atoll, 'flash', model, '--target', target, '--json'];

async function imageFor(target: string): Promise<string> {
  const file = path.join(folder, `${path.basename(target)}.bin`);
  await withBootloader('dfuse', [...atoll, 'export', model, '--format', 'bin', '--target', target, '-o', file]);
  return file;
}

/** A board with the plain DFU bootloader, whose second setting is the model's flash. */
function plainTarget(alternate: string): string {
  const ids = '[{ vendor: 0x1209, product: 0xa701 }, { vendor: 0x1209, product: 0xa702 }]';
  const name = `plain-${alternate}.yaml`;
  writeFiles(folder, {
    [name]:
      `extends: disco-f746ng\nid: plain-${alternate}\nname: plain DFU\nflashing:\n  - { method: dfu, ids: ` +
      `${ids}, alternate: ${alternate} }\n`,
  });
  return path.join(folder, name);
}

dfuTest('DfuSe: the flash equals that of dfu-util, byte for byte, and was read back', async () => {
  const image = await imageFor('disco-f746ng');
  const ours = await withBootloader('dfuse', flashBy('disco-f746ng'));
  expect(JSON.parse(ours.stdout)).toMatchObject({
    method: 'dfu',
    address: 0x08040000,
    written: true,
    verifiedBy: 'read-back',
  });
  const theirs = await withBootloader('dfuse', [
    'dfu-util',
    '-d',
    '0483:df11',
    '-a',
    '0',
    '-s',
    '0x08040000:leave',
    '-D',
    image,
  ]);
  expect(theirs.code).toBe(0);
  expect(ours.flash.equals(theirs.flash)).toBe(true);
  expect(ours.flash.indexOf(readFileSync(image))).toBe(0x40000);
});

dfuTest.each(['dfu', 'runtime'] as const)('plain DFU, found as %s: the same as by dfu-util', async (kind) => {
  const target = plainTarget('model');
  const image = await imageFor(target);
  const ours = await withBootloader(kind, flashBy(target));
  expect(JSON.parse(ours.stdout)).toMatchObject({ method: 'dfu', written: true, verifiedBy: 'bootloader' });
  const theirs = await withBootloader(kind, ['dfu-util', '-d', '1209:a701,1209:a702', '-a', 'model', '-D', image]);
  expect(ours.flash.equals(theirs.flash)).toBe(true);
  expect(ours.flash.indexOf(readFileSync(image))).toBe(modelPart);
});

dfuTest('sectors with other content than models are never erased: nothing is written', async () => {
  const before = (await withBootloader('dfuse', ['true'])).flash;
  writeFiles(folder, {
    // The first slot would begin in the middle of a sector that the firmware has the other half of.
    'close.yaml':
      'extends: disco-f746ng\nid: close\nname: close\nflash: { bytes: 1048576, usableBytes: 1048576, ' +
      'firmwareBytes: 196608, start: 0x08000000 }\n',
    'beyond.yaml':
      'extends: disco-f746ng\nid: beyond\nname: beyond\nflash: { bytes: 2097152, usableBytes: 2097152, ' +
      'firmwareBytes: 1048576, start: 0x08000000 }\n',
  });
  const close = await withBootloader('dfuse', flashBy(path.join(folder, 'close.yaml')));
  expect(JSON.parse(close.stdout)).toMatchObject({
    error: { code: 'FLASH_OUTSIDE', message: expect.stringContaining('0x8020000') },
  });
  expect(close.flash.equals(before)).toBe(true);
  const beyond = await withBootloader('dfuse', [...flashBy(path.join(folder, 'beyond.yaml')), '--method', 'dfu']);
  expect(JSON.parse(beyond.stdout)).toMatchObject({ error: { code: 'DFU_DEVICE' } });
  expect(beyond.flash.equals(before)).toBe(true);
  const other = await withBootloader('dfu', [...flashBy(plainTarget('models'))]);
  expect(JSON.parse(other.stdout)).toMatchObject({
    error: { code: 'DFU_DEVICE', message: expect.stringContaining('firmware; model') },
  });
  const dry = await withBootloader('dfuse', [...flashBy('disco-f746ng'), '--dry-run']);
  expect(JSON.parse(dry.stdout)).toMatchObject({ written: false });
  expect(dry.flash.equals(before)).toBe(true);
});

dfuTest.each([1, 2, 30, 54])('write %d fails: the error has the address, and the firmware is unchanged', async (at) => {
  const before = (await withBootloader('dfuse', ['true'])).flash;
  const { stdout, flash } = await withBootloader('dfuse', flashBy('disco-f746ng'), { ATOLL_FAIL_AT: String(at) });
  const address = `0x${(0x08040000 + 1024 * (at - 1)).toString(16)}`;
  expect(JSON.parse(stdout)).toMatchObject({
    error: { code: 'DFU_REFUSED', message: expect.stringContaining(`a block at ${address}: errPROG`) },
  });
  expect(flash.subarray(0, 0x40000).equals(before.subarray(0, 0x40000))).toBe(true);
});

dfuTest.each([1, 2, 5, 40, 150, 200])(
  'the plug is pulled at request %d: an error that says so, no hang, and the firmware is as it was',
  async (at) => {
    const before = (await withBootloader('dfuse', ['true'])).flash;
    const { code, stdout, flash } = await withBootloader('dfuse', flashBy('disco-f746ng'), {
      ATOLL_UNPLUG_AT: String(at),
    });
    expect(code).toBe(4);
    expect(JSON.parse(stdout)).toMatchObject({
      error: { code: 'DEVICE_UNREACHABLE', message: expect.stringContaining('LIBUSB_') },
    });
    expect(flash.subarray(0, 0x40000).equals(before.subarray(0, 0x40000))).toBe(true);
  },
);
