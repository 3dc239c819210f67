// The host against simulated devices, over packets: the good way, and every fault that a device can be given.

import { describe, expect, test } from 'vitest';
import { sha256 } from '../../../../src/base/hashes.js';
import {
  buildSlotImage,
  compressImage,
  decodeSlotImage,
  drawSample,
  encodeSlotImage,
  SeededBytes,
} from '../../../../src/devices/bundle/index.js';
import { DeviceClient, push, SmpClient, uploadImage } from '../../../../src/devices/client/index.js';
import {
  atollCommands,
  decodePacket,
  encodePacket,
  encodePayload,
  fileCommands,
  osCommands,
  slotFiles,
} from '../../../../src/devices/protocol/index.js';
import {
  type FaultName,
  faultNames,
  SimulatedDevice,
  type SimulatedDeviceOptions,
} from '../../../../src/devices/simulated/index.js';
import type { Transport } from '../../../../src/devices/transport/index.js';
import { writeModel } from '../../../../src/formats/tflite/index.js';
import { loadTarget } from '../../../../src/targets/index.js';
import { denseModel, int8Dense, wideModel } from '../../../support/models.js';

/** Answers come within microseconds here; a lost one should not make the tests wait. */
const quick = { timeoutMs: 40, attempts: 4 };
const target = await loadTarget('pico');

const model = int8Dense(900);
const image = buildSlotImage(writeModel(model), model, target);
const otherModel = int8Dense(900, 5);
const otherImage = buildSlotImage(writeModel(otherModel), otherModel, target);

function connect(options: SimulatedDeviceOptions = {}): { simulated: SimulatedDevice; device: DeviceClient } {
  const simulated = new SimulatedDevice(target, options);
  return { simulated, device: new DeviceClient(simulated.connect(), quick) };
}

test('a push ends confirmed, with every self-test vector equal', async () => {
  const { simulated, device } = connect();
  const steps: string[] = [];
  const result = await push(device, image, {
    onProgress: ({ step }) => void (steps.at(-1) === step || steps.push(step)),
  });
  expect(result).toMatchObject({
    changed: true,
    state: 'confirmed',
    selfTest: { vectors: 4, failed: 0, maxLsb: 0 },
    image: { bytes: image.byteLength, resumedAt: 0 },
  });
  expect(steps).toEqual(['upload', 'self-test', 'activate', 'confirm']);
  expect(simulated.slots.active).toMatchObject({ active: true, confirmed: true, pending: false });
  expect(Buffer.compare(simulated.slots.active?.bytes ?? new Uint8Array(0), image)).toBe(0);
  expect((await device.challenge(model, target, 12345)).agrees).toBe(true);
  expect((await device.challenge(otherModel, target, 12345)).agrees).toBe(false);
});

test('pushing the active model changes nothing; another model goes to the other slot', async () => {
  const { simulated, device } = connect();
  await push(device, image);
  const first = simulated.slots.activeIndex;
  expect(await push(device, image)).toMatchObject({ changed: false, state: 'confirmed' });
  expect(simulated.slots.activeIndex).toBe(first);
  expect(await push(device, otherImage)).toMatchObject({ changed: true });
  expect(simulated.slots.activeIndex).not.toBe(first);
  expect(simulated.slots.all.map(({ confirmed }) => confirmed)).toEqual([true, true]);
});

test.each([96, 128, 384, 512, 2048, 65535])(
  'packets never exceed the %d bytes that the device takes',
  async (maxPacketBytes) => {
    const { simulated } = connect({ maxPacketBytes });
    const transport = simulated.connect();
    let largest = 0;
    const counting: Transport = {
      get name() {
        return transport.name;
      },
      line: transport.line,
      onLog: null,
      send: (packet) => {
        largest = Math.max(largest, packet.byteLength);
        return transport.send(packet);
      },
      set onPacket(callback: Transport['onPacket']) {
        transport.onPacket = callback;
      },
      set onClose(callback: Transport['onClose']) {
        transport.onClose = callback;
      },
      close: () => transport.close(),
    };
    await uploadImage(new SmpClient(counting, quick), image);
    expect(largest).toBeLessThanOrEqual(maxPacketBytes);
    expect(largest).toBeGreaterThan(Math.min(maxPacketBytes, image.byteLength) - 24);
  },
);

describe('faults', () => {
  const expected: Record<FaultName, object> = {
    'lost-response': { state: 'confirmed' },
    'late-response': { state: 'confirmed' },
    'duplicate-response': { state: 'confirmed' },
    'reboot-mid-upload': { state: 'confirmed' },
    // These strike lines, of which there are none within a process.
    'dropped-line': { state: 'confirmed' },
    'bad-crc': { state: 'confirmed' },
    'console-noise': { state: 'confirmed' },
    'short-write': { code: 'PUSH_HASH' },
    'wrong-hash': { code: 'PUSH_HASH' },
    'wrong-result': { code: 'PUSH_SELF_TEST' },
    'full-volume': { code: 'DEVICE_ERROR' },
    unplug: { code: 'DEVICE_CLOSED' },
  };
  test.each(faultNames.flatMap((fault) => [[fault, 4096] as const, [fault, null] as const]))(
    '%s, blocks of %s',
    async (fault, inflateBytes) => {
      const { simulated, device } = connect({ faults: [fault], inflateBytes, maxPacketBytes: 300 });
      const result = await push(device, image).catch((error: unknown) => error);
      expect(result).toMatchObject(expected[fault]);
      const failed = result instanceof Error;
      // What failed is never active.
      expect(simulated.slots.active === null).toBe(failed);
    },
  );

  test('a short write is mended by pushing again', async () => {
    const { device } = connect({ faults: ['short-write'] });
    await expect(push(device, image)).rejects.toThrow(expect.objectContaining({ code: 'PUSH_HASH' }));
    expect(await push(device, image)).toMatchObject({ state: 'confirmed', image: { resumedAt: 0 } });
  });

  test('a model that fails its self-test leaves the old one running', async () => {
    const { simulated, device } = connect();
    await push(device, image);
    const { model: bytes, trailer } = decodeSlotImage(otherImage);
    if (trailer === null) throw new Error('no trailer');
    const [first, ...rest] = trailer.vectors;
    const wrong = encodeSlotImage(bytes, trailer.manifest, [
      { seed: first?.seed ?? 0, output: new Uint8Array(10) },
      ...rest,
    ]);
    await expect(push(device, wrong)).rejects.toThrow(/1 of 4 self-test vectors differ/);
    const damaged = otherImage.with(200, 1 ^ (otherImage[200] as number));
    await expect(push(device, damaged)).rejects.toThrow(expect.objectContaining({ code: 'SLOT_IMAGE_INVALID' }));
    expect(await device.activeModel()).toBe(Buffer.from(sha256(writeModel(model))).toString('hex'));
    expect(simulated.slots.active?.confirmed).toBe(true);
  });
});

test('a push that was killed before the confirmation resumes there, and the device keeps its fallback', async () => {
  const { simulated, device } = connect();
  await push(device, image);
  const confirm = device.client.request.bind(device.client);
  device.client.request = (async (command: Parameters<typeof confirm>[0], ...rest: [object]) => {
    if (command === atollCommands.confirm) throw new Error('power cut');
    return confirm(command, ...rest);
  }) as typeof device.client.request;
  await expect(push(device, otherImage)).rejects.toThrow('power cut');
  await expect(push(device, otherImage)).rejects.toThrow('power cut');
  expect(simulated.slots.all.map(({ confirmed }) => confirmed).sort()).toEqual([false, true]);
  await expect(uploadImage(device.client, new Uint8Array(500).fill(1))).rejects.toThrow(/SLOT_IN_USE.*fall back/);
  for (let boot = 0; boot < 3; boot++) simulated.reset();
  expect(await device.activeModel()).toBe(Buffer.from(sha256(writeModel(model))).toString('hex'));
  device.client.request = confirm;
  expect(await push(device, otherImage)).toMatchObject({ state: 'confirmed', changed: true });
});

test('a reset is requested once, and an abort is not a timeout', async () => {
  const { simulated, device } = connect({ faults: ['lost-response'] });
  await push(device, image);
  let boots = 0;
  const reset = simulated.reset.bind(simulated);
  simulated.reset = () => {
    boots += 1;
    reset();
  };
  for (let i = 0; i < 12; i++)
    await device.reset().catch((error: unknown) => expect(error).toMatchObject({ code: 'DEVICE_TIMEOUT' }));
  expect(boots).toBe(12);
  const silent = new SmpClient(new SimulatedDevice(target, { maxPacketBytes: 4 }).connect(), quick);
  await expect(silent.request(osCommands.params, {}, { attempts: 1, signal: AbortSignal.timeout(10) })).rejects.toThrow(
    expect.objectContaining({ name: 'TimeoutError' }),
  );
});

describe('resume', () => {
  async function half(device: DeviceClient, bytes: Uint8Array): Promise<number> {
    const abort = new AbortController();
    const length = bytes.byteLength;
    await uploadImage(device.client, bytes, {
      signal: abort.signal,
      onProgress: ({ done }) => {
        if (done > length / 2) abort.abort(new Error('pulled the plug'));
      },
    }).catch(() => undefined);
    return (await device.client.request(fileCommands.status, { name: slotFiles.inactive })).len;
  }

  test('an interrupted upload resumes where it ended, also after a reset', async () => {
    const { simulated, device } = connect({ maxPacketBytes: 512 });
    const there = await half(device, image);
    expect(there).toBeGreaterThan(image.byteLength / 2);
    simulated.reset();
    const result = await push(device, image);
    expect(result.image.resumedAt).toBe(there);
    expect(result.state).toBe('confirmed');
  });

  test('the rest of another image is not continued', async () => {
    const { device } = connect({ maxPacketBytes: 512 });
    await half(device, otherImage);
    expect((await push(device, image)).image.resumedAt).toBe(0);
  });
});

describe('compressed', () => {
  test("blocks of the device's size, with the bytes saved", async () => {
    for (const inflateBytes of [512, 4096]) {
      const { simulated, device } = connect({ inflateBytes });
      const { image: uploaded } = await push(device, image);
      expect(uploaded).toMatchObject({
        bytes: image.byteLength,
        compression: 'deflate',
        sentBytes: compressImage(image, inflateBytes).byteLength,
      });
      expect(uploaded.sentBytes).toBeLessThan(image.byteLength / 2);
      expect(Buffer.compare(simulated.slots.active?.bytes ?? new Uint8Array(0), image)).toBe(0);
    }
  });

  test(
    'as it is where the device takes no other form, where that ' + 'is asked for, and where it would be longer',
    async () => {
      expect((await push(connect({ inflateBytes: null }).device, image)).image).toMatchObject({
        compression: null,
        sentBytes: image.byteLength,
      });
      expect((await push(connect().device, image, { compress: false })).image).toMatchObject({
        compression: null,
        sentBytes: image.byteLength,
      });
      const noise = drawSample(new SeededBytes(1), [
        { index: 0, name: '', type: 'int8', shape: [2000], bytes: 2000, quantization: null },
      ]);
      expect(await uploadImage(connect().device.client, noise, { blockBytes: 512 })).toMatchObject({
        compression: null,
      });
    },
  );

  test('resumes at the block interrupted by a reset, and sends the rest only', async () => {
    const { simulated, device } = connect({ maxPacketBytes: 96, inflateBytes: 512 });
    const abort = new AbortController();
    const cut = uploadImage(device.client, image, {
      blockBytes: 512,
      signal: abort.signal,
      onProgress: ({ done, total }) => done > (total ?? 0) / 2 && abort.abort(new Error('pulled the plug')),
    });
    await expect(cut).rejects.toThrow('pulled the plug');
    simulated.reset();
    const there = simulated.slots.inactive.bytes.byteLength;
    expect(there).toBeGreaterThan(512);
    const { image: uploaded } = await push(device, image);
    expect(uploaded).toMatchObject({ resumedAt: there, compression: 'deflate' });
    expect(uploaded.sentBytes).toBe(compressImage(image, 512, Math.floor(there / 512)).byteLength);
  });

  test('the device refuses blocks that it has no memory for, blocks after a gap, and damaged ones', async () => {
    const { device } = connect({ inflateBytes: 1024 });
    const upload = (data: Uint8Array, off = 0) =>
      device.client.request(fileCommands.upload, { off, name: slotFiles.compressed, len: data.byteLength, data });
    await expect(upload(compressImage(image, 4096).subarray(0, 100))).rejects.toThrow(
      /IMAGE_INVALID.*blocks of 4096 bytes; this device supports 1024/,
    );
    await expect(upload(compressImage(image, 1024, 2))).rejects.toThrow(/OFFSET_NOT_VALID.*contains 0 bytes, not 2048/);
    await expect(upload(compressImage(image, 1024).with(18, 0xff).subarray(0, 1000))).rejects.toThrow(
      /IMAGE_INVALID.*block 0/,
    );
    await expect(upload(Uint8Array.of(1), 7)).rejects.toThrow(/OFFSET_NOT_VALID/);
    expect((await device.client.request(fileCommands.status, { name: slotFiles.compressed })).len).toBe(0);
  });
});

test(
  'what is written behind an image makes it another: its test is ' + 'forgotten, and a fallback stays as it is',
  async () => {
    const { device } = connect();
    const append = () =>
      device.client.request(fileCommands.upload, {
        off: image.byteLength,
        name: slotFiles.inactive,
        data: Uint8Array.of(1),
      });
    await uploadImage(device.client, image);
    await device.client.request(atollCommands.selfTest, { slot: 0 });
    await append();
    expect((await device.slots())[0]).toMatchObject({ len: image.byteLength + 1, tested: false });
    await push(device, image);
    await uploadImage(device.client, otherImage);
    const slot = (await device.slots()).findIndex(({ active }) => !active);
    await device.client.request(atollCommands.selfTest, { slot });
    await device.client.request(atollCommands.activate, { slot, sha: sha256(otherImage) });
    await expect(append()).rejects.toThrow(/SLOT_IN_USE.*fall back/);
  },
);

describe('the device refuses, with the reason', () => {
  test('an image that is larger than a slot', async () => {
    const { device } = connect();
    await expect(uploadImage(device.client, new Uint8Array(1_000_000))).rejects.toThrow(
      /IMAGE_TOO_LARGE.*1000000 bytes, a slot of pico 917504/,
    );
  });

  test.each([
    ['a model whose arena does not fit', wideModel, /ARENA_TOO_SMALL.*pico has 204800/],
    ['a float model', () => denseModel(), /IMAGE_INVALID.*float32/],
  ])('%s', async (_, make, message) => {
    const { device } = connect();
    await expect(push(device, writeModel(make()))).rejects.toThrow(message);
  });

  test('an image for another target', async () => {
    const { device } = connect();
    const wrong = buildSlotImage(writeModel(model), model, await loadTarget('nano33ble'));
    await expect(push(device, wrong)).rejects.toThrow(/the image is for nano33ble, the device is a pico/);
    expect((await device.slots()).every(({ len }) => len === 0)).toBe(true);
    await uploadImage(device.client, wrong);
    await expect(device.client.request(atollCommands.selfTest, { slot: 0 })).rejects.toThrow(/WRONG_TARGET.*nano33ble/);
  });

  test('nothing is sent to a device that cannot store or run the image', async () => {
    const { device } = connect();
    const described = await device.describe();
    const says = (other: object) => Object.assign(device, { describe: async () => ({ ...described, ...other }) });
    for (const [other, message] of [
      [{ slot_bytes: 4096 }, /the image has \d+ bytes, a slot 4096/],
      [{ arena_bytes: 100 }, /needs an arena of \d+ bytes, the device has 100/],
      [{ operators: [3, 4] }, /no kernels for FULLY_CONNECTED/],
      [{ key: true }, /has a key, but the image has no signature/],
    ] as const) {
      says(other);
      await expect(push(device, image)).rejects.toThrow(
        expect.objectContaining({ code: 'PUSH_REFUSED', message: expect.stringMatching(message) }),
      );
    }
    says({ operators: [9] });
    expect(await push(device, image)).toMatchObject({ state: 'confirmed' });
  });

  test('bytes that are not a model', async () => {
    const { device } = connect();
    await expect(push(device, new Uint8Array(100).fill(7))).rejects.toThrow(/IMAGE_INVALID/);
  });

  test('an image that was not tested, a wrong hash, an empty slot, the active slot', async () => {
    const { device } = connect();
    const sha = sha256(image);
    const ask = (command: Parameters<SmpClient['request']>[0], request: object) =>
      device.client.request(command, request);
    await expect(ask(atollCommands.activate, { slot: 0, sha })).rejects.toThrow(/NO_MODEL/);
    await expect(ask(atollCommands.activate, { slot: 9, sha })).rejects.toThrow(/NO_SUCH_SLOT/);
    await uploadImage(device.client, image);
    await expect(ask(atollCommands.activate, { slot: 0, sha })).rejects.toThrow(/NOT_TESTED/);
    await expect(ask(atollCommands.activate, { slot: 0, sha: new Uint8Array(32) })).rejects.toThrow(/HASH_MISMATCH/);
    await expect(ask(atollCommands.run, {})).rejects.toThrow(/NO_MODEL/);
    await push(device, image);
    await expect(ask(atollCommands.erase, { slot: 0 })).rejects.toThrow(/SLOT_IN_USE/);
    await expect(ask(atollCommands.writeInput, { input: 3, off: 0, data: new Uint8Array(1) })).rejects.toThrow(
      /NO_SUCH_TENSOR/,
    );
    await expect(ask(atollCommands.writeInput, { input: 0, off: 899, data: new Uint8Array(2) })).rejects.toThrow(
      /OFFSET_NOT_VALID/,
    );
  });
});

describe('a model that is never confirmed', () => {
  async function activateOnly(device: DeviceClient, bytes: Uint8Array): Promise<void> {
    await uploadImage(device.client, bytes);
    const slot = (await device.slots()).find(({ active }) => !active)?.slot ?? 0;
    const index =
      (await device.slots()).find(({ sha }) => sha !== undefined && Buffer.compare(sha, sha256(bytes)) === 0)?.slot ??
      slot;
    await device.client.request(atollCommands.selfTest, { slot: index });
    await device.client.request(atollCommands.activate, { slot: index, sha: sha256(bytes) });
  }

  test('falls back after three boots', async () => {
    const { device } = connect();
    await push(device, image);
    await activateOnly(device, otherImage);
    for (let boot = 1; boot <= 2; boot++) {
      await device.reset();
      expect((await device.slots()).find(({ active }) => active)).toMatchObject({ pending: true, attempts: boot });
    }
    await device.reset();
    expect(await device.activeModel()).toBe(Buffer.from(sha256(writeModel(model))).toString('hex'));
  });

  test('falls back when the time is over', async () => {
    let now = 0;
    const { device } = connect({ confirmTimeoutMs: 1000, now: () => now });
    await activateOnly(device, image);
    expect(await device.activeModel()).not.toBeNull();
    now = 1001;
    expect(await device.activeModel()).toBeNull();
  });
});

test('a device whose upload never progresses does not block the host for ever', async () => {
  const { simulated } = connect();
  const transport = simulated.connect();
  const send = transport.send.bind(transport);
  const stuck: Transport = Object.assign(transport, {
    // Answers every upload as the device would that has nothing yet.
    send: async (packet: Uint8Array) => {
      if (packet[5] === 8 && packet[7] === 0)
        setImmediate(() =>
          transport.onPacket?.(encodePacket({ ...decodePacket(packet), op: 3, payload: encodePayload({ off: 0 }) })),
        );
      else await send(packet);
    },
  });
  await expect(uploadImage(new SmpClient(stuck, quick), image)).rejects.toThrow(/repeatedly asks for offset 0 after 0/);
});

test('a device that never answers gives a coded error, a closed one too', async () => {
  const { device, simulated } = connect({ maxPacketBytes: 4 });
  await expect(device.describe()).rejects.toThrow(
    expect.objectContaining({ code: 'DEVICE_TIMEOUT', message: expect.stringMatching(/within 600 ms, in 4/) }),
  );
  await device.close();
  await expect(device.describe()).rejects.toThrow(expect.objectContaining({ code: 'DEVICE_CLOSED' }));
  expect(await simulated.answer(Uint8Array.of(1, 2, 3))).toBeNull();
});

test('a protocol that is not known is refused, and a profile that never ends', async () => {
  const { device } = connect();
  await push(device, image);
  const ask = device.client.ask.bind(device.client);
  const answering = (id: number, change: (value: object) => object) =>
    Object.assign(device.client, {
      ask: async (command: { id: number }, ...rest: [object]) => {
        const answer = await ask(command as never, ...(rest as [never]));
        return command.id === id && answer.ok ? { ok: true, value: change(answer.value) } : answer;
      },
    });
  answering(atollCommands.profile.id, (value) => ({ ...value, next: 70_000 }));
  await expect(device.profile()).rejects.toThrow(/continues at 70000/);
  // What a device says of itself is asked again after a reset only.
  await device.reset();
  answering(atollCommands.describe.id, (value) => ({ ...value, proto: 2 }));
  await expect(device.describe()).rejects.toThrow(
    expect.objectContaining({ code: 'DEVICE_PROTOCOL', message: expect.stringContaining('version 2') }),
  );
});

test('echo, params, info; unsupported commands give ENOTSUP, in both versions', async () => {
  const { device, simulated } = connect();
  expect(await device.echo('hello')).toBeGreaterThanOrEqual(0);
  expect(await device.client.request(osCommands.params, {})).toMatchObject({ buf_size: 2048, buf_count: 4 });
  expect((await device.client.request(osCommands.info, {})).output).toContain('Atoll');
  const answer = async (text: string): Promise<string> =>
    Buffer.from((await simulated.answer(new Uint8Array(Buffer.from(text, 'hex')))) ?? []).toString('hex');
  // Image group (1), state read: not there. The answer carries rc 8 in v2 and in v1.
  expect(await answer('0800000100010500a0')).toBe('0900000500010500a162726308');
  expect(await answer('0000000100010500a0')).toBe('0100000500010500a162726308');
  // A group error: err in v2, 256 + rc in v1 (run without a model: NO_MODEL, 3).
  expect(await answer('0a00000141540106a0')).toContain(Buffer.from('err').toString('hex'));
  expect(await answer('0200000141540106a0')).toMatch(/^030000..4154010\d.*627263190103/);
});

test('runs, latency and profile come from the device', async () => {
  const { device } = connect();
  const pushed = await push(device, image);
  await expect(device.runner(model, 'ab'.repeat(32))).rejects.toThrow(
    expect.objectContaining({ code: 'DEVICE_OTHER_MODEL' }),
  );
  const runner = await device.runner(model, pushed.model);
  const { output, latencyMs } = await runner.run(new Uint8Array(900).fill(5));
  expect(output.byteLength).toBe(10);
  expect(runner.basis).toBe('simulated');
  expect(latencyMs).toBeCloseTo((1000 * ((9000 + 16 * 10) * 9.008 + 2000)) / 133e6, 1);
  expect(await device.client.request(atollCommands.profile, {})).toMatchObject({ ops: [[9, expect.any(Number)]] });
});
