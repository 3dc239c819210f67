// Real models on the device side in C: on this machine, and on a Cortex-M4 that QEMU emulates, behind a serial port.

import { existsSync } from 'node:fs';
import path from 'node:path';
import { describe, expect } from 'vitest';
import { buildFittingImage, sha256 } from '../../src/bundle/index.js';
import { type DeviceClient, push, uploadImage } from '../../src/device/index.js';
import { hostRunner, runBatch } from '../../src/evaluate/index.js';
import { openDevice } from '../../src/open-device.js';
import { atollCommands } from '../../src/protocol/index.js';
import { checkModel, loadTarget } from '../../src/targets/index.js';
import { type Model, readModel } from '../../src/tflite/index.js';
import type { DeviceProcess } from '../support/device-process.js';
import { temporaryFolder } from '../support/files.js';
import { buildFirmware, posixDevice, qemuBoard } from '../support/firmware.js';
import { sharedBytes, sharedPresent } from '../support/shared.js';
import { toolTest } from '../support/tools.js';

const target = await loadTarget('qemu-mps2-an386');
const folder = temporaryFolder();

function modelOf(name: string): { bytes: Uint8Array; model: Model; image: Uint8Array; arenaBytes: number } {
  const bytes = sharedBytes('models', 'mlperf-tiny', `${name}.tflite`);
  const model = readModel(bytes, name);
  const { image } = buildFittingImage(bytes, model, target);
  return { bytes, model, image, arenaBytes: checkModel(model, target, image.byteLength).memory.arenaBytes ?? 0 };
}

/** Real keyword samples where the model is that, else bytes that look like none. */
function samplesFor(name: string, sampleBytes: number, count: number): Uint8Array {
  if (name.startsWith('kws')) return sharedBytes('data', 'kws01.int8.bin').subarray(0, count * sampleBytes);
  return Uint8Array.from({ length: count * sampleBytes }, (_, i) => (i * 2654435761) >>> 24);
}

async function equalsSimulator(device: DeviceClient, model: Model, sha: string, samples: Uint8Array): Promise<number> {
  const onDevice = await runBatch(await device.runner(model, sha), samples, 'samples');
  const onHost = await runBatch(hostRunner(model, { profile: 'tflm-reference' }), samples, 'samples');
  expect(Buffer.compare(onDevice.outputs, onHost.outputs)).toBe(0);
  expect(onDevice.latencyMs.basis).toBe('device');
  return onDevice.latencyMs.median;
}

async function during<T>(process: DeviceProcess, work: (device: DeviceClient) => Promise<T>): Promise<T> {
  const device = await openDevice(process.uri);
  try {
    return await work(device);
  } finally {
    await device.close();
    await process.stop();
  }
}

const onHost = toolTest('gcc', 'make').skipIf(!sharedPresent);
const onBoard = toolTest('arm-none-eabi-gcc', 'make', 'qemu-system-arm').skipIf(!sharedPresent);

onHost.each(['kws_ref_model', 'vww_96_int8', 'ad01_int8', 'pretrainedResnet_quant'])('%s on this machine: the bits of the simulator', async (name) => {
  await buildFirmware('posix');
  const { model, image } = modelOf(name);
  await during(await posixDevice('tcp:0'), async (device) => {
    const { model: sha } = await push(device, image);
    const runner = await device.runner(model, sha);
    const sampleBytes = runner.inputs.reduce((sum, { bytes }) => sum + bytes, 0);
    await equalsSimulator(device, model, sha, samplesFor(name, sampleBytes, 20));
  });
});

describe('a Cortex-M4 behind a serial port', () => {
  onBoard(
    'a keyword model is pushed, and 100 samples give the bits of the simulator; a second model falls back where it is not confirmed',
    async () => {
      await buildFirmware('qemu');
      const flashFile = path.join(folder, 'flash.bin');
      const kws = modelOf('kws_ref_model');
      const second = modelOf('ad01_int8');
      await during(await qemuBoard({ machine: 'mps2-an386', flashFile }), async (device) => {
        const pushed = await push(device, kws.image);
        expect(pushed).toMatchObject({ state: 'confirmed', selfTest: { vectors: 4, failed: 0 } });
        expect(pushed.arenaBytes).toBeLessThanOrEqual(kws.arenaBytes);
        await equalsSimulator(device, kws.model, pushed.model, samplesFor('kws', 490, 100));
        expect((await device.challenge(kws.model, target, 4711)).agrees).toBe(true);
        expect((await device.client.request(atollCommands.profile, {})).ops.length).toBe(13);

        await uploadImage(device.client, second.image);
        const slot = (await device.slots()).findIndex(({ active }) => !active);
        await device.client.request(atollCommands.selfTest, { slot });
        await device.client.request(atollCommands.activate, { slot, sha: sha256(second.image) });
        for (let boot = 0; boot < 3; boot++) await device.reset();
        expect(await device.activeModel()).toBe(pushed.model);
      });
      // Power off and on: the flash is in a file.
      expect(existsSync(flashFile)).toBe(true);
      await during(await qemuBoard({ machine: 'mps2-an386', flashFile }), async (device) => {
        expect(await device.activeModel()).toBe(Buffer.from(sha256(kws.bytes)).toString('hex'));
      });
    },
    180_000,
  );

  onBoard(
    'counted in instructions, a latency is the same in every run',
    async () => {
      await buildFirmware('qemu');
      const { model, image } = modelOf('kws_ref_model');
      const latencies: number[] = [];
      for (let start = 0; start < 2; start++) {
        latencies.push(
          await during(await qemuBoard({ machine: 'mps2-an386', deterministic: true }), async (device) => {
            const { model: sha } = await push(device, image);
            return equalsSimulator(device, model, sha, samplesFor('kws', 490, 3));
          }),
        );
      }
      const [first = 0, again = 0] = latencies;
      expect(first).toBeGreaterThan(100);
      // One tick of 40 ns, and what is lost in converting it.
      expect(Math.abs(first - again)).toBeLessThan(0.00005);
    },
    180_000,
  );
});
