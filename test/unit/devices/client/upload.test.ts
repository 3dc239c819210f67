// Uploads with several chunks on their way, and to devices that only have files.

import { describe, expect, test } from 'vitest';
import {
  DeviceClient,
  type LearnedLimit,
  lineBound,
  SmpClient,
  type UploadPlan,
  uploadImage,
} from '../../../../src/devices/client/index.js';
import { fileCommands, slotFiles } from '../../../../src/devices/protocol/index.js';
import {
  type FaultName,
  SimulatedDevice,
  type SimulatedDeviceOptions,
} from '../../../../src/devices/simulated/index.js';
import type { Transport } from '../../../../src/devices/transport/index.js';
import { loadTarget } from '../../../../src/targets/index.js';
import { type ZephyrOptions, zephyrDevice, zephyrFiles } from '../../../support/zephyr-files.js';

const quick = { timeoutMs: 30, attempts: 4 };
const target = await loadTarget('pico');
const image = Uint8Array.from({ length: 9000 }, (_, i) => (i * 7) ^ (i >> 5));

/** A transport that loses every so-many-th request. */
function losing(transport: Transport, every: number): Transport {
  let count = 0;
  const send = transport.send.bind(transport);
  return Object.assign(transport, {
    send: async (packet: Uint8Array) => (++count % every === 0 ? undefined : send(packet)),
  });
}

describe('windows', () => {
  function connect(options: SimulatedDeviceOptions): { simulated: SimulatedDevice; transport: Transport } {
    const simulated = new SimulatedDevice(target, { maxPacketBytes: 200, buffers: 4, ...options });
    return { simulated, transport: simulated.connect() };
  }

  test('as many chunks are in flight as requested, and as the device has buffers', async () => {
    for (const [window, expected] of [
      [1, 1],
      [3, 3],
      [9, 4],
    ] as const) {
      const { simulated, transport } = connect({});
      let [inFlight, most] = [0, 0];
      const send = transport.send.bind(transport);
      Object.assign(transport, {
        send: async (packet: Uint8Array) => {
          most = Math.max(most, ++inFlight);
          await send(packet);
        },
      });
      const client = new SmpClient(transport, quick);
      const receive = transport.onPacket;
      transport.onPacket = (packet) => {
        inFlight -= 1;
        receive?.(packet);
      };
      expect(await uploadImage(client, image, { window })).toMatchObject({
        verifiedBy: 'sha256',
        sentBytes: image.byteLength,
      });
      expect(most).toBe(expected);
      expect(Buffer.compare(simulated.slots.inactive.bytes, image)).toBe(0);
    }
  });

  test.each(['lost-response', 'late-response', 'reboot-mid-upload'] as const)('%s', async (fault: FaultName) => {
    const { simulated, transport } = connect({ faults: [fault] });
    await uploadImage(new SmpClient(transport, quick), image, { window: 4 });
    expect(Buffer.compare(simulated.slots.inactive.bytes, image)).toBe(0);
  });

  test.each([7, 11, 23])('every %dth request is lost', async (every) => {
    const { simulated, transport } = connect({});
    await uploadImage(new SmpClient(losing(transport, every), quick), image, { window: 4 });
    expect(Buffer.compare(simulated.slots.inactive.bytes, image)).toBe(0);
  });

  test.each([2, 4])(
    'a device that loses what comes while it works, window %d: one chunk at a time in the end',
    async (window) => {
      const { simulated, transport } = connect({});
      let working = 0;
      const send = transport.send.bind(transport);
      Object.assign(transport, {
        send: async (packet: Uint8Array) => {
          if (working > 0) return;
          working += 1;
          await send(packet);
        },
      });
      const receive = (packet: Uint8Array): void => {
        working = 0;
        client.onPacket?.(packet);
      };
      const client = { onPacket: null as ((packet: Uint8Array) => void) | null };
      const smp = new SmpClient(transport, quick);
      client.onPacket = transport.onPacket;
      transport.onPacket = receive;
      const { sentBytes } = await uploadImage(smp, image, { window });
      expect(Buffer.compare(simulated.slots.inactive.bytes, image)).toBe(0);
      // Once that is found, hardly anything is sent twice.
      expect(sentBytes).toBeLessThan(1.2 * image.byteLength);
    },
  );

  test('compressed, with losses and a reset', async () => {
    const flat = new Uint8Array(30_000).map((_, i) => (i % 50 < 20 ? 0 : (i * i) >> 4));
    const { simulated, transport } = connect({ faults: ['reboot-mid-upload'], inflateBytes: 1024 });
    const result = await uploadImage(new SmpClient(losing(transport, 13), quick), flat, {
      window: 4,
      blockBytes: 1024,
    });
    expect(result.compression).toBe('deflate');
    expect(Buffer.compare(simulated.slots.inactive.bytes, flat)).toBe(0);
  });
});

describe('a device with the file group alone', () => {
  const path = '/lfs1/model.tflite';
  const store = (options: ZephyrOptions) => {
    const { files, transport } = zephyrFiles(options);
    return {
      files,
      transport,
      result: uploadImage(new SmpClient(transport, quick), image, { path, window: 1, blockBytes: 1024 }),
    };
  };

  test.each([
    [['sha256', 'crc32'], 'sha256'],
    [['crc32'], 'crc32'],
    [[], 'read-back'],
  ] as const)('hashes %j: stored as it is, proved by %s', async (hashes, verifiedBy) => {
    const { files, result } = store({ hashes });
    expect(await result).toMatchObject({ verifiedBy, compression: null, bytes: image.byteLength });
    expect(Buffer.compare(files.get(path) ?? Buffer.alloc(0), image)).toBe(0);
  });

  test('a full volume, with and without an error', async () => {
    await expect(store({ volumeBytes: 5000 }).result).rejects.toThrow(/WRITE_FAILED/);
    await expect(store({ volumeBytes: 5000, silentlyFull: true }).result).rejects.toThrow(
      expect.objectContaining({ code: 'PUSH_HASH' }),
    );
    await expect(store({ volumeBytes: 5000, silentlyFull: true, hashes: ['crc32'] }).result).rejects.toThrow(
      expect.objectContaining({ code: 'PUSH_HASH' }),
    );
  });

  test(
    'an interrupted upload goes on where the hash proves what is ' + 'there, and begins anew where nothing does',
    async () => {
      for (const [hashes, resumedAt] of [
        [['crc32'], 4000],
        [[], 0],
      ] as const) {
        const { files, transport } = zephyrFiles({ hashes });
        files.set(path, Buffer.from(image.subarray(0, 4000)));
        expect(await uploadImage(new SmpClient(transport, quick), image, { path })).toMatchObject({ resumedAt });
        expect(Buffer.compare(files.get(path) ?? Buffer.alloc(0), image)).toBe(0);
      }
    },
  );

  /** Sends so many chunks and vanishes, as a process that is killed does. */
  async function interrupted(device: ReturnType<typeof zephyrDevice>, chunks: number): Promise<void> {
    const transport = device.connect();
    const send = transport.send.bind(transport);
    Object.assign(transport, {
      send: async (packet: Uint8Array) => {
        if (device.chunks() >= chunks) await transport.close();
        else await send(packet);
      },
    });
    await expect(uploadImage(new SmpClient(transport, quick), image, { path })).rejects.toThrow(
      expect.objectContaining({ code: 'DEVICE_CLOSED' }),
    );
  }

  test.each([
    [[], true],
    [[], false],
    [['crc32'], true],
    [['crc32'], false],
  ] as const)(
    'hashes %j, a command that closes files: %j: begun again at once after each chunk, the file is right',
    async (hashes, closes) => {
      for (let chunks = 1; chunks < 28; chunks++) {
        const device = zephyrDevice({ hashes, closes });
        await interrupted(device, chunks);
        const { verifiedBy } = await uploadImage(new SmpClient(device.connect(), quick), image, { path });
        expect(verifiedBy).toBe(hashes[0] ?? 'read-back');
        expect(Buffer.compare(device.files.get(path) ?? Buffer.alloc(0), image), `after ${chunks} chunks`).toBe(0);
      }
    },
  );

  test.each([[[0]], [[1]], [[0, 1]], [[0, 1, 2]], [[5, 6, 9]]])(
    'answers %j to chunks are lost',
    async (lostAnswers) => {
      for (const closes of [true, false]) {
        const { files, transport } = zephyrFiles({ lostAnswers, closes });
        const begin = performance.now();
        await uploadImage(new SmpClient(transport, quick), image, { path });
        expect(Buffer.compare(files.get(path) ?? Buffer.alloc(0), image)).toBe(0);
        // Far from the time that erasing a slot would be given.
        expect(performance.now() - begin).toBeLessThan(20_000);
      }
    },
  );

  test('a device that neither hashes nor returns its files has proved nothing', async () => {
    await expect(store({ downloads: false }).result).rejects.toThrow(
      expect.objectContaining({ code: 'PUSH_UNPROVEN' }),
    );
  });

  test('packets become smaller where large ones are lost, and stay so', async () => {
    const { files, transport } = zephyrFiles({ burstBytes: 200 });
    const learned: LearnedLimit[] = [];
    const client = new SmpClient(transport, quick);
    client.memory = { recall: () => null, remember: async (_, limit) => void learned.push(limit) };
    expect(await uploadImage(client, image, { path })).toMatchObject({ packetBytes: 192 });
    expect(Buffer.compare(files.get(path) ?? Buffer.alloc(0), image)).toBe(0);
    expect(learned).toEqual([{ maxPacketBytes: 192, pauseMs: 0 }]);
    expect((await client.packetLimits()).maxPacketBytes).toBe(192);
  });

  test('the learned limits of a device are used at once', async () => {
    const { chunks, transport } = zephyrFiles();
    const client = new SmpClient(transport, quick);
    client.memory = { recall: () => ({ maxPacketBytes: 100, pauseMs: 0 }), remember: async () => undefined };
    await uploadImage(client, image, { path });
    expect(chunks()).toBeGreaterThan(image.byteLength / 100);
  });

  test('chunks have the requested size', async () => {
    const { chunks, transport } = zephyrFiles();
    await uploadImage(new SmpClient(transport, quick), image, { path, chunkBytes: 90 });
    // The first one has less room: it also says the length of the file.
    expect(chunks()).toBe(1 + image.byteLength / 90);
  });

  test('reports that it runs no models', async () => {
    const device = new DeviceClient(zephyrFiles().transport, quick);
    await expect(device.describe()).rejects.toThrow(expect.objectContaining({ code: 'DEVICE_FILES_ONLY' }));
  });
});

test('the expected duration of an upload is reported before it starts, unless the image is already there', async () => {
  const simulated = new SimulatedDevice(target, { maxPacketBytes: 200, buffers: 4 });
  const plans: UploadPlan[] = [];
  for (let i = 0; i < 2; i++)
    await uploadImage(new SmpClient(simulated.connect(), quick), image, { onPlan: (plan) => plans.push(plan) });
  expect(plans).toEqual([
    {
      bytes: image.byteLength,
      requests: expect.any(Number),
      expectedMs: expect.any(Number),
      bottleneck: 'round trips',
    },
  ]);
  expect(plans[0]?.requests).toBeGreaterThan(image.byteLength / 200);
});

test('the minimum duration of a transfer on a line', async () => {
  const { transport } = zephyrFiles();
  const client = new SmpClient(transport, quick);
  expect(lineBound(client, slotFiles.inactive, 10_000, 2044)).toMatchObject({ requests: 6, lineMs: 0 });
  // Requests as they would be: the whole file, header and keys of each chunk, and as many answers.
  const { wireBytes } = lineBound(client, slotFiles.inactive, 10_000, 2044);
  const overhead = 2044 - Math.floor((10_000 - 1) / 5);
  expect(wireBytes).toBeGreaterThan(10_000 + 6 * 8);
  expect(wireBytes).toBeLessThan(10_000 + 6 * (overhead + 30));
  expect((await client.ask(fileCommands.hashTypes, {})).ok).toBe(false);
});
