// The USB transport against a device in this process: transfers and their ends, stalls, garbage, and the plug pulled at
// every transfer.

import { describe, expect, test } from 'vitest';
import { buildSlotImage } from '../../../src/devices/bundle/index.js';
import { attachedUsb, DeviceClient, push, usbOfTarget } from '../../../src/devices/client/index.js';
import { SimulatedDevice, type SimulatedDeviceOptions } from '../../../src/devices/simulated/index.js';
import { connectUsb, openUsb, parseAddress } from '../../../src/devices/transport/index.js';
import { writeModel } from '../../../src/formats/tflite/index.js';
import { loadTarget } from '../../../src/targets/index.js';
import { FakeUsb, type FakeUsbOptions } from '../../support/fake-usb.js';
import { int8Dense } from '../../support/models.js';

const target = await loadTarget('pico');
const model = int8Dense(300);
const image = buildSlotImage(writeModel(model), model, target);
const retries = { timeoutMs: 60, attempts: 4 };

async function plug(
  usb: FakeUsbOptions = {},
  device: SimulatedDeviceOptions = {},
): Promise<{ simulated: SimulatedDevice; fake: FakeUsb; client: DeviceClient }> {
  const simulated = new SimulatedDevice(target, device);
  const fake = new FakeUsb(simulated, usb);
  return { simulated, fake, client: new DeviceClient(await connectUsb('usb:2e8a:000a', fake), retries) };
}

test.each([64, 512])('a push and a run, over USB packets of %d bytes', async (packetSize) => {
  const { fake, client } = await plug({ packetSize });
  expect(fake.claimed).toBe(1);
  expect(fake.configuration?.configurationValue).toBe(1);
  const { model: sha } = await push(client, image);
  const { output } = await (await client.runner(model, sha)).run(new Uint8Array(300).fill(3));
  expect(output.byteLength).toBe(10);
  await client.close();
  await client.close();
  expect(fake.opened).toBe(false);
});

test(
  'packets of every length around that of a USB packet, with ' + 'and without an empty one behind full ones',
  async () => {
    for (let length = 98; length < 128; length++) {
      const { client } = await plug();
      await client.echo('x'.repeat(length));
      await client.close();
    }
    // A device that ends nothing is heard with its next answer.
    const { client } = await plug({ endsNothing: true });
    for (let length = 110; length < 116; length++)
      await client
        .echo('x'.repeat(length))
        .catch((error: unknown) => expect(error).toMatchObject({ code: 'DEVICE_TIMEOUT' }));
    await client.close();
  },
);

test('after a lost response the request is repeated, and closing does not wait for it', async () => {
  const { client } = await plug({}, { faults: ['lost-response'] });
  for (let i = 0; i < 25; i++) await client.echo('hello');
  const begin = performance.now();
  await client.close();
  expect(performance.now() - begin).toBeLessThan(5000);
});

test('stalls are cleared; a device that stalls again and again is given up', async () => {
  const { fake, client } = await plug({ stallReads: [2, 5, 6] });
  for (let i = 0; i < 8; i++) await client.echo('hello');
  expect(fake.halted).toBe(3);
  const stuck = await plug({ stallReads: Array.from({ length: 50 }, (_, i) => i + 1) });
  await expect(stuck.client.echo('hello')).rejects.toThrow(/stalls repeatedly/);
});

test('garbage gives a coded error', async () => {
  for (const garble of [
    () => new Uint8Array(200).fill(0x55),
    (answer: Uint8Array) => answer.subarray(0, 5),
    () => new Uint8Array(0),
    () => new Uint8Array(4096).fill(0xff),
  ]) {
    const { client } = await plug({ garble });
    await expect(client.describe()).rejects.toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^(DEVICE_TIMEOUT|DEVICE_CLOSED)$/) }),
    );
    await client.close();
  }
});

test('unplugged at every transfer: an error, no hang, and the next push resumes', async () => {
  const { fake: whole, client: first } = await plug({}, { maxPacketBytes: 700 });
  await push(first, image);
  const { transfers } = whole;
  expect(transfers).toBeGreaterThan(20);
  for (let unplugAt = 1; unplugAt <= transfers; unplugAt++) {
    const { simulated, client } = await plug({ unplugAt }, { maxPacketBytes: 700 });
    await expect(push(client, image)).rejects.toThrow(
      expect.objectContaining({ code: 'DEVICE_CLOSED', message: expect.stringContaining('LIBUSB_ERROR_NO_DEVICE') }),
    );
    const again = new DeviceClient(await connectUsb('usb:2e8a:000a', new FakeUsb(simulated)), retries);
    expect(await push(again, image)).toMatchObject({ state: 'confirmed' });
  }
});

describe('finding a device', () => {
  const address = (uri: string) => parseAddress(uri, { usb: [] });
  const fakes =
    (...all: FakeUsbOptions[]) =>
    async () =>
      all.map((options) => new FakeUsb(new SimulatedDevice(target), options));

  test('by ids and serial number; nothing is guessed where several match', async () => {
    const two = fakes({ serialNumber: 'A1' }, { serialNumber: 'B2' });
    await expect(openUsb(address('usb:2e8a:000a'), two)).rejects.toThrow(
      /2 USB devices match 2e8a:000a; attached: A1, B2/,
    );
    await expect(openUsb(address('usb:2e8a:000a/C3'), two)).rejects.toThrow(/0 USB devices match/);
    expect((await openUsb(address('usb:2E8A:a/B2'), two)).name).toBe('usb:2E8A:a/B2');
    await expect(openUsb(address('usb:1234:5678'), two)).rejects.toThrow(
      expect.objectContaining({ code: 'USB_CHOICE' }),
    );
    await expect(openUsb(address('usb:pico'), two)).rejects.toThrow(
      expect.objectContaining({ code: 'DEVICE_UNKNOWN' }),
    );
  });

  test('an accelerator is one device in two states', async () => {
    const coral = await loadTarget('coral-usb');
    const before = fakes({ ids: [0x1a6e, 0x089a] });
    const after = fakes({ ids: [0x18d1, 0x9302] }, { ids: [1, 2] });
    expect(await usbOfTarget(coral, before)).toBe('usb:1a6e:089a');
    expect(await usbOfTarget(coral, after)).toBe('usb:18d1:9302');
    expect((await attachedUsb([coral], after)).map(({ targets }) => targets)).toEqual([
      [{ id: 'coral-usb', state: expect.any(String) }],
    ]);
    await expect(usbOfTarget(coral, fakes())).rejects.toThrow(/0 USB devices match coral-usb/);
  });

  test('a device without such an interface, in use, or without permission', async () => {
    const broken = (change: object) => Object.assign(new FakeUsb(new SimulatedDevice(target)), change);
    const refusing = (message: string) => broken({ claimInterface: () => Promise.reject(new Error(message)) });
    await expect(connectUsb('usb:1:2', broken({ configurations: [] }))).rejects.toThrow(
      expect.objectContaining({ code: 'USB_NO_INTERFACE' }),
    );
    await expect(connectUsb('usb:1:2', refusing('claimInterface error: Error: LIBUSB_ERROR_BUSY'))).rejects.toThrow(
      expect.objectContaining({ code: 'USB_BUSY' }),
    );
    await expect(connectUsb('usb:1:2', refusing('open error: Error: LIBUSB_ERROR_ACCESS'))).rejects.toThrow(
      expect.objectContaining({ code: 'USB_PERMISSION' }),
    );
    await expect(connectUsb('usb:1:2', refusing('something else'))).rejects.toThrow(
      expect.objectContaining({ code: 'DEVICE_UNREACHABLE' }),
    );
  });
});
