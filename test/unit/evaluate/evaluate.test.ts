import path from 'node:path';
import { expect, test } from 'vitest';
import { openDataset } from '../../../src/data/index.js';
import {
  areaUnderRoc,
  evaluate,
  hostRunner,
  inTopK,
  interleave,
  matchInputs,
  runBatch,
  toModelInput,
  toRealValues,
} from '../../../src/evaluate/index.js';
import type { Model } from '../../../src/formats/tflite/index.js';
import type { TensorInfo } from '../../../src/simulator/index.js';
import { floatBytes, temporaryFolder, writeFiles } from '../../support/files.js';
import { denseModel, denseOptions, int8Dense, modelOf } from '../../support/models.js';

const folder = temporaryFolder();
const identity = denseModel([1, 0, 0, 0, 0, 1, 0, 0], [0, 0]);

async function dataset(name: string, values: readonly number[], extra: string) {
  writeFiles(folder, {
    [`${name}.bin`]: floatBytes(values),
    [`${name}.yaml`]: `name: ${name}\ninputs:\n  - {files: ${name}.bin, type: float32, shape: [4]}\n${extra}`,
  });
  return openDataset(path.join(folder, `${name}.yaml`));
}

test('top-1 and the confusion matrix', async () => {
  writeFiles(folder, { 'labels.csv': '0\n1\n1\n' });
  const data = await dataset(
    'top1',
    [2, 1, 0, 0, 0, 3, 0, 0, 5, 4, 0, 0],
    'task: classification\nlabels: {csv: labels.csv}\n',
  );
  const result = await evaluate(hostRunner(identity), data);
  expect(result).toMatchObject({
    metric: 'top1',
    samples: 3,
    confusion: {
      matrix: [
        [1, 0],
        [1, 1],
      ],
    },
    warnings: [],
  });
  expect(result.value).toBeCloseTo(2 / 3);
  expect(result.latencyMs.basis).toBe('host');
});

test(
  'values beyond what an input was calibrated for, in a small ' + 'part of it, and a classifier that guesses',
  async () => {
    writeFiles(folder, { 'many.csv': '0\n1\n'.repeat(20) });
    const codes = async (model: Model, factor: number, flip = 0) => {
      const samples = Array.from({ length: 40 }, (_, i) => [
        (i + flip) % 2 === 0 ? factor : 0,
        (i + flip) % 2 === 0 ? 0 : factor,
        0,
        0,
      ]).flat();
      const data = await dataset(`scaled${factor}-${flip}`, samples, 'task: classification\nlabels: {csv: many.csv}\n');
      return (await evaluate(hostRunner(model), data)).warnings.map(({ code }) => code);
    };
    // The input range is -12.8 to 12.7.
    const quantized = int8Dense(4);
    const held = hostRunner(quantized).inputs[0]?.quantization?.scale ?? 0;
    expect((await codes(quantized, 100 * held)).filter((code) => code !== 'NO_BETTER_THAN_CHANCE')).toEqual([]);
    expect(await codes(quantized, 300 * held)).toContain('SATURATING_INPUTS');
    expect(await codes(quantized, 10 * held)).toContain('UNFILLED_INPUT');
    expect(await codes(identity, 1)).toEqual([]);
    expect(await codes(identity, 1, 1)).toEqual(['NO_BETTER_THAN_CHANCE']);
  },
);

test('an output is chosen by name', async () => {
  const twoOutputs = modelOf(
    [
      { name: 'x', shape: [1, 4] },
      { name: 'plain', shape: [1, 4] },
      { name: 'negated', shape: [1, 4] },
    ],
    [
      { op: 'RELU', inputs: [0], outputs: [1] },
      { op: 'NEG', inputs: [0], outputs: [2] },
    ],
    [0],
    [1, 2],
  );
  writeFiles(folder, { 'chosen.csv': '0\n' });
  const value = async (output: string) => {
    const data = await dataset('chosen', [4, 1, 2, 3], `task: classification\nlabels: {csv: chosen.csv}\n${output}`);
    return (await evaluate(hostRunner(twoOutputs), data)).value;
  };
  expect([await value(''), await value('output: plain\n'), await value('output: negated\n')]).toEqual([1, 1, 0]);
  await expect(value('output: other\n')).rejects.toMatchObject({
    code: 'DATASET_MISMATCH',
    message: expect.stringContaining('(plain; negated)'),
  });
});

test('mean squared error and SNR against targets', async () => {
  writeFiles(folder, { 'targets.bin': floatBytes([1, 2, 3, 4]) });
  const targets = 'targets:\n  - {files: targets.bin, type: float32, shape: [2]}\n';
  const mse = await evaluate(
    hostRunner(identity),
    await dataset('mse', [1, 3, 0, 0, 3, 2, 0, 0], `task: regression\n${targets}`),
  );
  expect(mse).toMatchObject({ metric: 'mse', value: (0 + 1 + 0 + 4) / 4, confusion: null });
  const snr = await evaluate(
    hostRunner(identity),
    await dataset('snr', [1, 3, 0, 0, 3, 2, 0, 0], `task: regression\nmetric: snr\n${targets}`),
  );
  expect(snr.value).toBeCloseTo(10 * Math.log10(30 / 5));
});

test('the area under the ROC curve, ties counting half', () => {
  expect(areaUnderRoc([1, 2, 3, 4], [0, 0, 1, 1])).toBe(1);
  expect(areaUnderRoc([4, 3, 2, 1], [0, 0, 1, 1])).toBe(0);
  expect(areaUnderRoc([1, 1, 1, 1], [0, 1, 0, 1])).toBe(0.5);
  expect(areaUnderRoc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])).toBe(0.75);
});

test('top-k ranks equal scores by index', () => {
  expect(inTopK([5, 5, 1], 1, 1)).toBe(false);
  expect(inTopK([5, 5, 1], 1, 2)).toBe(true);
  expect(inTopK([1, 2], 7, 5)).toBe(false);
});

const int8Input: TensorInfo = {
  index: 0,
  name: 'x',
  type: 'int8',
  shape: [4],
  bytes: 4,
  quantization: { scale: 0.5, zeroPoint: -3 },
};

test("real values are quantized with the model's scales, and clamped ones are counted", () => {
  const { bytes, saturated } = toModelInput([Float32Array.of(0, 1, 100, -100)], [int8Input], [0], 'd');
  expect([...new Int8Array(bytes.buffer)]).toEqual([-3, -1, 127, -128]);
  expect(saturated).toBe(2);
  expect([...toRealValues(bytes, int8Input)]).toEqual([0, 1, 65, -62.5]);
});

test('data that does not fit the model, or has no metric, is refused', async () => {
  writeFiles(folder, {
    'three.yaml': 'name: three\ntask: none\ninputs:\n  - {files: three.bin, type: float32, shape: [3]}\n',
    'three.bin': floatBytes([1, 2, 3]),
  });
  const three = await openDataset(path.join(folder, 'three.yaml'));
  await expect(evaluate(hostRunner(identity), three)).rejects.toThrow(
    expect.objectContaining({ code: 'DATASET_NO_METRIC' }),
  );
  writeFiles(folder, {
    'three.yaml':
      'name: three\ntask: regression\ninputs:\n  - {files: three.bin, type: float32, shape: [3]}\ntargets:\n  ' +
      '- {files: three.bin, type: float32, shape: [3]}\n',
  });
  await expect(evaluate(hostRunner(identity), await openDataset(path.join(folder, 'three.yaml')))).rejects.toThrow(
    expect.objectContaining({ code: 'DATASET_MISMATCH' }),
  );
});

test('a batch of raw tensors, repeated, and inputs from several files', async () => {
  const runner = hostRunner(identity);
  const result = await runBatch(runner, floatBytes([1, 2, 0, 0, 3, 4, 0, 0]), 'input', { repeat: 3 });
  expect(result.samples).toBe(2);
  expect([...new Float32Array(result.outputs.buffer)]).toEqual([1, 2, 3, 4]);
  await expect(runBatch(runner, new Uint8Array(15), 'input.bin')).rejects.toThrow(/input.bin has 15 bytes/);
  expect([...interleave([Uint8Array.of(1, 2), Uint8Array.of(3, 4, 5, 6)], [1, 2])]).toEqual([1, 3, 4, 2, 5, 6]);
  expect(() => interleave([Uint8Array.of(1, 2), Uint8Array.of(3)], [1, 2])).toThrow(
    expect.objectContaining({ code: 'INPUT_SIZE' }),
  );
});

test('an aborted evaluation stops', async () => {
  const abort = new AbortController();
  abort.abort(new Error('enough'));
  await expect(
    evaluate(
      hostRunner(identity),
      await dataset(
        'abort',
        [1, 2, 3, 4],
        'task: regression\ntargets:\n  - {files: abort.bin, type: float32, shape: [4]}\n',
      ),
      {
        signal: abort.signal,
      },
    ),
  ).rejects.toThrow('enough');
});

test('values that are not numbers, labels beyond the outputs, and a ROC curve of one class are refused', async () => {
  writeFiles(folder, { 'one.csv': '1\n', 'seven.csv': '7\n' });
  const labelled = (name: string, value: number, labels: string, extra = '') =>
    dataset(name, [value, 0, 0, 0], `task: classification\nlabels: {csv: ${labels}}\n${extra}`);
  await expect(evaluate(hostRunner(identity), await labelled('nan', Number.NaN, 'one.csv'))).rejects.toThrow(
    expect.objectContaining({ code: 'OUTPUT_NOT_A_NUMBER' }),
  );
  await expect(evaluate(hostRunner(identity), await labelled('seven', 1, 'seven.csv'))).rejects.toThrow(
    /label 7, but the model has 2 classes/,
  );
  await expect(
    evaluate(hostRunner(identity), await labelled('three', 1, 'one.csv', 'classes: [a, b, c]\n')),
  ).rejects.toThrow(/3 classes, the model has 2 outputs/);
  await expect(evaluate(hostRunner(identity), await labelled('roc', 1, 'one.csv', 'metric: auc\n'))).rejects.toThrow(
    /samples with other labels/,
  );
});

test('inputs that are named must be named as in the model', async () => {
  const data = await dataset('names', [1, 2, 3, 4], 'task: none\n');
  const named = { ...data, inputs: [{ ...data.inputs[0], name: 'xx', shape: [4], integers: false }] };
  expect(() => matchInputs(named, [int8Input])).toThrow(/input xx is not an input of the model \(x\)/);
});

test('samples that are started at once do not disturb each other', async () => {
  const model = modelOf(
    [
      { name: 'x', shape: [1, 2] },
      { name: 'w', shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) },
      { name: 'between', shape: [1, 2] },
      { name: 'y', shape: [1, 2] },
    ],
    [
      { op: 'FULLY_CONNECTED', inputs: [0, 1, -1], outputs: [2], options: denseOptions() },
      { op: 'FULLY_CONNECTED', inputs: [2, 1, -1], outputs: [3], options: denseOptions() },
    ],
    [0],
    [3],
  );
  const runner = hostRunner(model);
  const samples = [Float32Array.of(1, 0), Float32Array.of(0, 1), Float32Array.of(1, 1)];
  const results = await Promise.all(samples.map((sample) => runner.run(new Uint8Array(sample.buffer))));
  // The square of [[1, 2], [3, 4]] is [[7, 10], [15, 22]].
  expect(results.map(({ output }) => [...new Float32Array(output.buffer)])).toEqual([
    [7, 15],
    [10, 22],
    [17, 37],
  ]);
});
