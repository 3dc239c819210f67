// The same device behind USB: the package usb and its libusb against a device that umockdev emulates. A process of its
// own, since libusb must see the emulated system from its start.

import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { temporaryFolder, writeFiles } from '../support/files.js';
import { buildFirmware } from '../support/firmware.js';
import { sharedBytes, sharedPath, sharedPresent } from '../support/shared.js';
import { toolTest } from '../support/tools.js';

const folder = temporaryFolder();
const usbTest = toolTest('umockdev', 'gcc', 'make').skipIf(!sharedPresent);
const model = sharedPath('models', 'mlperf-tiny', 'kws_ref_model.tflite');
const uri = 'usb:1209:a701';

function atollOverUsb(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<{ code: number; document: Record<string, unknown> }> {
  const command = [
    path.resolve('firmware-protocol/c/build/atoll-usb'),
    process.execPath,
    path.resolve('bin/atoll.js'),
    ...args,
    '--json',
  ];
  return new Promise((resolve, reject) => {
    execFile('umockdev-wrapper', command, { env: { ...process.env, ...env }, timeout: 50_000 }, (error, stdout) => {
      if (error?.killed === true) reject(new Error('it hung'));
      else
        resolve({
          code: error === null ? 0 : Number(error.code),
          document: JSON.parse(stdout) as Record<string, unknown>,
        });
    });
  });
}

usbTest('a keyword model is pushed and run: the bits of the simulator', async () => {
  await buildFirmware('usb');
  writeFiles(folder, { 'samples.bin': sharedBytes('data', 'kws01.int8.bin').subarray(0, 490 * 20) });
  expect(await atollOverUsb(['push', model, '--device', `${uri}/usb-1`])).toMatchObject({
    code: 0,
    document: { state: 'confirmed', selfTest: { vectors: 4, failed: 0 } },
  });
  expect(await atollOverUsb(['run', model, '--input', `${folder}/samples.bin`, '--device', uri])).toMatchObject({
    code: 0,
    document: {
      samples: 20,
      measurement: {
        agreement: { samples: 20, equalSamples: 20, maxLsb: 0, agrees: true },
        latencyMs: { basis: 'device' },
      },
    },
  });
  expect(await atollOverUsb(['push', model, '--device', 'usb:1209:a702'])).toMatchObject({
    code: 4,
    document: { error: { code: 'USB_CHOICE' } },
  });
});

usbTest.each([1, 2, 3, 9, 20, 33])(
  'the plug is pulled at transfer %d: an error that says so, and no hang',
  async (transfer) => {
    await buildFirmware('usb');
    const { code, document } = await atollOverUsb(['push', model, '--device', uri], {
      ATOLL_UNPLUG_AT: String(transfer),
    });
    expect(code).toBe(4);
    expect(document).toMatchObject({
      error: { code: 'DEVICE_CLOSED', message: expect.stringContaining('NO_DEVICE') },
    });
  },
);

usbTest('a device with another id after a reset is the same device', async () => {
  await buildFirmware('usb');
  const ids =
    '[{ vendor: 0x1209, product: 0xa701, state: first }, { vendor: 0x1209, product: 0xa703, state: after a reset }]';
  writeFiles(folder, {
    'board.yaml':
      'extends: qemu-mps2-an386\nid: qemu-mps2-an386\nname: two states\ntransports:\n  - { kind: usb, ids: ' +
      `${ids} }\n`,
  });
  const image = `${folder}/kws.slot`;
  await promisify(execFile)(process.execPath, [
    'bin/atoll.js',
    'export',
    model,
    '--format',
    'bin',
    '--target',
    'qemu-mps2-an386',
    '-o',
    image,
  ]);
  const command = [
    path.resolve('firmware-protocol/c/build/atoll-usb'),
    process.execPath,
    'test/support/usb-reset.js',
    `usb:${folder}/board.yaml`,
    image,
  ];
  const { stdout } = await promisify(execFile)('umockdev-wrapper', command, {
    env: { ...process.env, ATOLL_RENUMBER: '1' },
    timeout: 50_000,
  });
  const { pushed, running, name } = JSON.parse(stdout) as Record<string, string>;
  expect(running).toBe(pushed);
  expect(name).toContain('1209:a703');
});
