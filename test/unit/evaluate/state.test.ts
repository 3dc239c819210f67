// How long a model's state lasts: one sample, unless a stream is asked for.

import { afterAll, describe, expect, test } from 'vitest';
import { buildSlotImage } from '../../../src/devices/bundle/index.js';
import { push } from '../../../src/devices/client/index.js';
import { openDevice } from '../../../src/devices/open-device.js';
import { hostRunner, type Runner, runBatch } from '../../../src/evaluate/index.js';
import { writeModel } from '../../../src/formats/tflite/index.js';
import { loadTarget } from '../../../src/targets/index.js';
import { accumulatingModel } from '../../support/models.js';

const model = accumulatingModel();
const samples = new Uint8Array(12).fill(1);
const sums = async (runner: Runner, stream: boolean): Promise<number[]> => {
  const { outputs } = await runBatch(runner, samples, 'samples', { stream });
  return [outputs[0], outputs[4], outputs[8]] as number[];
};

describe('on the host', () => {
  test('every sample starts with the initial state, with a warning, unless they are a stream', async () => {
    const runner = hostRunner(model);
    expect(await sums(runner, false)).toEqual([1, 1, 1]);
    expect(await sums(runner, true)).toEqual([1, 2, 3]);
    expect(await sums(runner, true)).toEqual([1, 2, 3]);
    expect((await runBatch(runner, samples, 'samples')).warnings).toEqual([
      expect.objectContaining({ code: 'STATE_PER_SAMPLE' }),
    ]);
    expect((await runBatch(runner, samples, 'samples', { stream: true })).warnings).toEqual([]);
    expect((await runBatch(runner, samples.subarray(0, 4), 'samples')).warnings).toEqual([]);
  });
});

test('on a device, where self-tests and challenges reset the state too', async () => {
  const target = await loadTarget('stm32h743');
  const device = await openDevice('sim:stm32h743');
  afterAll(() => device.close());
  const pushed = await push(device, buildSlotImage(writeModel(model), model, target));
  expect(pushed).toMatchObject({ state: 'confirmed', selfTest: { failed: 0 } });
  const runner = await device.runner(model, pushed.model);
  expect(await sums(runner, false)).toEqual([1, 1, 1]);
  expect(await sums(runner, true)).toEqual([1, 2, 3]);
  expect(await device.challenge(model, target, 7)).toEqual({ samples: 4, agrees: true });
  expect(await sums(runner, true)).toEqual([1, 2, 3]);
});
