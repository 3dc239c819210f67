// The accelerator behind the package usb and its libusb: a USB device that umockdev emulates, whose insides are the
// emulated accelerator of this process.

import { execFile } from 'node:child_process';
import path from 'node:path';
import { afterEach, expect } from 'vitest';
import { EmulatedAccelerator } from '../../src/devices/accelerator/index.js';
import { writeModel } from '../../src/formats/tflite/index.js';
import { compiledPair } from '../support/compiled-pair.js';
import { temporaryFolder, writeFiles } from '../support/files.js';
import { buildFirmware } from '../support/firmware.js';
import { sharedPath, sharedPresent } from '../support/shared.js';
import { toolTest } from '../support/tools.js';
import { type Bridge, serveGadget } from '../support/usb-bridge.js';

const folder = temporaryFolder();
const usbTest = toolTest('umockdev', 'gcc', 'make');
const pair = compiledPair();
const firmware = Uint8Array.from({ length: 600 }, (_, i) => (i === 0 ? 2 : (i * 13) & 255));
const model = path.join(folder, 'small_edgetpu.tflite');
const sample = Uint8Array.from({ length: 240 }, (_, i) => (i * 29) & 255);

let bridge: Bridge | null = null;
afterEach(async () => {
  await bridge?.close();
  bridge = null;
});

interface Finished {
  readonly code: number;
  readonly document: Record<string, unknown>;
}

let sockets = 0;

/** Runs atoll where libusb sees the accelerator. */
async function atollWith(
  emulated: EmulatedAccelerator,
  args: readonly string[],
  unplugAt = 0,
  speed = 5000,
): Promise<Finished> {
  await buildFirmware('usb');
  const socket = path.join(folder, `usb${sockets++}`);
  bridge = await serveGadget(socket, emulated.current, { unplugAt, speed });
  const command = [
    path.resolve('firmware-protocol/c/build/atoll-usb-remote'),
    process.execPath,
    path.resolve('bin/atoll.js'),
    ...args,
    '--json',
  ];
  const env = { ...process.env, ATOLL_USB_SOCKET: socket, ATOLL_EDGETPU_FIRMWARE: path.join(folder, 'firmware.bin') };
  return new Promise((resolve, reject) => {
    execFile('umockdev-wrapper', command, { env, timeout: 50_000 }, (error, stdout, stderr) => {
      if (error?.killed === true) reject(new Error(`it hung: ${stderr}`));
      else if (stdout === '') reject(new Error(stderr));
      else
        resolve({
          code: error === null ? 0 : Number(error.code),
          document: JSON.parse(stdout) as Record<string, unknown>,
        });
    });
  });
}

function prepare(): void {
  writeFiles(folder, {
    'firmware.bin': firmware,
    'small_edgetpu.tflite': writeModel(pair.compiled),
    'small.tflite': writeModel(pair.uncompiled),
    'samples.bin': sample,
  });
}

usbTest(
  'it gets its firmware, comes back under its other id, and runs a model with the bits of the simulator',
  async () => {
    prepare();
    const emulated = new EmulatedAccelerator({ models: [pair], firmware });
    const { code, document } = await atollWith(emulated, [
      'run',
      model,
      '--input',
      `${folder}/samples.bin`,
      '--device',
      'usb:1a6e:089a',
    ]);
    expect(emulated.chip.refusal).toBeNull();
    expect({ code, document }).toMatchObject({
      code: 0,
      document: {
        samples: 3,
        measurement: {
          agreement: { samples: 3, equalSamples: 3, maxLsb: 0, agrees: true },
          latencyMs: { basis: 'device', runs: 30 },
        },
      },
    });
  },
);

usbTest('named by its target, at a port of USB 2: pushed to, with self-test', async () => {
  prepare();
  const emulated = new EmulatedAccelerator({ models: [pair], superSpeed: false });
  const pushed = await atollWith(emulated, ['push', model, '--device', 'usb:coral-usb?performance=max'], 0, 480);
  expect(emulated.chip.refusal).toBeNull();
  expect(pushed).toMatchObject({
    code: 0,
    document: { state: 'confirmed', target: 'coral-usb', selfTest: { vectors: 4, failed: 0 } },
  });
});

usbTest.each([1, 5, 30, 58, 60, 64, 70, 80])(
  'the plug is pulled at transfer %d: an error that says so, and no hang',
  async (transfer) => {
    prepare();
    const emulated = new EmulatedAccelerator({ models: [pair] });
    const { code, document } = await atollWith(
      emulated,
      ['run', model, '--input', `${folder}/samples.bin`, '--device', 'usb:18d1:9302'],
      transfer,
    );
    expect(code).toBe(4);
    expect(document).toMatchObject({ error: { code: 'DEVICE_CLOSED', message: expect.stringContaining('NO_DEVICE') } });
  },
);

usbTest('a model that is not compiled is refused, with the way out', async () => {
  prepare();
  const emulated = new EmulatedAccelerator({ models: [pair] });
  const refused = await atollWith(emulated, ['push', `${folder}/small.tflite`, '--device', 'usb:18d1:9302']);
  expect(refused).toMatchObject({
    code: 1,
    document: { error: { code: 'EDGETPU_UNCOMPILED', hint: expect.stringContaining('atoll compile') } },
  });
});

usbTest.skipIf(!sharedPresent)('MobileNet V1 0.25, as edgetpu_compiler made it', async () => {
  prepare();
  const [compiled, uncompiled] = [
    'mobilenet_v1_0.25_128_quant_edgetpu.tflite',
    'mobilenet_v1_0.25_128_quant.tflite',
  ].map((name) => sharedPath('models', 'coral', name));
  const { readModel } = await import('../../src/formats/tflite/index.js');
  const { readFileSync } = await import('node:fs');
  const load = (file: string | undefined) => readModel(new Uint8Array(readFileSync(file ?? '')), String(file));
  const emulated = new EmulatedAccelerator({ models: [{ compiled: load(compiled), uncompiled: load(uncompiled) }] });
  writeFiles(folder, { 'image.bin': Uint8Array.from({ length: 49_152 }, (_, i) => (i * 31) & 255) });
  const { code, document } = await atollWith(emulated, [
    'run',
    String(compiled),
    '--input',
    `${folder}/image.bin`,
    '--device',
    'usb:18d1:9302',
  ]);
  expect({ code, document }).toMatchObject({
    code: 0,
    document: { measurement: { agreement: { samples: 1, equalSamples: 1, agrees: true } } },
  });
});
