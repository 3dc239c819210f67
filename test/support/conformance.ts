// What every device must do, whoever wrote it: run against the simulated device, the C implementation, and boards.

import { afterAll, describe, expect } from 'vitest';
import { sha256 } from '../../src/base/hashes.js';
import { buildSlotImage, compressImage, decodeSlotImage, encodeSlotImage } from '../../src/devices/bundle/index.js';
import { type DeviceClient, push, uploadImage } from '../../src/devices/client/index.js';
import { openDevice } from '../../src/devices/open-device.js';
import {
  atollCommands,
  enumerationCommands,
  fileCommands,
  osCommands,
  slotFiles,
  statsCommands,
} from '../../src/devices/protocol/index.js';
import { hostRunner } from '../../src/evaluate/index.js';
import { writeModel } from '../../src/formats/tflite/index.js';
import { loadTarget, type Target } from '../../src/targets/index.js';
import type { DeviceProcess } from './device-process.js';
import { int8Dense } from './models.js';
import { type Tool, toolTest } from './tools.js';

const [model, otherModel] = [int8Dense(90, 3), int8Dense(90, 5)];
const hashOf = (bytes: Uint8Array): string => Buffer.from(sha256(bytes)).toString('hex');
const [modelSha, otherSha] = [model, otherModel].map((one) => hashOf(writeModel(one))) as [string, string];

/** What a promise is about: a kind of device, and two images for it. */
interface Subject {
  readonly target: Target;
  readonly image: Uint8Array;
  readonly otherImage: Uint8Array;
}

async function subjectOf(targetId: string): Promise<Subject> {
  const target = await loadTarget(targetId);
  const [image, otherImage] = [model, otherModel].map((one) => buildSlotImage(writeModel(one), one, target)) as [
    Uint8Array,
    Uint8Array,
  ];
  return { target, image, otherImage };
}

/** Each is a promise of the protocol, on a device whose slots are empty or hold what the ones before left. */
const promises: readonly (readonly [name: string, keep: (device: DeviceClient, subject: Subject) => Promise<void>])[] =
  [
    [
      'says what it is',
      async (device, { target }) => {
        expect(await device.echo('hello')).toBeGreaterThanOrEqual(0);
        const { buf_size } = await device.client.request(osCommands.params, {});
        expect(buf_size).toBeGreaterThanOrEqual(256);
        expect((await device.client.request(osCommands.info, {})).output).not.toBe('');
        const described = await device.describe();
        expect(described).toMatchObject({
          proto: 1,
          target: target.id,
          profile: 'tflm-reference',
          key: false,
          slots: 2,
          align: 16,
        });
        expect(described.tick_hz).toBeGreaterThan(0);
        expect((await device.client.ask(atollCommands.run, { n: 0 })).ok).toBe(false);
      },
    ],
    [
      'answers what other SMP clients ask first',
      async ({ client }, { target }) => {
        expect(await client.request(osCommands.echoRead, { d: 'read' })).toMatchObject({ r: 'read' });
        const { id, fw } = await client.request(atollCommands.describe, {});
        for (const [format, output] of [
          ['s', 'Atoll'],
          ['n', id],
          ['mr', `${fw} ${target.id}`],
          ['a', `Atoll ${id} ${fw} unknown unknown ${target.id} unknown ${target.id} Atoll`],
        ] as const)
          expect((await client.request(osCommands.info, { format })).output).toBe(output);
        expect(await client.ask(osCommands.info, { format: 'x' })).toMatchObject({
          ok: false,
          status: { name: 'INVALID_FORMAT' },
        });
        const { groups } = await client.request(enumerationCommands.list, {});
        expect(groups).toEqual([0, 2, 8, 10, 16724]);
        expect(await client.request(enumerationCommands.count, {})).toMatchObject({ count: groups.length });
        expect(await client.request(enumerationCommands.single, {})).toMatchObject({ group: 0 });
        expect(await client.request(enumerationCommands.single, { index: 4 })).toMatchObject({
          group: 16724,
          end: true,
        });
        expect(await client.ask(enumerationCommands.single, { index: 5 })).toMatchObject({
          ok: false,
          status: { name: 'INDEX_TOO_LARGE' },
        });
        expect((await client.request(enumerationCommands.details, {})).groups.map(({ group }) => group)).toEqual(
          groups,
        );
        expect((await client.request(enumerationCommands.details, { groups: [10] })).groups).toEqual([
          { group: 10, name: 'enum mgmt' },
        ]);
      },
    ],
    [
      'takes a model, proves it, runs it with the bits of the simulator',
      async (device, { target, image }) => {
        const pushed = await push(device, image);
        expect(pushed).toMatchObject({
          state: 'confirmed',
          model: modelSha,
          selfTest: { vectors: 4, failed: 0, maxLsb: 0 },
        });
        expect(await device.activeModel()).toBe(modelSha);
        const [remote, host] = [await device.runner(model, modelSha), hostRunner(model, { profile: 'tflm-reference' })];
        const samples = Array.from({ length: 25 }, (_, s) =>
          Uint8Array.from({ length: 90 }, (_, i) => (s * 37 + i * i) & 0xff),
        );
        const results = await Promise.all(samples.map((sample) => remote.run(sample)));
        for (const [i, { output, latencyMs }] of results.entries()) {
          expect(output).toEqual((await host.run(samples[i] as Uint8Array)).output);
          expect(latencyMs).toBeGreaterThan(0);
        }
        expect(await device.challenge(model, target, 99)).toEqual({ samples: 4, agrees: true });
        // A stream of a model without state is like any other samples.
        const [first, second] = samples as [Uint8Array, Uint8Array];
        const whole = Buffer.concat([first, second]);
        const expected = Buffer.concat([(await host.run(first)).output, (await host.run(second)).output]);
        for (const stream of [false, true])
          expect(Buffer.from((await device.client.request(atollCommands.infer, { data: whole, stream })).data)).toEqual(
            expected,
          );
        expect((await device.describe()).features).toContain('stream');
        expect((await device.challenge(otherModel, target, 99)).agrees).toBe(false);
        expect((await device.client.request(atollCommands.profile, {})).ops).toEqual([[9, expect.any(Number)]]);
        expect(
          (await device.client.request(atollCommands.challenge, { seed: 7, n: 2, outputs: true })).outputs?.byteLength,
        ).toBe(20);
      },
    ],
    [
      'runs input by input too, and keeps within its tensors',
      async (device) => {
        const { client } = device;
        const sample = new Uint8Array(90).fill(5);
        expect(
          await client.request(atollCommands.writeInput, { input: 0, off: 0, data: sample.subarray(0, 50) }),
        ).toMatchObject({ off: 50 });
        expect(
          await client.request(atollCommands.writeInput, { input: 0, off: 50, data: sample.subarray(50) }),
        ).toMatchObject({ off: 90 });
        expect((await client.request(atollCommands.run, {})).ticks).toBeGreaterThan(0);
        const { output } = await hostRunner(model, { profile: 'tflm-reference' }).run(sample);
        expect(await client.request(atollCommands.readOutput, { output: 0, off: 0 })).toMatchObject({
          data: output,
          len: 10,
        });
        expect((await client.request(atollCommands.readOutput, { output: 0, off: 4 })).data).toEqual(
          output.subarray(4),
        );
        const refusals: [Promise<unknown>, RegExp][] = [
          [client.request(atollCommands.writeInput, { input: 1, off: 0, data: sample }), /NO_SUCH_TENSOR/],
          [client.request(atollCommands.writeInput, { input: 0, off: 1, data: sample }), /OFFSET_NOT_VALID/],
          [client.request(atollCommands.writeInput, { input: 0, off: 0xffffffff, data: sample }), /OFFSET_NOT_VALID/],
          [client.request(atollCommands.readOutput, { output: 0, off: 11 }), /OFFSET_NOT_VALID/],
          [client.request(atollCommands.readOutput, { output: 9, off: 0 }), /NO_SUCH_TENSOR/],
          [client.request(atollCommands.infer, { data: sample.subarray(1) }), /OFFSET_NOT_VALID/],
        ];
        for (const [refused, message] of refusals) await expect(refused).rejects.toThrow(message);
      },
    ],
    [
      'keeps its files as Zephyr keeps them: offsets, hashes, what is read-only',
      async (device, { image }) => {
        const { client } = device;
        const bytes = Uint8Array.from({ length: 300 }, (_, i) => i ^ 0x5a);
        const upload = (off: number, data: Uint8Array, name: string = slotFiles.inactive) =>
          client.ask(fileCommands.upload, { off, name, data, ...(off === 0 ? { len: 300 } : {}) });
        expect(await upload(0, bytes.subarray(0, 101))).toMatchObject({ ok: true, value: { off: 101 } });
        expect(await upload(0, bytes.subarray(0, 100))).toMatchObject({ ok: true, value: { off: 100 } });
        for (const off of [99, 101, 4000])
          expect(await upload(off, bytes.subarray(0, 10))).toMatchObject({
            ok: false,
            status: { name: 'OFFSET_NOT_VALID', map: { len: 100 } },
          });
        expect(await upload(100, bytes.subarray(100))).toMatchObject({ ok: true, value: { off: 300 } });
        expect((await client.request(fileCommands.status, { name: slotFiles.inactive })).len).toBe(300);
        const hash = (request: object) => client.request(fileCommands.hash, { name: slotFiles.inactive, ...request });
        expect(await hash({})).toMatchObject({ type: 'sha256', len: 300, output: sha256(bytes) });
        expect(await hash({ type: 'sha256', off: 10, len: 50 })).toMatchObject({
          len: 50,
          off: 10,
          output: sha256(bytes.subarray(10, 60)),
        });
        expect(await hash({ type: 'crc32', len: 99999 })).toMatchObject({
          type: 'crc32',
          len: 300,
          output: expect.any(Number),
        });
        await expect(hash({ type: 'md5' })).rejects.toThrow(/HASH_NOT_FOUND/);
        expect((await client.request(fileCommands.hashTypes, {})).types).toMatchObject({
          sha256: { format: 1, size: 32 },
          crc32: { format: 0, size: 4 },
        });
        expect((await client.request(fileCommands.download, { off: 290, name: slotFiles.inactive })).data).toEqual(
          bytes.subarray(290),
        );
        expect((await client.request(fileCommands.download, { off: 0, name: slotFiles.active })).len).toBe(
          image.byteLength,
        );
        expect(await upload(0, bytes, slotFiles.active)).toMatchObject({ ok: false, status: { name: 'READ_ONLY' } });
        expect(await upload(0, bytes, '/etc/passwd')).toMatchObject({ ok: false, status: { name: 'NOT_FOUND' } });
        await expect(client.request(fileCommands.download, { off: 301, name: slotFiles.inactive })).rejects.toThrow(
          /OFFSET_LARGER/,
        );
        await client.request(fileCommands.close, {});
      },
    ],
    [
      'refuses what does not fit, is not whole, was not tested, or is in use',
      async (device, { image, otherImage }) => {
        const { client } = device;
        const { slot_bytes } = await device.describe();
        const slotOf = async (bytes: Uint8Array) =>
          (await device.slots()).findIndex(({ sha }) => sha !== undefined && Buffer.compare(sha, sha256(bytes)) === 0);
        const upload = (bytes: Uint8Array) => uploadImage(client, bytes);
        await expect(
          client.request(fileCommands.upload, {
            off: 0,
            name: slotFiles.inactive,
            len: slot_bytes + 1,
            data: image.subarray(0, 10),
          }),
        ).rejects.toThrow(/IMAGE_TOO_LARGE/);
        await upload(otherImage);
        const slot = await slotOf(otherImage);
        await expect(client.request(atollCommands.activate, { slot, sha: sha256(otherImage) })).rejects.toThrow(
          /NOT_TESTED/,
        );
        await expect(client.request(atollCommands.activate, { slot, sha: sha256(image) })).rejects.toThrow(
          /HASH_MISMATCH/,
        );
        await expect(client.request(atollCommands.activate, { slot: 2, sha: sha256(image) })).rejects.toThrow(
          /NO_SUCH_SLOT/,
        );
        await expect(client.request(atollCommands.confirm, { sha: sha256(otherImage) })).rejects.toThrow(
          /HASH_MISMATCH/,
        );
        await expect(client.request(atollCommands.erase, { slot: 1 - slot })).rejects.toThrow(/SLOT_IN_USE/);
        const { model: bytes, trailer } = decodeSlotImage(otherImage);
        if (trailer === null) throw new Error('no trailer');
        const [first, ...rest] = trailer.vectors;
        const wrong = encodeSlotImage(bytes, trailer.manifest, [
          { seed: first?.seed ?? 0, output: new Uint8Array(10) },
          ...rest,
        ]);
        await expect(push(device, wrong)).rejects.toThrow(/1 of 4 self-test vectors differ/);
        const foreign = encodeSlotImage(bytes, { ...trailer.manifest, target: 'pico' }, trailer.vectors);
        await upload(foreign);
        await expect(client.request(atollCommands.selfTest, { slot: await slotOf(foreign) })).rejects.toThrow(
          /WRONG_TARGET/,
        );
        const damaged = otherImage.with(200, 1 ^ (otherImage[200] as number));
        await upload(damaged);
        await expect(client.request(atollCommands.selfTest, { slot: await slotOf(damaged) })).rejects.toThrow(
          /IMAGE_INVALID/,
        );
        await upload(new Uint8Array(100).fill(7));
        await expect(client.request(atollCommands.selfTest, { slot })).rejects.toThrow(/IMAGE_INVALID/);
        await client.request(atollCommands.erase, { slot });
        await expect(client.request(atollCommands.selfTest, { slot })).rejects.toThrow(/NO_MODEL/);
        // What failed has changed nothing.
        expect(await device.activeModel()).toBe(modelSha);
      },
    ],
    [
      'takes compressed images, and refuses damaged ones',
      async (device, { otherImage }) => {
        const { inflate } = await device.describe();
        if (inflate === undefined) return;
        const { client } = device;
        const upload = (data: Uint8Array, off = 0) =>
          client.request(fileCommands.upload, { off, name: slotFiles.compressed, len: data.byteLength, data });
        await expect(upload(compressImage(otherImage, 512).with(18, 0xff))).rejects.toThrow(/IMAGE_INVALID/);
        await expect(upload(compressImage(otherImage, 512, 2))).rejects.toThrow(/OFFSET_NOT_VALID/);
        await expect(upload(Uint8Array.of(1, 2, 3), 7)).rejects.toThrow(/OFFSET_NOT_VALID/);
        await expect(upload(new Uint8Array(40).fill(0x41))).rejects.toThrow(/IMAGE_INVALID/);
        for (const blockBytes of [512, inflate]) {
          const { compression } = await uploadImage(client, otherImage, { blockBytes, chunkBytes: 150 });
          expect(compression).toBe('deflate');
          await client.request(fileCommands.upload, { off: 0, name: slotFiles.inactive, data: Uint8Array.of(1) });
        }
      },
    ],
    [
      'falls back from a model that is never confirmed, at the third boot, and keeps one that is',
      async (device, { otherImage }) => {
        const { client } = device;
        await uploadImage(client, otherImage);
        const slot = (await device.slots()).findIndex(({ active }) => !active);
        await client.request(atollCommands.selfTest, { slot });
        await client.request(atollCommands.activate, { slot, sha: sha256(otherImage) });
        expect(await device.activeModel()).toBe(otherSha);
        await expect(uploadImage(client, new Uint8Array(50))).rejects.toThrow(/SLOT_IN_USE/);
        for (let boot = 1; boot <= 2; boot++) {
          await device.reset();
          expect((await device.slots())[slot]).toMatchObject({
            active: true,
            pending: true,
            confirmed: false,
            attempts: boot,
          });
        }
        await device.reset();
        expect(await device.activeModel()).toBe(modelSha);
        expect(await push(device, otherImage)).toMatchObject({ state: 'confirmed', changed: true });
        for (let boot = 0; boot < 4; boot++) await device.reset();
        expect(await device.activeModel()).toBe(otherSha);
      },
    ],
    [
      'counts what it does',
      async (device) => {
        const { stat_list } = await device.client.request(statsCommands.list, {});
        expect(stat_list).toEqual(['atoll']);
        const { fields } = await device.client.request(statsCommands.read, { name: 'atoll' });
        expect(Object.keys(fields)).toEqual(
          expect.arrayContaining(['inferences', 'selftests_passed', 'selftests_failed', 'resets']),
        );
        await expect(device.client.request(statsCommands.read, { name: 'other' })).rejects.toThrow(/ENOENT/);
      },
    ],
  ];

export type Opened = readonly [device: DeviceClient, process: DeviceProcess | null];

/** Tests of every promise, on one device that is opened when the first of them runs. @param tools that it needs */
export function conforms(name: string, tools: readonly Tool[], target: string, open: () => Promise<Opened>): void {
  describe(name, () => {
    let opened: Promise<Opened> | null = null;
    const each = toolTest(...tools);

    afterAll(async () => {
      const [device, process] = (await opened?.catch(() => null)) ?? [];
      await device?.close();
      await process?.stop();
    });

    for (const [promise, keep] of promises) {
      each(promise, async () => {
        opened ??= open();
        await keep((await opened)[0], await subjectOf(target));
      });
    }
  });
}

export async function reach(process: DeviceProcess): Promise<Opened> {
  return [await openDevice(process.uri), process];
}
