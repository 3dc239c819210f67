import { expect, test } from 'vitest';
import type { Model } from '../../../../src/formats/tflite/index.js';
import { quantize } from '../../../../src/optimize/quantize/index.js';
import { denseOptions, modelOf } from '../../../support/models.js';
import { memoryDataset, signalToNoise } from '../../../support/quantizing.js';

let state = 9;
const random = (): number => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32 - 0.5;
};
const drawn = (length: number): Float32Array => Float32Array.from({ length }, () => random() + random());

/** The middle layer's output has one large element that the last layer hardly reads: in int8 the others drown. */
function network(): Model {
  const middle = drawn(64);
  for (let i = 0; i < 8; i++) middle[i] = (middle[i] as number) * 400;
  const last = drawn(16);
  last[0] = 0.001;
  last[8] = 0.001;
  return modelOf(
    [
      { name: 'x', shape: [1, 8] },
      { name: 'w0', shape: [8, 8], data: drawn(64) },
      { name: 'first', shape: [1, 8] },
      { name: 'w1', shape: [8, 8], data: middle },
      { name: 'second', shape: [1, 8] },
      { name: 'w2', shape: [2, 8], data: last },
      { name: 'y', shape: [1, 2] },
    ],
    [
      { op: 'FULLY_CONNECTED', inputs: [0, 1, -1], outputs: [2], options: denseOptions() },
      { op: 'FULLY_CONNECTED', inputs: [2, 3, -1], outputs: [4], options: denseOptions() },
      { op: 'FULLY_CONNECTED', inputs: [4, 5, -1], outputs: [6], options: denseOptions() },
    ],
    [0],
    [6],
  );
}

const samples = Array.from({ length: 60 }, () => [drawn(8)]);
const data = memoryDataset(samples, [[8]]);
const options = { dense: 'per-channel' } as const;

test('as many operators as necessary become int16, and the cost is reported', async () => {
  const model = network();
  const plain = await quantize(model, [data], options);
  const before = signalToNoise(model, plain.model, samples);
  const { mixed, model: widened, plan } = await quantize(model, [data], { ...options, minDecibels: before + 10 });
  expect(mixed).toMatchObject({ wider: 'int16', reached: true, before: expect.closeTo(before, 6) });
  const chosen = mixed?.operators.map(({ operator }) => operator) ?? [];
  expect(mixed?.tensors[0]).toMatchObject({ name: 'second', operators: [1, 2] });
  expect(chosen).toEqual(expect.arrayContaining([1, 2]));
  expect(plan.subgraphs[0]?.operators.map(({ mode }) => mode)).toEqual(
    [0, 1, 2].map((o) => (chosen.includes(o) ? 'int16' : 'int8')),
  );
  expect(signalToNoise(model, widened, samples)).toBeGreaterThan(before + 10);
  expect(mixed?.arenaBytes.after).toBeGreaterThan(mixed?.arenaBytes.before ?? 0);
});

test('a sufficient SNR stays int8; an unreachable one is reported', async () => {
  const near = await quantize(network(), [data], { ...options, minDecibels: -20 });
  expect(near.mixed).toMatchObject({ operators: [], reached: true });
  const far = await quantize(network(), [data], { ...options, minDecibels: 200 });
  expect(far.mixed).toMatchObject({ reached: false });
});

test('float is for schemes that leave operators in float', async () => {
  const fallback = await quantize(network(), [data], {
    ...options,
    scheme: 'int8-float-fallback',
    wider: 'float32',
    minDecibels: 20,
  });
  expect(fallback.plan.subgraphs[0]?.operators.map(({ mode }) => mode)).toContain('float32');
  await expect(quantize(network(), [data], { ...options, wider: 'float32', minDecibels: 45 })).rejects.toThrow(
    /int8-float-fallback/,
  );
  await expect(quantize(network(), [data], { scheme: 'int16x8', minDecibels: 45 })).rejects.toThrow(
    /no int8 operators to widen/,
  );
});
