// Real compiled models on the emulated accelerator, beside the models that they were compiled from on the simulator.

import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import { AcceleratedModel, attachAccelerator, EmulatedAccelerator } from '../../src/devices/accelerator/index.js';
import type { UsbSetup } from '../../src/devices/transport/index.js';
import { readModel } from '../../src/formats/tflite/index.js';
import { Interpreter } from '../../src/simulator/index.js';
import { sharedBytes, sharedTest } from '../support/shared.js';

function sampleOf(bytes: number, seed: number): Uint8Array {
  // Smooth areas with some noise, as images have them.
  return Uint8Array.from(
    { length: bytes },
    (_, i) => (128 + 100 * Math.sin(i / (90 + 17 * seed)) + ((i * 2654435761) >>> 27)) & 255,
  );
}

sharedTest.each([
  ['mobilenet_v1_0.25_128_quant', 2],
  ['deeplabv3_mnv2_dm05_pascal_quant', 1],
])('%s gives the outputs of the uncompiled model', { timeout: 120_000 }, async (name, samples) => {
  const [uncompiled, compiled] = [`coral/${name}.tflite`, `coral/${name}_edgetpu.tflite`].map((file) =>
    readModel(sharedBytes('models', file), file),
  );
  if (uncompiled === undefined || compiled === undefined) throw new Error('unreachable');
  const emulated = new EmulatedAccelerator({ models: [{ compiled, uncompiled }] });
  const accelerator = await attachAccelerator('usb:18d1:9302', { devices: emulated.devices, settleMs: 0 });
  const model = new AcceleratedModel(compiled, name);
  const simulator = new Interpreter(uncompiled);
  expect(model.inputs.map(({ bytes, type }) => [bytes, type])).toEqual(
    simulator.inputs.map(({ bytes, type }) => [bytes, type]),
  );
  for (let seed = 1; seed <= samples; seed++) {
    const sample = sampleOf(model.inputBytes, seed);
    const { output } = await model.run(accelerator, sample);
    expect(Buffer.compare(output, simulator.run(sample))).toBe(0);
  }
  // What is segmented may all be background: what comes from the accelerator is not all the same.
  const [program] = model.programs;
  if (program === undefined) throw new Error('no program');
  const [features] = await accelerator.run(program, [sampleOf(model.inputBytes, 1)]);
  expect(new Set(features).size).toBeGreaterThan(3);
  expect(emulated.chip.refusal).toBeNull();
  await accelerator.close();
});

// Recorded on the same emulated device: libedgetpu (google-coral/libedgetpu, e35aed1), performance max, two inferences
// of MobileNet between open and close.
sharedTest("the driver does to the device what Google's does, transfer for transfer", async () => {
  const recorded = readFileSync('test/fixtures/edgetpu/libedgetpu-mobilenet.txt', 'utf8').trim().split('\n');
  const [uncompiled, compiled] = ['', '_edgetpu'].map((suffix) => {
    const file = `coral/mobilenet_v1_0.25_128_quant${suffix}.tflite`;
    return readModel(sharedBytes('models', file), file);
  });
  if (uncompiled === undefined || compiled === undefined) throw new Error('unreachable');
  const emulated = new EmulatedAccelerator({ models: [{ compiled, uncompiled }] });
  const log = recordedBy(emulated);
  const accelerator = await attachAccelerator('usb:18d1:9302', {
    devices: emulated.devices,
    settleMs: 0,
    performance: 'max',
  });
  const model = new AcceleratedModel(compiled, 'mobilenet');
  for (let run = 0; run < 2; run++) await model.run(accelerator, sampleOf(model.inputBytes, run));
  await accelerator.close();
  expect(log).toEqual(recorded);
});

/** What comes over the bus, written as in the recording: set-up packets with their data, lengths of what goes out. */
function recordedBy({ chip }: EmulatedAccelerator): string[] {
  const log: string[] = [];
  const [controlIn, controlOut, out, reset] = [
    chip.controlIn.bind(chip),
    chip.controlOut.bind(chip),
    chip.out.bind(chip),
    chip.reset.bind(chip),
  ];
  const note = (kind: number, { request, value, index }: UsbSetup, length: number, data: string): void => {
    const setup = Buffer.alloc(8);
    setup.writeUInt8(kind, 0);
    setup.writeUInt8(request, 1);
    setup.writeUInt16LE(value, 2);
    setup.writeUInt16LE(index, 4);
    setup.writeUInt16LE(length, 6);
    log.push(`control ${setup.toString('hex')} ${data}`);
  };
  chip.controlIn = (setup, length) => {
    note(0xc0, setup, length, '');
    return controlIn(setup, length);
  };
  chip.controlOut = (setup, data) => {
    note(0x40, setup, data.byteLength, Buffer.from(data).toString('hex'));
    return controlOut(setup, data);
  };
  chip.out = (endpoint, data) => {
    log.push(`out ${endpoint} ${data.byteLength}`);
    return out(endpoint, data);
  };
  chip.reset = () => {
    log.push('reset');
    return reset();
  };
  return log;
}
