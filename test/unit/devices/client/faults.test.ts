// Named faults on a console line, each with its end: the new model verified, or the old one running, and an error that
// says what was wrong.

import { afterEach, expect, test } from 'vitest';
import { sha256 } from '../../../../src/base/hashes.js';
import { buildSlotImage } from '../../../../src/devices/bundle/index.js';
import { type DeviceClient, MeasuredRun, push, uploadImage } from '../../../../src/devices/client/index.js';
import { openDevice } from '../../../../src/devices/open-device.js';
import {
  type FaultName,
  SimulatedDevice,
  type SimulatedDeviceOptions,
} from '../../../../src/devices/simulated/index.js';
import { type Listener, listen } from '../../../../src/devices/transport/index.js';
import { hostRunner } from '../../../../src/evaluate/index.js';
import { writeModel } from '../../../../src/formats/tflite/index.js';
import { loadTarget } from '../../../../src/targets/index.js';
import { int8Dense } from '../../../support/models.js';

const target = await loadTarget('pico');
const [oldModel, newModel] = [int8Dense(300, 3), int8Dense(300, 5)];
const [oldImage, newImage] = [oldModel, newModel].map((model) => buildSlotImage(writeModel(model), model, target)) as [
  Uint8Array,
  Uint8Array,
];
const oldSha = Buffer.from(sha256(writeModel(oldModel))).toString('hex');
const newSha = Buffer.from(sha256(writeModel(newModel))).toString('hex');
const retries = { timeoutMs: 60, attempts: 5 };

const listeners: Listener[] = [];
afterEach(async () => {
  for (const listener of listeners.splice(0)) await listener.close();
});

/** A device that runs the old model, behind a console; its faults begin now. */
async function deviceWith(
  fault: FaultName | null,
  options: SimulatedDeviceOptions = {},
): Promise<{ simulated: SimulatedDevice; reach: () => Promise<DeviceClient>; log: string[] }> {
  const simulated = new SimulatedDevice(target, {
    ...options,
    maxPacketBytes: 300,
    ...(fault === null ? {} : { faults: [fault] }),
  });
  const before = new SimulatedDevice(target, { ...options, maxPacketBytes: 2048 });
  for (const [i, slot] of before.slots.all.entries()) Object.assign(simulated.slots.all[i] as object, slot);
  simulated.slots.append(simulated.slots.inactive, oldImage);
  Object.assign(simulated.slots.inactive, { tested: true, active: true, confirmed: true });
  simulated.reset();
  const listener = await listen(
    'tcp:0',
    (transport) => simulated.serve(transport),
    (lines) => simulated.faults.distort(lines),
  );
  listeners.push(listener);
  const log: string[] = [];
  return {
    simulated,
    log,
    reach: () => openDevice(`${listener.uri}?framing=console`, { retries, onLog: (line) => log.push(line) }),
  };
}

const ends: Record<FaultName, 'new' | string> = {
  'lost-response': 'new',
  'late-response': 'new',
  'duplicate-response': 'new',
  'dropped-line': 'new',
  'bad-crc': 'new',
  'console-noise': 'new',
  'reboot-mid-upload': 'new',
  'short-write': 'PUSH_HASH',
  'wrong-hash': 'PUSH_HASH',
  'full-volume': 'DEVICE_ERROR',
  unplug: 'DEVICE_CLOSED',
  'wrong-result': 'PUSH_SELF_TEST',
};

test.each(
  Object.entries(ends).flatMap(([fault, end]) => [1, 4].map((window) => [fault as FaultName, window, end] as const)),
)('%s, %d chunk(s) on their way: ends with %s', async (fault, window, end) => {
  const { simulated, reach, log } = await deviceWith(fault);
  const device = await reach();
  const result = await push(device, newImage, { window, compress: false }).catch(
    (error: { code: string }) => error.code,
  );
  if (end === 'new') expect(result).toMatchObject({ state: 'confirmed', model: newSha });
  else expect(result).toBe(end);
  if (fault === 'console-noise') expect(log.join(' ')).toMatch(/noise/);
  await device.close();
  // Never neither: the device runs one of the two, and it is confirmed.
  const { active } = simulated.slots;
  expect(active).toMatchObject({ confirmed: true, pending: false });
  expect(Buffer.compare(active?.bytes ?? new Uint8Array(0), end === 'new' ? newImage : oldImage)).toBe(0);
});

test('plugged in again, an unplugged push resumes where it was', async () => {
  const { reach } = await deviceWith('unplug');
  await expect(push(await reach(), newImage, { compress: false })).rejects.toThrow(
    expect.objectContaining({ code: 'DEVICE_CLOSED' }),
  );
  const device = await reach();
  const result = await push(device, newImage, { compress: false });
  expect(result).toMatchObject({ state: 'confirmed' });
  expect(result.image.resumedAt).toBeGreaterThan(newImage.byteLength / 2);
  await device.close();
});

test('a model for another target is refused before anything is sent', async () => {
  const { simulated, reach } = await deviceWith(null);
  const device = await reach();
  const foreign = buildSlotImage(writeModel(newModel), newModel, await loadTarget('nano33ble'));
  await expect(push(device, foreign)).rejects.toThrow(expect.objectContaining({ code: 'PUSH_REFUSED' }));
  expect(simulated.slots.inactive.bytes.byteLength).toBe(0);
  expect(await device.activeModel()).toBe(oldSha);
  await device.close();
});

test('a reboot at every block of an upload', async () => {
  const chunks = Math.ceil(newImage.byteLength / 240);
  expect(chunks).toBeGreaterThan(12);
  for (let at = 0; at <= chunks; at++) {
    for (const compress of [false, true]) {
      const { simulated } = await deviceWith(null, { inflateBytes: 512 });
      const { DeviceClient: Client } = await import('../../../../src/devices/client/index.js');
      const device = new Client(simulated.connect(), retries);
      let seen = 0;
      const result = await push(device, newImage, {
        compress,
        onProgress: ({ step }) => {
          if (step === 'upload' && seen++ === at + 1) simulated.reset();
        },
      });
      expect(result).toMatchObject({ state: 'confirmed', model: newSha });
      expect(Buffer.compare(simulated.slots.active?.bytes ?? new Uint8Array(0), newImage)).toBe(0);
    }
  }
});

test('differences on a device are counted by size, and a latency is of thirty runs', async () => {
  const { simulated } = await deviceWith('wrong-result');
  const { DeviceClient: Client } = await import('../../../../src/devices/client/index.js');
  const device = new Client(simulated.connect(), retries);
  const run = new MeasuredRun(
    await device.runner(oldModel, oldSha),
    target,
    hostRunner(oldModel, { profile: target.runtime.kernelProfile }),
  );
  for (let i = 0; i < 5; i++) await run.runner.run(new Uint8Array(300).fill(i));
  const { agreement, latencyMs } = await run.finish();
  expect(agreement).toEqual({
    kernelProfile: target.runtime.kernelProfile,
    samples: 5,
    equalSamples: 0,
    elements: 50,
    lsbHistogram: { 0: 45, 1: 5 },
    maxLsb: 1,
    agrees: false,
  });
  expect(latencyMs).toMatchObject({ runs: 30, basis: 'simulated' });
  expect(latencyMs.steady.median).toBeLessThanOrEqual(latencyMs.steady.p95);
  expect(await device.profile()).toEqual([
    { op: 'FULLY_CONNECTED', ticks: expect.any(Number), latencyMs: expect.any(Number) },
  ]);
});

test('an upload through the file group alone ends with the right hash', async () => {
  const { reach } = await deviceWith('bad-crc');
  const device = await reach();
  expect(await uploadImage(device.client, newImage)).toMatchObject({ verifiedBy: 'sha256' });
  await device.close();
});
