import { describe, expect, test } from 'vitest';
import { type Model, mainSubgraph, operatorName, TensorType, typeName } from '../../../../src/formats/tflite/index.js';
import { quantize } from '../../../../src/optimize/quantize/index.js';
import { convOptions, denseModel, denseOptions, modelOf } from '../../../support/models.js';
import { memoryDataset, signalToNoise } from '../../../support/quantizing.js';

const waves = (length: number, phase: number): Float32Array =>
  Float32Array.from({ length }, (_, i) => Math.sin(phase * 1.7 + i * 0.9));
const samples = Array.from({ length: 40 }, (_, i) => [waves(4, i)]);
const data = memoryDataset(samples, [[4]]);
const operators = (model: Model): string[] =>
  mainSubgraph(model).operators.map((operator) => operatorName(model, operator));
const inputType = (model: Model): string =>
  typeName(mainSubgraph(model).tensors[mainSubgraph(model).inputs?.[0] ?? -1]?.type ?? -1);

describe('quantized models with other types of inputs and outputs', () => {
  test.each(['float32', 'uint8'] as const)(
    '%s inputs and outputs become int8; every integer inside stays',
    async (io) => {
      const direct = await quantize(denseModel(), [data]);
      const arrived = await quantize((await quantize(denseModel(), [data], { io })).model, []);
      expect(arrived.calibration).toBeNull();
      expect(operators(arrived.model)).toEqual(operators(direct.model));
      expect(signalToNoise(direct.model, arrived.model, samples)).toBe(Infinity);
    },
  );

  test('int8 inputs and outputs become uint8, and the reverse', async () => {
    const direct = await quantize(denseModel(), [data]);
    const outside = await quantize(direct.model, [], { io: 'uint8' });
    expect(inputType(outside.model)).toBe('uint8');
    const back = await quantize(outside.model, []);
    expect(signalToNoise(direct.model, back.model, samples)).toBe(Infinity);
  });

  test('a model that already has the requested form is refused', async () => {
    const { model } = await quantize(denseModel(), [data]);
    await expect(quantize(model, [data])).rejects.toThrow(/it is int8 with int8 inputs and outputs already/);
  });
});

test('legacy uint8, asymmetric weights included, becomes int8', async () => {
  const q = (values: readonly number[]): { type: number; data: Int8Array } => ({
    type: TensorType.UINT8,
    data: new Int8Array(Uint8Array.from(values).buffer),
  });
  const legacy = modelOf(
    [
      { name: 'x', shape: [1, 4], type: TensorType.UINT8, scale: 1 / 128, zeroPoint: 128 },
      { name: 'w', shape: [2, 4], ...q([200, 10, 130, 255, 140, 120, 90, 100]), scale: 0.02, zeroPoint: 110 },
      { name: 'b', shape: [2], data: Int32Array.of(500, -800), scale: 0.02 / 128 },
      { name: 'y', shape: [1, 2], type: TensorType.UINT8, scale: 0.05, zeroPoint: 100 },
    ],
    [{ op: 'FULLY_CONNECTED', inputs: [0, 1, 2], outputs: [3], options: denseOptions() }],
    [0],
    [3],
  );
  const { model, plan } = await quantize(legacy, []);
  expect(plan.subgraphs[0]?.activations.map(({ scale, zeroPoint }) => [scale, zeroPoint])).toEqual([
    [1 / 128, 0],
    [Math.fround(0.05), -28],
  ]);
  expect(signalToNoise(legacy, model, samples)).toBeGreaterThan(30);
});

describe('models trained for quantization', () => {
  const weights = Float32Array.of(0.5, -1, 0.25, 2, 1, 1, -2, 0.125);
  const fake = (min: number, max: number) =>
    ({ kind: 'FakeQuantOptions', min, max, numBits: 8, narrowRange: false }) as const;

  test('FAKE_QUANT ranges become the scales', async () => {
    const model = modelOf(
      [
        { name: 'x', shape: [1, 4] },
        { name: 'x fake', shape: [1, 4] },
        { name: 'w', shape: [2, 4], data: weights },
        { name: 'w fake', shape: [2, 4] },
        { name: 'y', shape: [1, 2] },
        { name: 'y fake', shape: [1, 2] },
      ],
      [
        { op: 'FAKE_QUANT', inputs: [0], outputs: [1], options: fake(-1, 1) },
        { op: 'FAKE_QUANT', inputs: [2], outputs: [3], options: fake(-2.54, 2.54) },
        { op: 'FULLY_CONNECTED', inputs: [1, 3, -1], outputs: [4], options: denseOptions() },
        { op: 'FAKE_QUANT', inputs: [4], outputs: [5], options: fake(-3, 5) },
      ],
      [0],
      [5],
    );
    const { model: int8, plan } = await quantize(model, []);
    expect(operators(int8)).toEqual(['FULLY_CONNECTED']);
    expect(plan.subgraphs[0]?.activations.map(({ scale }) => scale)).toEqual([
      Math.fround(2 / 255),
      Math.fround(8 / 255),
    ]);
    expect(plan.subgraphs[0]?.weights[0]?.scales).toEqual([Math.fround(0.02)]);
  });

  test('QUANTIZE and DEQUANTIZE in pairs become real quantization', async () => {
    const model = modelOf(
      [
        { name: 'x', shape: [1, 2, 2, 1] },
        { name: 'x q', shape: [1, 2, 2, 1], type: TensorType.INT8, scale: 0.01, zeroPoint: 3 },
        { name: 'x dq', shape: [1, 2, 2, 1] },
        { name: 'w', shape: [2, 1, 1, 1], data: Int8Array.of(100, -50), scale: [0.01, 0.02] },
        { name: 'w dq', shape: [2, 1, 1, 1] },
        { name: 'y', shape: [1, 2, 2, 2] },
        { name: 'y q', shape: [1, 2, 2, 2], type: TensorType.INT8, scale: 0.02, zeroPoint: -4 },
        { name: 'y dq', shape: [1, 2, 2, 2] },
      ],
      [
        { op: 'QUANTIZE', inputs: [0], outputs: [1] },
        { op: 'DEQUANTIZE', inputs: [1], outputs: [2] },
        { op: 'DEQUANTIZE', inputs: [3], outputs: [4] },
        { op: 'CONV_2D', inputs: [2, 4, -1], outputs: [5], options: convOptions() },
        { op: 'QUANTIZE', inputs: [5], outputs: [6] },
        { op: 'DEQUANTIZE', inputs: [6], outputs: [7] },
      ],
      [0],
      [7],
    );
    const { model: int8, plan } = await quantize(model, []);
    expect(operators(int8)).toEqual(['CONV_2D']);
    expect(plan.subgraphs[0]?.activations.map(({ scale, zeroPoint }) => [scale, zeroPoint])).toEqual([
      [Math.fround(0.01), 3],
      [Math.fround(0.02), -4],
    ]);
    expect(plan.subgraphs[0]?.weights[0]?.scales).toEqual([Math.fround(0.01), Math.fround(0.02)]);
  });

  test('missing ranges must come from data', async () => {
    const model = modelOf(
      [
        { name: 'x', shape: [1, 4] },
        { name: 'x fake', shape: [1, 4] },
        { name: 'w', shape: [2, 4], data: weights },
        { name: 'y', shape: [1, 2] },
      ],
      [
        { op: 'FAKE_QUANT', inputs: [0], outputs: [1], options: fake(-1, 1) },
        { op: 'FULLY_CONNECTED', inputs: [1, 2, -1], outputs: [3], options: denseOptions() },
      ],
      [0],
      [3],
    );
    await expect(quantize(model, [])).rejects.toThrow(/the file does not contain the ranges of 1 tensor/);
    const { plan, warnings } = await quantize(model, [data]);
    expect(plan.subgraphs[0]?.activations[0]?.scale).toBe(Math.fround(2 / 255));
    expect(plan.subgraphs[0]?.activations[1]?.range).not.toBeNull();
    const codes = (list: typeof warnings): string[] =>
      list.map(({ code }) => code).filter((code) => code === 'RANGE_EXCEEDED');
    expect(codes(warnings)).toEqual([]);
    const loud = memoryDataset([[Float32Array.of(0, 0.5, -0.5, 1.5)]], [[4]]);
    const { warnings: louder } = await quantize(model, [loud]);
    expect(codes(louder)).toEqual(['RANGE_EXCEEDED']);
    expect(louder.find(({ code }) => code === 'RANGE_EXCEEDED')?.message).toMatch(
      /"x" reached -0\.500 to 1\.50 in calibration.*-0\.996 to 1\.00/,
    );
  });
});

test('float16 and dynamic-range files are taken as float ones', async () => {
  for (const scheme of ['float16', 'dynamic-range'] as const) {
    const big = modelOf(
      [
        { name: 'x', shape: [1, 4] },
        { name: 'w', shape: [300, 4], data: waves(1200, 3) },
        { name: 'y', shape: [1, 300] },
      ],
      [{ op: 'FULLY_CONNECTED', inputs: [0, 1, -1], outputs: [2], options: denseOptions() }],
      [0],
      [2],
    );
    const { model } = await quantize(big, [], { scheme });
    const { model: int8 } = await quantize(model, [data]);
    expect(operators(int8)).toEqual(['FULLY_CONNECTED']);
    expect(signalToNoise(big, int8, samples)).toBeGreaterThan(30);
  }
});

test('integer operators without a float form are named', async () => {
  const model = modelOf(
    [
      { name: 'x', shape: [1, 4], type: TensorType.INT8, scale: 0.1 },
      { name: 'y', shape: [1, 4], type: TensorType.INT8, scale: 0.1 },
    ],
    [{ op: 'SVDF', inputs: [0], outputs: [1] }],
    [0],
    [1],
  );
  await expect(quantize(model, [], { io: 'uint8' })).rejects.toThrow(
    /operator 0 SVDF.*cannot be converted back to float/,
  );
});

test('a zero point that the type cannot have is named', async () => {
  const model = modelOf(
    [
      { name: 'x', shape: [1, 4], type: TensorType.INT8, scale: 0.1, zeroPoint: -5000 },
      { name: 'y', shape: [1, 4], type: TensorType.INT8, scale: 0.1 },
    ],
    [{ op: 'RELU', inputs: [0], outputs: [1] }],
    [0],
    [1],
  );
  await expect(quantize(model, [], { io: 'uint8' })).rejects.toThrow(
    /a scale or zero point that int8 cannot have.*"x"|"x".*cannot have/,
  );
});
