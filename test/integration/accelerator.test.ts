// Real compiled models on the emulated accelerator, beside the models that they were compiled from on the simulator.

import { expect } from 'vitest';
import { AcceleratedModel, attachAccelerator, EmulatedAccelerator } from '../../src/accelerator/index.js';
import { Interpreter } from '../../src/simulator/index.js';
import { readModel } from '../../src/tflite/index.js';
import { sharedBytes, sharedTest } from '../support/shared.js';

function sampleOf(bytes: number, seed: number): Uint8Array {
  // Smooth areas with some noise, as images have them.
  return Uint8Array.from({ length: bytes }, (_, i) => (128 + 100 * Math.sin(i / (90 + 17 * seed)) + ((i * 2654435761) >>> 27)) & 255);
}

sharedTest.each([
  ['mobilenet_v1_0.25_128_quant', 2],
  ['deeplabv3_mnv2_dm05_pascal_quant', 1],
])('%s gives the outputs of the uncompiled model', { timeout: 120_000 }, async (name, samples) => {
  const [uncompiled, compiled] = [`coral/${name}.tflite`, `coral/${name}_edgetpu.tflite`].map((file) => readModel(sharedBytes('models', file), file));
  if (uncompiled === undefined || compiled === undefined) throw new Error('unreachable');
  const emulated = new EmulatedAccelerator({ models: [{ compiled, uncompiled }] });
  const accelerator = await attachAccelerator('usb:18d1:9302', { devices: emulated.devices, settleMs: 0 });
  const model = new AcceleratedModel(compiled, name);
  const simulator = new Interpreter(uncompiled);
  expect(model.inputs.map(({ bytes, type }) => [bytes, type])).toEqual(simulator.inputs.map(({ bytes, type }) => [bytes, type]));
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
