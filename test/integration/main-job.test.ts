// The numbers of the main job, on real models: accuracy after quantization, agreement with the official int8 files, and
// the official keyword model on a simulated board over the protocol.

import { describe, expect, test } from 'vitest';
import { openDataset } from '../../src/data/index.js';
import { buildSlotImage, checkFile } from '../../src/devices/bundle/index.js';
import { push } from '../../src/devices/client/index.js';
import { openDevice } from '../../src/devices/open-device.js';
import { evaluate, hostRunner, runBatch } from '../../src/evaluate/index.js';
import {
  constantBytes,
  type Model,
  mainSubgraph,
  readModel,
  type Tensor,
  writeModel,
} from '../../src/formats/tflite/index.js';
import { optimize } from '../../src/optimize/passes/index.js';
import { applyPlan, planQuantization, quantize, type Range } from '../../src/optimize/quantize/index.js';
import { Interpreter } from '../../src/simulator/index.js';
import { loadTarget } from '../../src/targets/index.js';
import { sharedBytes, sharedPath, sharedTest } from '../support/shared.js';

const official = (name: string): Model => readModel(sharedBytes('models', 'mlperf-tiny', `${name}.tflite`), name);

sharedTest('kws: int8 by us keeps at least 91.0 % of keywords', async () => {
  const float = official('kws_ref_model_float');
  const { model, warnings } = await quantize(float, [await openDataset(sharedPath('data', 'kws_calibration.yaml'))]);
  expect(warnings).toEqual([]);
  const result = await evaluate(hostRunner(model), await openDataset(sharedPath('data', 'kws01.yaml')));
  expect(result.samples).toBe(1000);
  expect(result.value).toBeGreaterThanOrEqual(0.91);
});

sharedTest('kws: the float model has the accuracy that its publishers give', async () => {
  const result = await evaluate(
    hostRunner(optimize(official('kws_ref_model_float')).model),
    await openDataset(sharedPath('data', 'kws01.yaml')),
  );
  expect(result.value).toBe(0.915);
});

describe('weights equal those of the official int8 files', () => {
  /**
   * Activation ranges are taken from the official file, since its calibration data is not at hand; they matter here
   * only for channels whose weights are all but zero: their scale follows from the bias and the input's scale.
   */
  sharedTest.for([
    ['vww_96_float', 'vww_96_int8'],
    ['pretrainedResnet', 'pretrainedResnet_quant'],
    ['ad01_fp32', 'ad01_int8'],
  ] as const)('%s', ([floatName, int8Name]) => {
    const float = optimize(official(floatName)).model;
    const theirs = official(int8Name);
    const plan = planQuantization(float, new Map([[0, officialRanges(float, theirs)]]));
    const ours = readModel(writeModel(applyPlan(float, plan)));
    let scaleError = 0;
    let weights = 0;
    let different = 0;
    let largest = 0;
    mainSubgraph(ours).operators.forEach((operator, o) => {
      const a = constantOf(ours, operator.inputs?.[1]);
      const b = constantOf(theirs, mainSubgraph(theirs).operators[o]?.inputs?.[1]);
      if (a === null || b === null || operator.inputs?.length !== 3) return;
      expect(a.scales.length).toBe(b.scales.length);
      a.scales.forEach((scale, c) => {
        scaleError = Math.max(scaleError, Math.abs(scale / (b.scales[c] as number) - 1));
      });
      a.values.forEach((value, i) => {
        const difference = Math.abs(value - (b.values[i] as number));
        weights += 1;
        different += Number(difference > 0);
        largest = Math.max(largest, difference);
      });
    });
    expect(weights).toBeGreaterThan(70000);
    expect(scaleError).toBeLessThan(1e-6);
    expect(largest).toBeLessThanOrEqual(1);
    expect(different / weights).toBeLessThanOrEqual(0.0001);
  });
});

function officialRanges(float: Model, theirs: Model): (Range | null)[] {
  const ranges: (Range | null)[] = mainSubgraph(float).tensors.map(() => null);
  const [a, b] = [mainSubgraph(float), mainSubgraph(theirs)];
  const take = (ourTensor: number | undefined, theirTensor: number | undefined): void => {
    const quantization = b.tensors[theirTensor ?? -1]?.quantization;
    const scale = quantization?.scale?.[0] ?? 1;
    const zeroPoint = Number(quantization?.zeroPoint?.[0] ?? 0n);
    ranges[ourTensor ?? -1] = { min: scale * (-128 - zeroPoint), max: scale * (127 - zeroPoint) };
  };
  take(a.inputs?.[0], b.inputs?.[0]);
  for (const [o, operator] of a.operators.entries()) take(operator.outputs?.[0], b.operators[o]?.outputs?.[0]);
  return ranges;
}

function constantOf(model: Model, index: number | undefined): { scales: Float32Array; values: Int8Array } | null {
  const tensor = mainSubgraph(model).tensors[index ?? -1] as Tensor | undefined;
  const bytes = tensor === undefined ? null : constantBytes(model, tensor);
  const scales = tensor?.quantization?.scale;
  return bytes === null || scales == null
    ? null
    : { scales, values: new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength) };
}

sharedTest(
  'the official kws model on sim:qemu-mps2-an386, over the protocol: 1,000 outputs byte for byte',
  async () => {
    const bytes = sharedBytes('models', 'mlperf-tiny', 'kws_ref_model.tflite');
    const model = readModel(bytes);
    const target = await loadTarget('qemu-mps2-an386');
    const device = await openDevice('sim:qemu-mps2-an386');
    const pushed = await push(device, buildSlotImage(bytes, model, target));
    expect(pushed.arenaBytes).toBe(22772);
    const result = await runBatch(
      await device.runner(model, pushed.model),
      sharedBytes('golden', 'kws_ref_model', 'input.bin'),
      'input.bin',
    );
    expect(result.samples).toBe(1000);
    expect(Buffer.compare(result.outputs, sharedBytes('golden', 'kws_ref_model', 'output.bin'))).toBe(0);
    expect(result.latencyMs.basis).toBe('simulated');
    await device.close();
  },
);

sharedTest('check accepts a model that no kernel supports, and reports why it does not fit', async () => {
  const bytes = sharedBytes('models', 'mlperf-tiny', 'kws_ref_model_dynamic_range.tflite');
  const result = checkFile(bytes, readModel(bytes), await loadTarget('pico'));
  expect(result.fits).toBe(false);
  expect(result.reasons.map(({ code }) => code)).toContain('DYNAMIC_RANGE');
});

test('a simulated device knows only the kinds that have a target file', async () => {
  await expect(openDevice('sim:nonesuch')).rejects.toThrow(expect.objectContaining({ code: 'TARGET_UNKNOWN' }));
  await expect(openDevice('nonsense')).rejects.toThrow(expect.objectContaining({ code: 'DEVICE_UNKNOWN' }));
});

describe('models that are quantized already keep every bit', () => {
  sharedTest.for([
    ['mlperf-tiny/kws_ref_model.tflite', 'uint8'],
    ['mlperf-tiny/vww_96_int8.tflite', 'uint8'],
    ['mlperf-tiny/pretrainedResnet_quant.tflite', 'uint8'],
    ['mlperf-tiny/ad01_int8.tflite', 'uint8'],
    ['tflite-micro/person_detect.tflite', 'uint8'],
    ['coral/tf2_mobilenet_v2_1.0_224_ptq.tflite', 'int8'],
    ['coral/split_concat.tflite', 'int8'],
  ] as const)('%s with %s inputs and outputs', async ([file, io]) => {
    const theirs = readModel(sharedBytes('models', file));
    const { model, calibration } = await quantize(theirs, [], { io });
    expect(calibration).toBeNull();
    const [a, b] = [new Interpreter(theirs), new Interpreter(model)];
    // The bytes of int8 and uint8 differ in their first bit.
    const shifted = (bytes: Uint8Array): Uint8Array => bytes.map((byte) => byte ^ 0x80);
    for (let sample = 0; sample < 3; sample++) {
      const input = Uint8Array.from({ length: a.inputBytes }, (_, i) => 128 + 100 * Math.sin(i / 17 + sample));
      expect(Buffer.compare(shifted(a.run(input)), b.run(shifted(input)))).toBe(0);
    }
  });
});
