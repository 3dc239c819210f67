import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { openDataset } from '../../../../src/data/index.js';
import { evaluate, hostRunner } from '../../../../src/evaluate/index.js';
import {
  type Model,
  mainSubgraph,
  operatorName,
  TensorType,
  writeModel,
} from '../../../../src/formats/tflite/index.js';
import type { Ranges } from '../../../../src/optimize/quantize/formats.js';
import {
  planQuantization,
  type QuantizationPlan,
  quantize,
  schemeOf,
  verifyInt8,
} from '../../../../src/optimize/quantize/index.js';
import { activationFormat, quantizeWeight, sharedScale } from '../../../../src/optimize/quantize/parameters.js';
import type { SubgraphPlan } from '../../../../src/optimize/quantize/plan.js';
import { floatBytes, temporaryFolder, writeFiles } from '../../../support/files.js';
import { convOptions, denseModel, denseOptions, modelOf } from '../../../support/models.js';

const folder = temporaryFolder();

async function dataset(name: string, shape: readonly number[], values: ArrayLike<number>) {
  writeFiles(folder, {
    [`${name}.bin`]: floatBytes(values),
    [`${name}.yaml`]:
      `name: ${name}\ntask: none\ninputs:\n  - {files: ` + `${name}.bin, type: float32, shape: [${shape}]}\n`,
  });
  return openDataset(path.join(folder, `${name}.yaml`));
}

/** Smooth data, unlike noise: slow waves of many phases. */
const waves = (samples: number, length: number): number[] =>
  Array.from({ length: samples * length }, (_, i) => 1.5 * Math.sin(i / 7) + Math.cos(i / 31));

/** Ranges of the main subgraph. */
function rangesOf(ranges: Ranges): ReadonlyMap<number, Ranges> {
  return new Map([[0, ranges]]);
}

/** The plan of the main subgraph. */
function mainPlan({ subgraphs }: QuantizationPlan): SubgraphPlan {
  return subgraphs[0] as SubgraphPlan;
}

const operators = (model: Model): string[] =>
  mainSubgraph(model).operators.map((operator) => operatorName(model, operator));

describe('parameters', () => {
  test('an activation range always holds 0 exactly', () => {
    expect(activationFormat({ min: -1, max: 1 }, 'int8')).toEqual({
      type: 'int8',
      scale: Math.fround(2 / 255),
      zeroPoint: -1,
    });
    expect(activationFormat({ min: 0, max: 2.55 }, 'int8')).toEqual({
      type: 'int8',
      scale: Math.fround(0.01),
      zeroPoint: -128,
    });
    expect(activationFormat({ min: 1, max: 2.55 }, 'int8')).toEqual({
      type: 'int8',
      scale: Math.fround(0.01),
      zeroPoint: -128,
    });
    expect(activationFormat({ min: -2.55, max: -1 }, 'int8')).toEqual({
      type: 'int8',
      scale: Math.fround(0.01),
      zeroPoint: 127,
    });
    expect(activationFormat({ min: 0, max: 0 }, 'int8')).toEqual({ type: 'int8', scale: 1, zeroPoint: -128 });
  });

  test('weights are symmetric, rounded half away from zero, and never -128', () => {
    expect([-1, -0.5, 0.5, 1.5, -1.5, 200, -200].map((value) => quantizeWeight(value, 1))).toEqual([
      -1, -1, 1, 2, -2, 127, -127,
    ]);
  });

  test("a bias that is too large for its weights' scale makes the scale grow, to half of int32", () => {
    const result = sharedScale([{ weights: Float32Array.of(1e-12, -1e-13), bias: 0.5 }], 0.01);
    expect(result?.grown).toBe(true);
    expect(0.5 / (0.01 * (result?.scale ?? 0)) / 2 ** 30).toBeCloseTo(1, 5);
    expect(sharedScale([{ weights: Float32Array.of(1, -1), bias: 0.5 }], 0.01)).toEqual({
      scale: Math.fround(1 / 127),
      grown: false,
    });
  });

  test('a channel whose accumulator could overflow gets a scale under which it cannot', () => {
    const weights = new Float32Array(80000).fill(1);
    const result = sharedScale([{ weights, bias: 0 }], 1);
    expect(result?.grown).toBe(true);
    const sum = weights.reduce((total, weight) => total + Math.abs(quantizeWeight(weight, result?.scale ?? 1)), 0);
    expect(255 * sum).toBeLessThan(2 ** 31);
    expect(sharedScale([{ weights: Float32Array.of(1), bias: Number.POSITIVE_INFINITY }], 1)).toBeNull();
  });
});

test('a dense model becomes int8 throughout, and close to the float one', async () => {
  const model = denseModel();
  const data = await dataset('dense', [4], waves(200, 4));
  const result = await quantize(model, [data]);
  expect(schemeOf(model)).toBe('float32');
  expect(schemeOf(result.model)).toBe('int8');
  const types = mainSubgraph(result.model).tensors.map(({ type }) => type);
  expect(types).toEqual(
    [TensorType.INT8, TensorType.INT8, TensorType.INT8, TensorType.INT32].sort(
      (a, b) => types.indexOf(a) - types.indexOf(b),
    ),
  );
  expect(result.calibration?.subgraphs[0]).toMatchObject({ dataset: 'dense', samples: 200 });
  expect(result.calibration?.subgraphs[0]?.sha256).toMatch(/^[0-9a-f]{64}$/);
  expect(result.warnings).toEqual([]);
  const runner = hostRunner(result.model);
  const float = hostRunner(model);
  let error = 0;
  let signal = 0;
  for await (const sample of data.samples()) {
    const values = sample.inputs[0] as Float32Array;
    const { scale, zeroPoint } = runner.inputs[0]?.quantization ?? { scale: 1, zeroPoint: 0 };
    const q = Int8Array.from(values, (value) => Math.max(-128, Math.min(127, Math.round(value / scale) + zeroPoint)));
    const out = runner.outputs[0]?.quantization ?? { scale: 1, zeroPoint: 0 };
    const actual = Array.from(
      new Int8Array((await runner.run(new Uint8Array(q.buffer))).output.buffer),
      (value) => (value - out.zeroPoint) * out.scale,
    );
    const expected = new Float32Array((await float.run(floatBytes(values))).output.buffer);
    expected.forEach((value, i) => {
      signal += value * value;
      error += (value - (actual[i] as number)) ** 2;
    });
  }
  expect(10 * Math.log10(signal / error)).toBeGreaterThan(35);
});

test('tensors that must share a scale do, and fixed ranges are fixed', () => {
  const pool = {
    kind: 'Pool2DOptions',
    padding: 1,
    strideH: 2,
    strideW: 2,
    filterHeight: 2,
    filterWidth: 2,
    fusedActivationFunction: 0,
  } as const;
  const model = modelOf(
    [
      { shape: [1, 2, 2, 2] },
      { shape: [1, 1, 1, 2] },
      { shape: [1, 2], name: 'reshaped' },
      { shape: [1, 2], name: 'probabilities' },
      { shape: [1, 2], name: 'logistic' },
      { shape: [1, 4], name: 'joined' },
    ],
    [
      { op: 'MAX_POOL_2D', inputs: [0], outputs: [1], options: pool },
      { op: 'RESHAPE', inputs: [1], outputs: [2] },
      { op: 'SOFTMAX', inputs: [2], outputs: [3], options: { kind: 'SoftmaxOptions', beta: 1 } },
      { op: 'TANH', inputs: [2], outputs: [4] },
      {
        op: 'CONCATENATION',
        inputs: [3, 4],
        outputs: [5],
        options: { kind: 'ConcatenationOptions', axis: 1, fusedActivationFunction: 0 },
      },
    ],
    [0],
    [5],
  );
  const range = (min: number, max: number) => ({ min, max });
  const plan = planQuantization(
    model,
    rangesOf([range(-4, 4), range(-1, 3), range(-1, 3), range(0, 1), range(-1, 1), range(-1, 1)]),
  );
  const of = (tensor: number) => mainPlan(plan).activations.find((entry) => entry.tensor === tensor);
  expect(of(1)).toMatchObject({ scale: of(0)?.scale, zeroPoint: of(0)?.zeroPoint });
  expect(of(2)).toMatchObject({ scale: of(0)?.scale });
  expect(of(3)).toMatchObject({ scale: 1 / 256, zeroPoint: -128, range: null });
  expect(of(4)).toMatchObject({ scale: 1 / 128, zeroPoint: 0, range: null });
  // Two fixed ranges meet: the joined tensor has its own, and both inputs are requantized.
  expect(of(5)?.scale).toBeCloseTo(2 / 255);
  expect(mainPlan(plan).conversions.map(({ tensor, readers, scale }) => [tensor, readers, scale])).toEqual([
    [3, [{ operator: 4, input: 0 }], of(5)?.scale],
    [4, [{ operator: 4, input: 1 }], of(5)?.scale],
  ]);
});

test('operands of a concatenation share the union of their ranges', async () => {
  const model = modelOf(
    [{ shape: [1, 2] }, { shape: [1, 2] }, { shape: [1, 4] }],
    [
      { op: 'RELU', inputs: [0], outputs: [1] },
      {
        op: 'CONCATENATION',
        inputs: [0, 1],
        outputs: [2],
        options: { kind: 'ConcatenationOptions', axis: 1, fusedActivationFunction: 0 },
      },
    ],
    [0],
    [2],
  );
  const result = await quantize(model, [await dataset('concat', [2], waves(60, 2))]);
  const scales = new Set(mainPlan(result.plan).activations.map(({ scale }) => scale));
  expect(scales.size).toBe(1);
  expect(operators(result.model)).toEqual(['RELU', 'CONCATENATION']);
});

test('operators that scale by themselves get ranges of their own', async () => {
  const model = modelOf(
    [{ shape: [1, 2] }, { shape: [1, 2] }],
    [{ op: 'LEAKY_RELU', inputs: [0], outputs: [1], options: { kind: 'LeakyReluOptions', alpha: 0.1 } }],
    [0],
    [1],
  );
  const { plan, model: int8 } = await quantize(model, [await dataset('leaky', [2], waves(60, 2))]);
  expect(mainPlan(plan).activations[1]?.range?.min).toBeCloseTo(
    (mainPlan(plan).activations[0]?.range?.min ?? 0) / 10,
    5,
  );
  expect(operators(int8)).toEqual(['LEAKY_RELU']);
});

test('a bias that two operators share becomes two', async () => {
  const model = modelOf(
    [
      { shape: [1, 2] },
      { shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) },
      { shape: [2], data: Float32Array.of(0.1, 0.2) },
      { shape: [1, 2] },
      { shape: [2, 2], data: Float32Array.of(9, 8, 7, 6) },
      { shape: [1, 2] },
    ],
    [
      { op: 'FULLY_CONNECTED', inputs: [0, 1, 2], outputs: [3], options: denseOptions() },
      { op: 'FULLY_CONNECTED', inputs: [3, 4, 2], outputs: [5], options: denseOptions() },
    ],
    [0],
    [5],
  );
  const result = await quantize(model, [await dataset('shared bias', [2], waves(60, 2))]);
  const [first, second] = mainSubgraph(result.model).operators.map((operator) => operator.inputs?.[2]);
  expect(first).not.toBe(second);
});

test('a constant that is a bias here and an operand there becomes both', async () => {
  const model = modelOf(
    [
      { shape: [1, 2] },
      { shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) },
      { shape: [2], data: Float32Array.of(0.1, 0.2) },
      { shape: [1, 2] },
      { shape: [1, 2] },
    ],
    [
      { op: 'FULLY_CONNECTED', inputs: [0, 1, 2], outputs: [3], options: denseOptions() },
      {
        op: 'ADD',
        inputs: [3, 2],
        outputs: [4],
        options: { kind: 'AddOptions', fusedActivationFunction: 0, potScaleInt16: false },
      },
    ],
    [0],
    [4],
  );
  const result = await quantize(model, [await dataset('both', [2], waves(60, 2))]);
  // The normalization pass folds the ADD into the bias; planned as it stands, the constant is int32 and int8.
  expect(operators(result.model)).toEqual(['FULLY_CONNECTED']);
  const plan = planQuantization(
    model,
    rangesOf([{ min: -1, max: 1 }, null, null, { min: -1, max: 1 }, { min: -1, max: 1 }]),
  );
  expect(mainPlan(plan).biases.map(({ tensor }) => tensor)).toEqual([2]);
  expect(mainPlan(plan).conversions.find(({ tensor }) => tensor === 2)).toMatchObject({
    type: 'int8',
    readers: [{ operator: 1, input: 1 }],
  });
});

test('channels with tiny weights keep finite scales', async () => {
  const model = denseModel([1e-38, 1e-39, 0, 0, 1e-41, 0, 0, 0], [0, 0]);
  const result = await quantize(model, [
    await dataset(
      'tiny',
      [4],
      waves(200, 4).map((value) => value * 1e-4),
    ),
  ]);
  expect(schemeOf(result.model)).toBe('int8');
});

test('a callable subgraph without data is named', async () => {
  const model = denseModel();
  model.subgraphs.push(...denseModel().subgraphs);
  await expect(quantize(model, [await dataset('two', [4], waves(60, 4))])).rejects.toThrow(
    /there is no data for subgraph 1/,
  );
});

test('integers from disk without a quantization give a warning', async () => {
  writeFiles(folder, {
    'u8.bin': Uint8Array.from({ length: 400 }, (_, i) => 100 + 90 * Math.sin(i / 9)),
    'u8.yaml': 'name: u8\ntask: none\ninputs:\n  - {files: u8.bin, type: uint8, shape: [4]}\n',
  });
  const { warnings } = await quantize(denseModel(), [await openDataset(path.join(folder, 'u8.yaml'))]);
  expect(warnings.map(({ code }) => code)).toEqual(['UNSCALED_INTEGERS']);
});

describe('unusable calibration data', () => {
  const model = denseModel();
  const codes = async (name: string, values: ArrayLike<number>): Promise<string[]> =>
    (await quantize(model, [await dataset(name, [4], values)])).warnings.map(({ code }) => code);

  test('an empty set is refused', async () => {
    const data = await dataset('empty', [4], waves(5, 4));
    await expect(quantize(model, [{ ...data, count: 0 }])).rejects.toThrow(
      expect.objectContaining({ code: 'CALIBRATION_EMPTY' }),
    );
  });
  test('few samples', async () => expect(await codes('few', waves(3, 4))).toContain('FEW_SAMPLES'));
  test('constant samples', async () =>
    expect(await codes('constant', new Float32Array(400).fill(0.5))).toContain('CONSTANT_SAMPLES'));
  test('one sample again and again', async () =>
    expect(
      await codes(
        'same',
        Array.from({ length: 400 }, (_, i) => i % 4),
      ),
    ).toContain('CONSTANT_SAMPLES'));
  test('uniform noise', async () => {
    let state = 1;
    const random = () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state / 2 ** 32;
    };
    expect(
      await codes(
        'noise',
        Array.from({ length: 4000 }, () => 2 * random() - 1),
      ),
    ).toContain('NOISE_SAMPLES');
  });
  test('clipped samples', async () =>
    expect(
      await codes(
        'clipped',
        waves(200, 4).map((value) => Math.max(-0.5, Math.min(0.5, value))),
      ),
    ).toContain('SATURATING_SAMPLES'));
  test('real-looking samples give no warning', async () => expect(await codes('fine', waves(200, 4))).toEqual([]));
  test('NaN in the data names the sample, NaN in the model the tensor', async () => {
    await expect(quantize(model, [await dataset('nan', [4], [...waves(2, 4), 1, 2, Number.NaN, 4])])).rejects.toThrow(
      /sample 2 contains the value NaN/,
    );
    await expect(
      quantize(denseModel([1e38, 1e38, 1e38, 1e38, 0, 0, 0, 0]), [
        await dataset('large', [4], new Float32Array(400).fill(1e3)),
      ]),
    ).rejects.toThrow(/sample 0 of large.*: tensor \d "(x|y)" has no usable range: it has the value 3\.40\d*e\+38/);
  });
});

test('a tensor that calibration never computed gives a warning that names it', () => {
  const plan = planQuantization(denseModel(), rangesOf([{ min: -1, max: 1 }, null, null, null]));
  expect(plan.warnings).toEqual([{ code: 'RANGE_MISSING', message: expect.stringContaining('tensor 3 "y"') }]);
  expect(mainPlan(plan).activations.find(({ tensor }) => tensor === 3)).toMatchObject({ scale: 1 });
});

describe('models that cannot be quantized', () => {
  test('operators without an int8 form, all of them', () => {
    const model = modelOf(
      [{ shape: [1, 2] }, { shape: [1, 2] }, { shape: [1, 2] }],
      [
        { op: 'FLOOR', inputs: [0], outputs: [1] },
        { op: 'EXP', inputs: [1], outputs: [2] },
      ],
      [0],
      [2],
    );
    expect(() => planQuantization(model, rangesOf([]))).toThrow(
      /FLOOR \(operator 0, which computes "[^"]*"\), EXP \(operator 1, which computes "[^"]*"\)/,
    );
  });

  test('a model that is quantized already', async () => {
    const result = await quantize(denseModel(), [await dataset('twice', [4], waves(60, 4))]);
    await expect(quantize(result.model, [await dataset('twice', [4], waves(60, 4))])).rejects.toThrow(
      expect.objectContaining({ code: 'QUANTIZE_NOT_FLOAT' }),
    );
  });

  test('weights that are not numbers', () => {
    const range = { min: -1, max: 1 };
    expect(() =>
      planQuantization(denseModel([Number.NaN, 1, 1, 1, 1, 1, 1, 1]), rangesOf([range, null, null, range])),
    ).toThrow(/tensor 1 "w".*element 0 is NaN/);
  });
});

describe('the check of the written file', () => {
  const quantized = async (): Promise<Model> =>
    (await quantize(denseModel(), [await dataset('verify', [4], waves(60, 4))])).model;
  test.each([
    [
      'a float tensor',
      (model: Model) => Object.assign(mainSubgraph(model).tensors[0] ?? {}, { type: TensorType.FLOAT32 }),
      /tensor 0 "x" is still float32/,
    ],
    ['a scale of 0', (model: Model) => mainSubgraph(model).tensors[1]?.quantization?.scale?.fill(0), /has scale 0/],
    [
      'a bias at another scale',
      (model: Model) =>
        mainSubgraph(model)
          .tensors.find(({ type }) => type === TensorType.INT32)
          ?.quantization?.scale?.fill(1),
      /not input times weights/,
    ],
    [
      'an int32 output',
      (model: Model) =>
        Object.assign(mainSubgraph(model).tensors[mainSubgraph(model).outputs?.[0] ?? 0] ?? {}, {
          type: TensorType.INT32,
        }),
      /is an input or output of type int32/,
    ],
  ])('%s is found', async (_, edit, message) => {
    const model = await quantized();
    const copy = (await import('../../../../src/formats/tflite/index.js')).copyModel(model);
    for (const tensor of mainSubgraph(copy).tensors)
      if (tensor.quantization?.scale != null) tensor.quantization.scale = tensor.quantization.scale.slice();
    edit(copy);
    expect(() => verifyInt8(writeModel(copy))).toThrow(message);
  });
});

test('a convolution has one scale per output channel, which fits its weights', async () => {
  const weights = Float32Array.of(1, -0.5, 0.01, 0.02, 100, 50);
  const model = modelOf(
    [{ shape: [1, 2, 2, 2] }, { shape: [3, 1, 1, 2], data: weights }, { shape: [1, 2, 2, 3] }],
    [{ op: 'CONV_2D', inputs: [0, 1, -1], outputs: [2], options: convOptions(1) }],
    [0],
    [2],
  );
  const { plan } = await quantize(model, [await dataset('conv', [2, 2, 2], waves(60, 8))]);
  expect(mainPlan(plan).weights[0]?.scales).toEqual(
    [1, 0.02, 100].map((largest) => Math.fround(Math.fround(largest) / 127)),
  );
});

test('the quantized model evaluates as the float one does', async () => {
  writeFiles(folder, {
    'labels.csv': `${waves(40, 1)
      .map((_, i) => i % 2)
      .join('\n')}\n`,
  });
  const values = Array.from({ length: 40 }, (_, i) =>
    i % 2 === 0 ? [1 + i / 50, 0.1, 0, 0] : [0.2, 1 + i / 60, 0, 0],
  ).flat();
  writeFiles(folder, {
    'cls.bin': floatBytes(values),
    'cls.yaml':
      'name: c\ntask: classification\ninputs:\n  - {files: cls.bin, type: float32, shape: [4]}\nlabels: {csv: ' +
      'labels.csv}\n',
  });
  const data = await openDataset(path.join(folder, 'cls.yaml'));
  const model = denseModel([1, 0, 0, 0, 0, 1, 0, 0], [0, 0]);
  const { model: int8 } = await quantize(model, [data]);
  expect((await evaluate(hostRunner(int8), data)).value).toBe(1);
});
