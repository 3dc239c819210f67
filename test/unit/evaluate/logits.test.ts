import { expect, test } from 'vitest';
import { compare } from '../../../src/evaluate/index.js';
import {
  logitDistances,
  type OutputActivation,
  outputActivationsOf,
  relevantEnds,
  relevantLogits,
} from '../../../src/evaluate/logits.js';
import { type BuiltinOptions, type Model, mainSubgraph } from '../../../src/formats/tflite/index.js';
import { quantize } from '../../../src/optimize/quantize/index.js';
import { denseOptions, modelOf } from '../../support/models.js';
import { memoryDataset } from '../../support/quantizing.js';

const softmax: OutputActivation = { by: 'SOFTMAX', rowLength: 3 };
const logistic: OutputActivation = { by: 'LOGISTIC', rowLength: 3 };
const values = Float32Array.of(10, 3, -20, -4, -5, -6);

test('values too small to change a probability', () => {
  expect([...relevantLogits(values, softmax)]).toEqual([10, 3, 2, -4, -5, -6]);
  expect([...logitDistances(values, softmax)]).toEqual([0, -7, -8, 0, -1, -2]);
  expect([...relevantLogits(values, logistic)]).toEqual([8, 3, -8, -4, -5, -6]);
  expect([...logitDistances(values, logistic)]).toEqual([8, 3, -8, -4, -5, -6]);
  expect(relevantEnds(values, softmax)).toEqual({ min: -12, max: null });
  expect(relevantEnds(values, logistic)).toEqual({ min: -8, max: 8 });
});

/** Logits from about -100 to 10; only some of those within 8 of the largest count. */
function classifier(op: 'SOFTMAX' | 'LOGISTIC', options: BuiltinOptions | null, outputs = [3]): Model {
  return modelOf(
    [
      { name: 'x', shape: [1, 4] },
      { name: 'w', shape: [4, 4], data: Float32Array.of(10, 0, 0, 0, 0, 9, 0, 0, 0, 0, -100, 0, 0, 0, 0, -80) },
      { name: 'logits', shape: [1, 4] },
      { name: 'y', shape: [1, 4] },
    ],
    [
      { op: 'FULLY_CONNECTED', inputs: [0, 1, -1], outputs: [2], options: denseOptions() },
      { op, inputs: [2], outputs: [3], ...(options === null ? {} : { options }) },
    ],
    [0],
    outputs,
  );
}
const beta = (value: number): BuiltinOptions => ({ kind: 'SoftmaxOptions', beta: value });

test('tensors that only a softmax or logistic reads', () => {
  const activations = (model: Model) => outputActivationsOf(model, mainSubgraph(model));
  expect(activations(classifier('SOFTMAX', beta(1)))).toEqual(new Map([[2, { by: 'SOFTMAX', rowLength: 4 }]]));
  expect(activations(classifier('LOGISTIC', null))).toEqual(new Map([[2, { by: 'LOGISTIC', rowLength: 4 }]]));
  // Another beta stretches the distances; an output is seen by others.
  expect(activations(classifier('SOFTMAX', beta(0.1)))).toEqual(new Map());
  expect(activations(classifier('SOFTMAX', beta(1), [2, 3]))).toEqual(new Map());
});

let state = 9;
const uniform = (): number => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
};
const data = memoryDataset(
  Array.from({ length: 60 }, () => [Float32Array.from({ length: 4 }, uniform)]),
  [[4]],
);

test('auto gives int8 logits finer steps where they matter, and compare ignores the clamped rest', async () => {
  const model = classifier('SOFTMAX', beta(1));
  const [plain, auto, wide] = [
    await quantize(model, [data], { dense: 'per-channel' }),
    await quantize(model, [data], { dense: 'per-channel', ranges: 'auto' }),
    await quantize(model, [data], { ranges: 'auto', scheme: 'int16x8' }),
  ];
  const rangeOf = ({ plan }: typeof plain) =>
    plan.subgraphs[0]?.activations.find(({ name }) => name === 'logits')?.range;
  expect(rangeOf(plain)?.min).toBeLessThan(-90);
  expect(rangeOf(auto)?.min).toBeGreaterThan(-9);
  expect(rangeOf(wide)?.min).toBeLessThan(-90);
  const [before, after] = [await compare(model, plain.model, data), await compare(model, auto.model, data)];
  expect(after.signalToNoise).toBeGreaterThan((before.signalToNoise ?? 0) + 6);
  const logits = after.tensors.find(({ name }) => name === 'logits');
  expect(logits?.saturation).toBe(0);
  expect(logits?.signalToNoise).toBeGreaterThan(25);
});
