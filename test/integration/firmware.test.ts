// Real models on the device side in C, as a program of this machine.

import { expect } from 'vitest';
import { sha256Hex } from '../../src/base/hashes.js';
import type { Progress } from '../../src/base/progress.js';
import { buildSlotImage } from '../../src/devices/bundle/index.js';
import { type PushStep, push } from '../../src/devices/client/index.js';
import { openDevice } from '../../src/devices/open-device.js';
import { statsCommands } from '../../src/devices/protocol/index.js';
import { writeModel } from '../../src/formats/tflite/index.js';
import { atoll, jsonOf } from '../support/cli.js';
import { temporaryFolder, writeFiles } from '../support/files.js';
import { buildFirmware, posixDevice } from '../support/firmware.js';
import { int8Dense } from '../support/models.js';
import { during, equalsSimulator, realModel, samplesFor, target } from '../support/real-models.js';
import { sharedPresent } from '../support/shared.js';
import { toolTest } from '../support/tools.js';

const onHost = toolTest('gcc', 'make').skipIf(!sharedPresent);

onHost.each(['kws_ref_model', 'vww_96_int8', 'ad01_int8', 'pretrainedResnet_quant'])(
  '%s on this machine: the bits of the simulator',
  async (name) => {
    await buildFirmware('posix');
    const { model, image } = realModel(name);
    await during(await posixDevice('tcp:0'), async (device) => {
      const { model: sha } = await push(device, image);
      const runner = await device.runner(model, sha);
      const sampleBytes = runner.inputs.reduce((sum, { bytes }) => sum + bytes, 0);
      await equalsSimulator(device, model, sha, samplesFor(name, sampleBytes, 20));
    });
  },
);

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
          chunkBytes: 230,
          onProgress: ({ step }: Progress<PushStep>) => {
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

toolTest('gcc', 'make')(
  'a model that a programmer has put into slot 0 of a new device is taken on, one that is damaged is not',
  async () => {
    await buildFirmware('posix');
    const folder = temporaryFolder();
    const model = int8Dense(300);
    const image = buildSlotImage(writeModel(model), model, target);
    for (const [name, bytes, running] of [
      ['whole', image, sha256Hex(writeModel(model))],
      ['damaged', image.with(100, (image[100] as number) ^ 1), null],
    ] as const) {
      const flash = Buffer.alloc(2 * 65536 + 2 * 4096, 0xff);
      flash.set(bytes);
      writeFiles(folder, { [name]: flash });
      for (let boot = 0; boot < 2; boot++) {
        await during(
          await posixDevice('tcp:0', '--slot-bytes', '65536', '--flash', `${folder}/${name}`),
          async (device) => {
            expect(await device.activeModel()).toBe(running);
            if (running !== null) expect((await device.challenge(model, target, 5)).agrees).toBe(true);
          },
        );
      }
    }
  },
);

toolTest('gcc', 'make')(
  'a board of a kind that is not shipped: --target names its file, and is held to it',
  async () => {
    await buildFirmware('posix');
    const model = int8Dense(30);
    const folder = temporaryFolder();
    writeFiles(folder, {
      'model.tflite': writeModel(model),
      'own.yaml': 'extends: qemu-mps2-an386\nid: my-board\nname: my board\n',
    });
    const { uri, stop } = await posixDevice('tcp:0', '--target', 'my-board');
    try {
      const push = async (...args: string[]) =>
        jsonOf(await atoll(['push', `${folder}/model.tflite`, '--device', uri, ...args, '--json']));
      expect(await push()).toMatchObject({ error: { code: 'TARGET_UNKNOWN' } });
      expect(await push('--target', 'pico')).toMatchObject({
        error: { code: 'DEVICE_TARGET', message: expect.stringContaining('reports target my-board, not pico') },
      });
      expect(await push('--target', `${folder}/own.yaml`)).toMatchObject({ state: 'confirmed' });
    } finally {
      await stop();
    }
  },
);
