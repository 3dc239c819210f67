// Real models on a device, compared with the simulator.

import { expect } from 'vitest';
import { buildFittingImage } from '../../src/devices/bundle/index.js';
import type { DeviceClient } from '../../src/devices/client/index.js';
import { openDevice } from '../../src/devices/open-device.js';
import { hostRunner, runBatch } from '../../src/evaluate/index.js';
import { type Model, readModel } from '../../src/formats/tflite/index.js';
import { checkModel, loadTarget } from '../../src/targets/index.js';
import type { DeviceProcess } from './device-process.js';
import { sharedBytes } from './shared.js';

export const target = await loadTarget('qemu-mps2-an386');

export function realModel(name: string): { bytes: Uint8Array; model: Model; image: Uint8Array; arenaBytes: number } {
  const bytes = sharedBytes('models', 'mlperf-tiny', `${name}.tflite`);
  const model = readModel(bytes, name);
  const { image } = buildFittingImage(bytes, model, target);
  return { bytes, model, image, arenaBytes: checkModel(model, target, image.byteLength).memory.arenaBytes ?? 0 };
}

/** Real keyword samples where the model is that, else bytes that look like none. */
export function samplesFor(name: string, sampleBytes: number, count: number): Uint8Array {
  if (name.startsWith('kws')) return sharedBytes('data', 'kws01.int8.bin').subarray(0, count * sampleBytes);
  return Uint8Array.from({ length: count * sampleBytes }, (_, i) => (i * 2654435761) >>> 24);
}

export async function equalsSimulator(
  device: DeviceClient,
  model: Model,
  sha: string,
  samples: Uint8Array,
): Promise<number> {
  const onDevice = await runBatch(await device.runner(model, sha), samples, 'samples');
  const onHost = await runBatch(hostRunner(model, { profile: 'tflm-reference' }), samples, 'samples');
  expect(Buffer.compare(onDevice.outputs, onHost.outputs)).toBe(0);
  expect(onDevice.latencyMs.basis).toBe('device');
  return onDevice.latencyMs.median;
}

/** Connects, and ends the device afterwards. */
export async function during<T>(process: DeviceProcess, work: (device: DeviceClient) => Promise<T>): Promise<T> {
  const device = await openDevice(process.uri);
  try {
    return await work(device);
  } finally {
    await device.close();
    await process.stop();
  }
}
