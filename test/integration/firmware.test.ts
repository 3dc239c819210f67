// Real models on the device side in C, as a program of this machine.

import { expect } from 'vitest';
import { buildSlotImage } from '../../src/bundle/index.js';
import { type PushStep, push } from '../../src/device/index.js';
import { openDevice } from '../../src/open-device.js';
import { statsCommands } from '../../src/protocol/index.js';
import { writeModel } from '../../src/tflite/index.js';
import { buildFirmware, posixDevice } from '../support/firmware.js';
import { int8Dense } from '../support/models.js';
import { during, equalsSimulator, realModel, samplesFor, target } from '../support/real-models.js';
import { sharedPresent } from '../support/shared.js';
import { toolTest } from '../support/tools.js';

const onHost = toolTest('gcc', 'make').skipIf(!sharedPresent);

onHost.each(['kws_ref_model', 'vww_96_int8', 'ad01_int8', 'pretrainedResnet_quant'])('%s on this machine: the bits of the simulator', async (name) => {
  await buildFirmware('posix');
  const { model, image } = realModel(name);
  await during(await posixDevice('tcp:0'), async (device) => {
    const { model: sha } = await push(device, image);
    const runner = await device.runner(model, sha);
    const sampleBytes = runner.inputs.reduce((sum, { bytes }) => sum + bytes, 0);
    await equalsSimulator(device, model, sha, samplesFor(name, sampleBytes, 20));
  });
});

toolTest('gcc', 'make')('reset at every block of an upload: it goes on, and ends with the model verified', async () => {
  await buildFirmware('posix');
  const model = int8Dense(300);
  const image = buildSlotImage(writeModel(model), model, target);
  const chunks = Math.ceil(image.byteLength / 230);
  expect(chunks).toBeGreaterThan(12);
  let resets = 0;
  for (const compress of [false, true]) {
    for (let at = 0; at < chunks; at += compress ? 4 : 1) {
      const process = await posixDevice('udp:0');
      // Another client resets the device under the first one's hands.
      const other = await openDevice(process.uri);
      let seen = 0;
      let reset: Promise<void> | undefined;
      await during(process, async (device) => {
        const options = {
          compress,
          maxPacketBytes: 300,
          onProgress: (step: PushStep) => {
            if (step === 'upload' && seen++ === at + 1) reset = other.reset().catch(() => undefined);
          },
        };
        expect(await push(device, image, options)).toMatchObject({ state: 'confirmed', selfTest: { failed: 0 } });
        const { fields } = await device.client.request(statsCommands.read, { name: 'atoll' });
        resets += fields.resets ?? 0;
        await reset;
        await other.close();
      });
    }
  }
  // One at each block, but for those that come when all is there.
  expect(resets).toBeGreaterThanOrEqual(12);
});
