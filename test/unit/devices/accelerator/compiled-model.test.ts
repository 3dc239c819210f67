import { expect, test } from 'vitest';
import { AcceleratedModel, attachAccelerator, EmulatedAccelerator } from '../../../../src/devices/accelerator/index.js';
import { openDevice } from '../../../../src/devices/open-device.js';
import { TensorType } from '../../../../src/formats/tflite/index.js';
import { Interpreter } from '../../../../src/simulator/index.js';
import { compiledPair, pairWithEdges } from '../../../support/compiled-pair.js';
import { floatBytes } from '../../../support/files.js';
import { denseModel } from '../../../support/models.js';

async function attach(emulated: EmulatedAccelerator) {
  return attachAccelerator('usb:18d1:9302', { devices: emulated.devices, settleMs: 0 });
}

test('operators before and after the compiled part run on the host: real values in, classes out', async () => {
  const pair = pairWithEdges();
  const emulated = new EmulatedAccelerator({ models: [pair] });
  const accelerator = await attach(emulated);
  const model = new AcceleratedModel(pair.compiled, 'edges');
  const simulator = new Interpreter(pair.uncompiled);
  for (const seed of [1, 2, 3]) {
    const sample = new Uint8Array(floatBytes(Array.from({ length: 80 }, (_, i) => 6 * Math.sin(seed * i))));
    const { output, latencyMs, deviceMs } = await model.run(accelerator, sample);
    expect(output).toEqual(simulator.run(sample));
    expect(latencyMs).toBeGreaterThan(deviceMs);
  }
  await accelerator.close();
});

test('a sample of another size, and a model that is not compiled, are refused', async () => {
  const pair = compiledPair();
  const accelerator = await attach(new EmulatedAccelerator({ models: [pair] }));
  await expect(new AcceleratedModel(pair.compiled, 'm').run(accelerator, new Uint8Array(3))).rejects.toMatchObject({
    code: 'INPUT_SIZE',
  });
  expect(() => new AcceleratedModel(denseModel(), 'dense.tflite')).toThrow(
    expect.objectContaining({ code: 'EDGETPU_UNCOMPILED' }),
  );
  await accelerator.close();
});

test('a graph that does not fit its program is refused, not run', () => {
  const wrong = compiledPair().compiled;
  const [graph] = wrong.subgraphs;
  const [output] = Array.from(graph?.operators[0]?.outputs ?? []);
  const tensor = graph?.tensors[output ?? -1];
  if (tensor === undefined) throw new Error('no tensor');
  tensor.type = TensorType.INT32;
  expect(() => new AcceleratedModel(wrong, 'm')).toThrow(
    expect.objectContaining({
      code: 'EDGETPU_EXECUTABLE',
      message: expect.stringContaining('640 bytes of int8, its tensor 2560 of int32'),
    }),
  );
});

test('a compiled model is not accepted with the uncompiled form of another one', () => {
  const { compiled } = compiledPair();
  expect(() => new EmulatedAccelerator({ models: [{ compiled, uncompiled: denseModel() }] })).toThrow(
    expect.objectContaining({ code: 'EDGETPU_TWIN' }),
  );
  expect(() => new EmulatedAccelerator({ models: [{ compiled: denseModel(), uncompiled: denseModel() }] })).toThrow(
    expect.objectContaining({ code: 'EDGETPU_TWIN' }),
  );
});

test('as a device: its failures keep their own codes', async () => {
  const pair = compiledPair();
  let broken = false;
  const emulated = new EmulatedAccelerator({ models: [pair], fault: () => (broken ? 'unplug' : null) });
  const device = await openDevice('usb:18d1:9302', { accelerator: { devices: emulated.devices, settleMs: 0 } });
  expect(await device.describe()).toMatchObject({
    target: 'coral-usb',
    runtime: 'libedgetpu',
    runtime_version: '14',
    features: ['edgetpu', 'infer', 'stats'],
  });
  broken = true;
  const { push } = await import('../../../../src/devices/client/index.js');
  const { buildImageFor } = await import('../../../../src/devices/bundle/index.js');
  const { loadTarget } = await import('../../../../src/targets/index.js');
  const { writeModel } = await import('../../../../src/formats/tflite/index.js');
  const image = buildImageFor(writeModel(pair.compiled), pair.compiled, await loadTarget('coral-usb'), {
    uncompiled: pair.uncompiled,
  });
  await expect(push(device, image)).rejects.toMatchObject({
    code: 'DEVICE_CLOSED',
    message: expect.stringContaining('NO_DEVICE'),
  });
  await device.close();
});
