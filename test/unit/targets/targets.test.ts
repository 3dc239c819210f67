import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { TensorType, writeModel } from '../../../src/formats/tflite/index.js';
import {
  budgetOf,
  calibrateTarget,
  checkModel,
  estimateLatency,
  loadTarget,
  shippedTargets,
  targetFaults,
} from '../../../src/targets/index.js';
import { checks } from '../../../src/targets/validate.js';
import { temporaryFolder, writeFiles } from '../../support/files.js';
import { denseModel, denseOptions, modelOf, wideModel } from '../../support/models.js';

const folder = temporaryFolder();
const file = (id: string): string => readFileSync(new URL(`../../../targets/${id}.yaml`, import.meta.url), 'utf8');

test('every shipped target loads, and is named like its file', async () => {
  const ids = await shippedTargets();
  expect(ids).toEqual(expect.arrayContaining(['coral-usb', 'nano33ble', 'nucleo-l4r5zi', 'pico', 'qemu-mps2-an386']));
  for (const id of ids) expect((await loadTarget(id)).id).toBe(id);
});

test('an unknown target names the nearest', async () => {
  await expect(loadTarget('nano33bel')).rejects.toThrow(/did you mean nano33ble\?/);
  await expect(loadTarget('zzzz')).rejects.toThrow(/^there is no target zzzz$/);
});

describe('target files with faults', () => {
  test.each([
    ['an unknown key', (text: string) => `${text}colour: red\n`, /colour/],
    ['a missing key', (text: string) => text.replace(/^clockHz:.*\n/m, ''), /clockHz/],
    [
      'a wrong type, with its line',
      (text: string) => text.replace('clockHz: 64000000', 'clockHz: fast'),
      /line 5, clockHz/,
    ],
  ])('%s', async (_, edit, message) => {
    writeFiles(folder, { 'bad.yaml': edit(file('nano33ble')) });
    await expect(loadTarget(path.join(folder, 'bad.yaml'))).rejects.toThrow(
      expect.objectContaining({ code: 'TARGET_INVALID', message: expect.stringMatching(message) }),
    );
  });

  const sound = parse(file('nano33ble')) as object;
  test.each([
    ['flash-usable', { flash: { bytes: 10, usableBytes: 20, firmwareBytes: 5 } }],
    ['flash-room', { flash: { bytes: 20, usableBytes: 20, firmwareBytes: 20 } }],
    ['ram-room', { ram: { bytes: 10, firmwareBytes: 10 } }],
    ['core-for-kernels', { core: null }],
    ['accelerator-operators', { operatorSet: 'edgetpu' }],
    [
      'accelerator-latency',
      { runtime: { name: 'x', kernels: 'edgetpu', kernelProfile: 'tflm-reference' }, operatorSet: 'edgetpu' },
    ],
    ['clock-for-cycles', { clockHz: null }],
    ['alignment-power-of-two', { alignment: 12 }],
    ['flash-source', { sources: { ram: 'a', latency: 'a' } }],
    ['ram-source', { sources: { flash: 'a', latency: 'a' } }],
    ['power-source', { power: { milliwatts: 1, errorPercent: 1 } }],
    ['latency-source', { sources: { flash: 'a', ram: 'a' } }],
  ])('check %s', async (check, change) => {
    const own = path.join(folder, 'check.yaml');
    writeFiles(folder, { 'check.yaml': stringify(sound) });
    expect(await targetFaults(own)).toEqual([]);
    writeFiles(folder, { 'check.yaml': stringify({ ...sound, unverified: [], ...change }) });
    expect((await targetFaults(own)).map((fault) => fault.path)).toEqual([checks[check as keyof typeof checks].path]);
  });

  test('every fault is named, each with its line, also where others keep the file from being read', async () => {
    const text = file('nano33ble')
      .replace('clockHz: 64000000', 'clockHz: fast')
      .replace('alignment: 16', 'alignment: 12')
      .replace('operatorSet: tflite-micro', 'operatorSet: tflm');
    writeFiles(folder, { 'many.yaml': `${text}colour: red\n` });
    const lineOf = (start: string): number => text.split('\n').findIndex((line) => line.startsWith(start)) + 1;
    const faults = await targetFaults(path.join(folder, 'many.yaml'));
    expect(faults.map(({ line, path: at }) => [line, at])).toEqual(
      expect.arrayContaining([
        [5, 'clockHz'],
        [lineOf('alignment'), 'alignment'],
        [lineOf('operatorSet'), 'operatorSet'],
      ]),
    );
    expect(faults.map(({ reason }) => reason).join()).toMatch(/colour/);
    expect(faults).toHaveLength(4);
  });

  test("a user's own target extends a shipped one with what differs", async () => {
    writeFiles(folder, {
      'own.yaml': 'id: my-l4\nextends: nucleo-l4r5zi\nname: Mine\nram: { bytes: 655360, firmwareBytes: 300000 }\n',
      'bad-own.yaml': 'id: my-l4\nextends: nucleo-l4r5zi\nram:\n  firmwareBytes: much\n',
      'lost.yaml': 'id: my-l4\nextends: nucleo-l4r5z\n',
    });
    const [own, base] = [await loadTarget(path.join(folder, 'own.yaml')), await loadTarget('nucleo-l4r5zi')];
    expect(own).toMatchObject({
      id: 'my-l4',
      name: 'Mine',
      soc: base.soc,
      latency: base.latency,
      ram: { firmwareBytes: 300000 },
    });
    expect(budgetOf(own).arenaBytes).toBe(355360);
    // What was known of the other RAM is not known of this one.
    expect(own.sources).not.toHaveProperty('ram');
    expect(own.unverified).toContain('ram');
    await expect(loadTarget(path.join(folder, 'bad-own.yaml'))).rejects.toThrow(/line 4, ram\.firmwareBytes/);
    await expect(loadTarget(path.join(folder, 'lost.yaml'))).rejects.toThrow(
      /no target named nucleo-l4r5z; did you mean nucleo-l4r5zi/,
    );
  });

  test("a user's target file is validated like those shipped", async () => {
    writeFiles(folder, {
      'mine.yaml': file('pico')
        .replace('id: pico', 'id: my-board')
        .replace('firmwareBytes: 65536', 'firmwareBytes: 200000'),
    });
    expect(budgetOf(await loadTarget(path.join(folder, 'mine.yaml'))).arenaBytes).toBe(70336);
  });
});

describe('check', () => {
  const quantizedDense = (units: number, depth: number) =>
    modelOf(
      [
        { shape: [1, depth], type: TensorType.INT8, scale: 0.1 },
        { shape: [units, depth], data: new Int8Array(units * depth), scale: 0.1 },
        { shape: [1, units], type: TensorType.INT8, scale: 0.1 },
      ],
      [
        {
          op: 'FULLY_CONNECTED',
          inputs: [0, 1, -1],
          outputs: [2],
          options: denseOptions(),
        },
      ],
      [0],
      [2],
    );

  test('for a model that fits, check reports memory and latency', async () => {
    const model = quantizedDense(10, 20);
    const result = checkModel(model, await loadTarget('nano33ble'), writeModel(model).byteLength);
    expect(result).toMatchObject({
      fits: true,
      reasons: [],
      operators: [{ index: 0, op: 'FULLY_CONNECTED', placed: 'cpu', reason: null }],
      memory: { headBytes: 48 },
    });
    expect(result.latencyMs).toMatchObject({
      basis: 'estimate',
      value: (1000 * ((200 + 16 * 10) * 3.568 + 1000)) / 64e6,
    });
  });

  test('for a model that is too large for flash or RAM, check reports by how much', async () => {
    const target = await loadTarget('nano33ble');
    const large = quantizedDense(1000, 500);
    const flash = checkModel(large, target, writeModel(large).byteLength);
    expect(flash.fits).toBe(false);
    expect(flash.reasons.map(({ code }) => code)).toEqual(['FLASH']);
    expect(flash.reasons[0]?.message).toMatch(/a slot of nano33ble has 360448 \(\d+ too many\)/);
    expect(checkModel(wideModel(), target, 1000).reasons.map(({ code }) => code)).toEqual(['ARENA']);
  });

  test('float inputs and outputs and unknown operators are refused by name', async () => {
    const target = await loadTarget('pico');
    expect(checkModel(denseModel(), target, 1000).reasons.map(({ code, message }) => [code, message])).toEqual([
      ['FLOAT', expect.stringContaining('the model is float32: tensor 0 "x", 3 "y"')],
    ]);
    const odd = modelOf(
      [
        { shape: [1, 2], type: TensorType.INT8, scale: 1 },
        { shape: [1, 2], type: TensorType.INT8, scale: 1 },
      ],
      [{ op: 'UNIQUE', inputs: [0, 0], outputs: [1] }],
      [0],
      [1],
    );
    const result = checkModel(odd, target, 100);
    expect(result.operators[0]).toMatchObject({ placed: 'unsupported', reason: 'the runtime has no kernel for it' });
    expect(result.memory.arenaBytes).toBeNull();
  });

  test('measurements correct the estimate, and narrow its error bar by how well they agree', async () => {
    const target = await loadTarget('nucleo-l4r5zi');
    const [dense, wide] = [denseModel(), wideModel()];
    const estimates = [dense, wide].map((model) => estimateLatency(model, target).value) as [number, number];
    const one = calibrateTarget(target, [{ model: dense, latencyMs: 3 * estimates[0] }]);
    expect(one.measured).toMatchObject({ factor: expect.closeTo(3, 4), models: 1, errorPercent: 20 });
    const two = calibrateTarget(target, [
      { model: dense, latencyMs: 2 * estimates[0] },
      { model: wide, latencyMs: 2.2 * estimates[1] },
    ]);
    expect(two.measured.factor).toBeCloseTo(Math.sqrt(2 * 2.2), 4);
    expect(two.measured.errorPercent).toBe(10);
    const corrected = { ...target, latency: { ...target.latency, measured: two.measured } };
    expect(estimateLatency(wide, corrected)).toMatchObject({
      value: expect.closeTo(estimates[1] * two.measured.factor, 6),
      measuredModels: 2,
      errorPercent: 10,
    });
    // Calibrating again starts from the figures, not from the correction.
    expect(calibrateTarget(corrected, [{ model: dense, latencyMs: 3 * estimates[0] }]).measured.factor).toBeCloseTo(
      3,
      4,
    );
  });

  test("the runtime's flash counts code shared by operators once", async () => {
    const board = await loadTarget('qemu-mps2-an386');
    const linked = {
      kernels: 'reference' as const,
      core: 'x',
      interpreterBytes: 1000,
      operators: ['CONV_2D', 'CONV_2D int8', 'ADD'],
      pieces: [
        [100, '7'],
        [20, '2'],
        [5, '1'],
        [50, '4'],
      ] as [number, string][],
    };
    const { memory, warnings } = checkModel(wideModel(), { ...board, linked }, 1000);
    expect(memory.runtime).toEqual({ bytes: 1120, interpreterBytes: 1000, operators: [{ op: 'CONV_2D', bytes: 120 }] });
    expect(warnings).toEqual([]);
    const small = { ...board, linked, flash: { bytes: 4000, usableBytes: 4000, firmwareBytes: 1000 } };
    expect(checkModel(wideModel(), small, 1000).warnings.map(({ code }) => code)).toEqual(['FIRMWARE_FLASH']);
    expect(checkModel(wideModel(), { ...board, linked: null }, 1000).memory.runtime).toBeNull();
  });

  test('energy is power times latency, where power is known', async () => {
    const board = await loadTarget('nucleo-l4r5zi');
    const { energyMicrojoules, latencyMs } = checkModel(wideModel(), board, 1000);
    expect(energyMicrojoules?.value).toBeCloseTo((latencyMs?.value ?? 0) * (board.power?.milliwatts ?? 0), 6);
    expect(checkModel(wideModel(), await loadTarget('pico'), 1000).energyMicrojoules).toBeNull();
  });

  test('check warns if CMSIS-NN differs', async () => {
    const filter = { shape: [1, 1, 1, 1], type: TensorType.INT8, data: Int8Array.of(3), scale: 1 };
    const pixels = { shape: [1, 2, 2, 1], type: TensorType.INT8, scale: 1 };
    const large = { ...pixels, shape: [1, 4, 4, 1] };
    const options = {
      kind: 'TransposeConvOptions',
      padding: 0,
      strideH: 2,
      strideW: 2,
      fusedActivationFunction: 0,
      quantizedBiasType: 0,
    } as const;
    const model = modelOf(
      [{ shape: [4], data: Int32Array.of(1, 4, 4, 1) }, filter, pixels, large],
      [{ op: 'TRANSPOSE_CONV', inputs: [0, 1, 2], outputs: [3], options }],
      [2],
      [3],
    );
    const warnings = checkModel(model, await loadTarget('pico'), 1000).warnings;
    expect(warnings.map(({ code, message }) => [code, message])).toEqual([
      ['KERNEL_DIFFERENCE', expect.stringContaining('filter is smaller than its stride')],
    ]);
    expect(checkModel(model, await loadTarget('qemu-mps2-an386'), 1000).warnings).toEqual([]);
  });

  test('on an Edge TPU everything after the first unmapped operator stays on the CPU', async () => {
    const quantized = { shape: [1, 2], type: TensorType.INT8, scale: 1 };
    const model = modelOf(
      [quantized, quantized, quantized, quantized],
      [
        { op: 'RELU', inputs: [0], outputs: [1] },
        { op: 'LEAKY_RELU', inputs: [1], outputs: [2] },
        { op: 'RELU', inputs: [2], outputs: [3] },
      ],
      [0],
      [3],
    );
    expect(
      checkModel(model, await loadTarget('coral-usb'), 100).operators.map(({ placed, reason }) => [placed, reason]),
    ).toEqual([
      ['npu', null],
      ['cpu', 'Operation not supported'],
      ['cpu', 'More than one subgraph is not supported'],
    ]);
  });
});
