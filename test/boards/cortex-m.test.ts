// Real models on a Cortex-M4 that QEMU emulates, behind a serial port.

import { existsSync } from 'node:fs';
import path from 'node:path';
import { describe, expect } from 'vitest';
import { AtollError } from '../../src/base/errors.js';
import { sha256 } from '../../src/base/hashes.js';
import type { Progress } from '../../src/base/progress.js';
import { buildSlotImage } from '../../src/devices/bundle/index.js';
import { type PushStep, push, uploadImage } from '../../src/devices/client/index.js';
import { openDevice } from '../../src/devices/open-device.js';
import { atollCommands, statsCommands } from '../../src/devices/protocol/index.js';
import { writeModel } from '../../src/formats/tflite/index.js';
import { temporaryFolder } from '../support/files.js';
import { buildFirmware, qemuBoard } from '../support/firmware.js';
import { int8Dense } from '../support/models.js';
import { during, equalsSimulator, realModel, samplesFor, target } from '../support/real-models.js';
import { sharedPresent } from '../support/shared.js';
import { toolTest } from '../support/tools.js';

const folder = temporaryFolder();
const onBoard = toolTest('arm-none-eabi-gcc', 'make', 'qemu-system-arm').skipIf(!sharedPresent);

toolTest('arm-none-eabi-gcc', 'make', 'qemu-system-arm')(
  'power fails at many points of a push: after it one of the two models runs, whole, and the next push ends well',
  async () => {
    await buildFirmware('qemu');
    const flashFile = path.join(folder, 'power.bin');
    const imageOf = (fill: number) => {
      const model = int8Dense(1500, fill);
      return {
        image: buildSlotImage(writeModel(model), model, target),
        sha: Buffer.from(sha256(writeModel(model))).toString('hex'),
      };
    };
    let old = imageOf(3);
    await during(await qemuBoard({ machine: 'mps2-an386', flashFile }), (device) => push(device, old.image));
    const points: [step: PushStep, share: number][] = [
      ['upload', 0],
      ['upload', 0.02],
      ['upload', 0.4],
      ['upload', 0.99],
      ['self-test', 0],
      ['activate', 0],
      ['confirm', 0],
    ];
    for (const [i, [step, share]] of points.entries()) {
      const next = imageOf(5 + 2 * i);
      const board = await qemuBoard({ machine: 'mps2-an386', flashFile });
      const victim = await openDevice(board.uri, { retries: { timeoutMs: 500, attempts: 2 } });
      const cut = ({ step: at, done, total }: Progress<PushStep>): void => {
        // A moment later, in the midst of whatever the board does then.
        if (at === step && done >= share * (total ?? 1)) setTimeout(() => board.child.kill('SIGKILL'), 3 * i);
      };
      await push(victim, next.image, { compress: false, onProgress: cut }).catch((error: unknown) =>
        expect(error).toBeInstanceOf(AtollError),
      );
      board.child.kill('SIGKILL');
      await board.stop();
      await victim.close();
      await during(await qemuBoard({ machine: 'mps2-an386', flashFile }), async (device) => {
        const running = await device.activeModel();
        expect([old.sha, next.sha]).toContain(running);
        expect(await push(device, next.image)).toMatchObject({ state: 'confirmed', model: next.sha });
      });
      old = next;
    }
  },
  180_000,
);

describe('a Cortex-M4 on a serial port', () => {
  onBoard(
    'a keyword model is pushed, and 100 samples give the bits of the simulator; a second model falls back ' +
      'where it is not confirmed',
    async () => {
      await buildFirmware('qemu');
      const flashFile = path.join(folder, 'flash.bin');
      const kws = realModel('kws_ref_model');
      const second = realModel('ad01_int8');
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
      const { model, image } = realModel('kws_ref_model');
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

  onBoard(
    'a model that takes longer than the watchdog waits: the board restarts, and the old model runs',
    async () => {
      await buildFirmware('qemu');
      const old = int8Dense(30);
      const oldImage = buildSlotImage(writeModel(old), old, target);
      const { image } = realModel('kws_ref_model');
      await during(
        await qemuBoard({ machine: 'mps2-an386', firmware: 'mps2-an386-impatient', deterministic: true }),
        async (device) => {
          const { model } = await push(device, oldImage);
          await uploadImage(device.client, image);
          const slot = (await device.slots()).findIndex(({ active }) => !active);
          const once = { timeoutMs: 5000, attempts: 1 };
          await expect(device.client.request(atollCommands.selfTest, { slot }, once)).rejects.toMatchObject({
            code: 'DEVICE_TIMEOUT',
          });
          expect(await device.activeModel()).toBe(model);
          expect((await device.challenge(old, target, 4711)).agrees).toBe(true);
          // It was a restart, and not a refusal: what was counted since the start is counted anew.
          const { fields } = await device.client.request(statsCommands.read, { name: 'atoll' });
          expect(fields.selftests_passed).toBe(0);
        },
      );
    },
    180_000,
  );
});
