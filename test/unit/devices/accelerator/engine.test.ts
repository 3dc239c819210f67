import { describe, expect, test } from 'vitest';
import {
  type AttachOptions,
  acceleratorEngine,
  attachAccelerator,
  EmulatedAccelerator,
} from '../../../../src/devices/accelerator/index.js';
import { buildImageFor } from '../../../../src/devices/bundle/index.js';
import { ServedDevice } from '../../../../src/devices/simulated/index.js';
import { Slots } from '../../../../src/devices/simulated/slots.js';
import { writeModel } from '../../../../src/formats/tflite/index.js';
import { loadTarget } from '../../../../src/targets/index.js';
import { compiledPair } from '../../../support/compiled-pair.js';

const pair = compiledPair();
const sample = new Uint8Array(80).fill(7);
const uri = 'usb:18d1:9302';

function setUp(options: AttachOptions = {}) {
  const usb = new EmulatedAccelerator({ models: [pair] });
  let attached = 0;
  const attach = () => {
    attached += 1;
    return attachAccelerator(uri, { devices: usb.devices, settleMs: 0, comingBackMs: 50, ...options });
  };
  return { usb, attach, attachedTimes: () => attached };
}

describe('an engine over an accelerator', () => {
  test('reopens it once for all requests after it was lost', async () => {
    const { usb, attach, attachedTimes } = setUp();
    const engine = await acceleratorEngine(attach, { emulated: usb });
    const execution = await engine.load(pair.compiled, 0);
    const expected = (await execution.run(sample)).output;
    usb.unplug();
    // Told by what waits for an interrupt, long before anybody asks.
    await new Promise((resolve) => setTimeout(resolve, 20));
    usb.plugIn();
    const outputs = await Promise.all([
      execution.run(sample),
      execution.run(sample),
      engine.load(pair.compiled, 0).then((again) => again.run(sample)),
    ]);
    for (const { output } of outputs) expect(output).toEqual(expected);
    expect(attachedTimes()).toBe(2);
    await engine.close();
    expect((await usb.devices())[0]?.opened).toBe(false);
  });

  test('reports the outage, and continues afterwards', async () => {
    const { usb, attach } = setUp();
    const engine = await acceleratorEngine(attach);
    const execution = await engine.load(pair.compiled, 0);
    usb.unplug();
    for (let asked = 0; asked < 2; asked++)
      await expect(execution.run(sample)).rejects.toMatchObject({
        code: expect.stringMatching(/^(DEVICE_CLOSED|USB_CHOICE)$/),
      });
    usb.plugIn();
    expect((await execution.run(sample)).output).toHaveLength(640);
    await engine.close();
  });

  test('does not open anything once it is closed', async () => {
    const { usb, attach, attachedTimes } = setUp();
    const engine = await acceleratorEngine(attach);
    const execution = await engine.load(pair.compiled, 0);
    await engine.close();
    for (let asked = 0; asked < 2; asked++)
      await expect(execution.run(sample)).rejects.toMatchObject({ code: 'DEVICE_CLOSED' });
    expect(attachedTimes()).toBe(1);
    expect((await usb.devices())[0]?.opened).toBe(false);
  });

  test('closed while it is being opened, it releases the device', async () => {
    const { usb, attach } = setUp({ settleMs: 30 });
    const engine = await acceleratorEngine(attach);
    const execution = await engine.load(pair.compiled, 0);
    usb.unplug();
    usb.plugIn();
    await execution.run(sample).catch(() => undefined);
    const late = execution.run(sample).catch((error: unknown) => error);
    await engine.close();
    await late;
    expect((await usb.devices())[0]?.opened).toBe(false);
  });
});

test('a device that was reset while its accelerator was away runs its model when that is back', async () => {
  const { usb, attach } = setUp();
  const engine = await acceleratorEngine(attach);
  const target = await loadTarget('coral-usb');
  const slots = new Slots();
  slots.append(
    slots.inactive,
    buildImageFor(writeModel(pair.compiled), pair.compiled, target, { uncompiled: pair.uncompiled }),
  );
  slots.activate(slots.inactive);
  const device = new ServedDevice(target, engine, { slots });
  await device.running();
  usb.unplug();
  device.reset();
  await expect(device.running()).rejects.toMatchObject({ code: 'USB_CHOICE' });
  usb.plugIn();
  expect((await device.running()).outputBytes).toBe(640);
  await engine.close();
});
