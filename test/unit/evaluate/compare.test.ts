import { describe, expect, test } from 'vitest';
import { comparePage, compareReport } from '../../../src/app/report/index.js';
import { compare } from '../../../src/evaluate/index.js';
import { mainSubgraph } from '../../../src/formats/tflite/index.js';
import { quantize } from '../../../src/optimize/quantize/index.js';
import { denseModel, denseOptions, modelOf } from '../../support/models.js';
import { memoryDataset, signalToNoise } from '../../support/quantizing.js';

const waves = (phase: number, factor = 1): Float32Array =>
  Float32Array.from({ length: 4 }, (_, i) => factor * Math.sin(1 + phase * 1.7 + i * 2.3));
const samples = Array.from({ length: 50 }, (_, i) => [waves(i)]);
const data = memoryDataset(samples, [[4]]);

describe('compare', () => {
  test('rounding alone gives an input an error of 0.289 steps', async () => {
    const model = denseModel();
    const result = await compare(model, (await quantize(model, [data])).model, data);
    const [input, output] = result.tensors;
    expect(input).toMatchObject({ name: 'x', op: null, operator: null, saturation: 0 });
    expect(input?.rmsePerScale).toBeCloseTo(1 / Math.sqrt(12), 1);
    expect(output).toMatchObject({ name: 'y', op: 'FULLY_CONNECTED', operator: 0 });
    expect(result.samples).toBe(50);
    expect(result.signalToNoise).toBeCloseTo(signalToNoise(model, (await quantize(model, [data])).model, samples), 6);
    expect(result.agreement).toBeGreaterThan(0.9);
  });

  test('a model is equal to itself', async () => {
    const result = await compare(denseModel(), denseModel(), data);
    expect(result).toMatchObject({ signalToNoise: null, agreement: 1, worst: [] });
    expect(compareReport(result)).toContain('equal outputs');
  });

  test('values beyond the range are counted, and the advice is to widen it', async () => {
    const model = denseModel();
    const { model: narrow } = await quantize(model, [
      memoryDataset(
        samples.map(([values]) => [(values as Float32Array).map((value) => value / 2)]),
        [[4]],
      ),
    ]);
    const result = await compare(model, narrow, data);
    expect(result.tensors[0]?.saturation).toBeGreaterThan(0.3);
    expect(result.worst.find(({ name }) => name === 'x')?.diagnosis).toMatchObject({ cause: 'clamped', input: null });
    expect(compareReport(result)).toContain('--ranges headroom');
  });

  test('a layer whose channels need different scales gets the warning, following layers do not', async () => {
    const model = modelOf(
      [
        { name: 'x', shape: [1, 4] },
        { name: 'w', shape: [2, 4], data: Float32Array.of(100, -80, 90, 70, 0.03, 0.4, -0.35, 0.6) },
        { name: 'first', shape: [1, 2] },
        { name: 'v', shape: [1, 2], data: Float32Array.of(0, 1) },
        { name: 'second', shape: [1, 1] },
      ],
      [
        { op: 'FULLY_CONNECTED', inputs: [0, 1, -1], outputs: [2], options: denseOptions() },
        { op: 'FULLY_CONNECTED', inputs: [2, 3, -1], outputs: [4], options: denseOptions() },
      ],
      [0],
      [4],
    );
    const { worst } = await compare(model, (await quantize(model, [data])).model, data);
    expect(worst[0]).toMatchObject({ name: 'second', operator: 1 });
    expect(worst[0]?.diagnosis).toEqual({ cause: 'weights', input: null, saturation: 0 });
  });

  test('a model with other inputs is refused, even with equal tensor names', async () => {
    const wider = modelOf(
      [
        { name: 'x', shape: [1, 8] },
        { name: 'w', shape: [2, 8], data: new Float32Array(16) },
        { name: 'y', shape: [1, 2] },
      ],
      [{ op: 'FULLY_CONNECTED', inputs: [0, 1, -1], outputs: [2], options: denseOptions() }],
      [0],
      [2],
    );
    await expect(compare(denseModel(), wider, data)).rejects.toThrow(
      /the inputs of the first are \[1, 4\], those of the second \[1, 8\]/,
    );
  });

  test('tensors that depend on constants alone are left out', async () => {
    const model = modelOf(
      [
        { name: 'x', shape: [4] },
        { shape: [4], data: Float32Array.of(1, -2, 3, -4) },
        { name: 'folded', shape: [4] },
        { name: 'y', shape: [4] },
      ],
      [
        { op: 'ABS', inputs: [1], outputs: [2] },
        { op: 'MAXIMUM', inputs: [0, 2], outputs: [3] },
      ],
      [0],
      [3],
    );
    const { tensors } = await compare(model, model, data);
    expect(tensors.map(({ name }) => name)).toEqual(['x', 'y']);
    expect(tensors.every(({ saturation, rmse }) => saturation === 0 && rmse === 0)).toBe(true);
  });

  test('models that have no tensor in common are refused', async () => {
    const stranger = denseModel();
    mainSubgraph(stranger).tensors.forEach((tensor, i) => {
      tensor.name = `other ${i}`;
    });
    mainSubgraph(stranger).outputs = Int32Array.of(3);
    const model = denseModel();
    mainSubgraph(model).outputs = Int32Array.of(1);
    await expect(compare(model, stranger, data)).rejects.toMatchObject({ code: 'COMPARE_NOTHING' });
  });
});

test('the page needs no other file, and contains every tensor, with any name', async () => {
  const model = denseModel();
  for (const tensor of mainSubgraph(model).tensors) tensor.name = `<b>${tensor.name}&"`;
  const result = await compare(model, (await quantize(model, [data])).model, data);
  const page = comparePage(result, { first: 'a.tflite', second: 'b.tflite' });
  expect(page).not.toContain('<b>');
  expect(page).not.toMatch(/(src|href)=/);
  expect(page.match(/<tr>/g)).toHaveLength(1 + result.tensors.length);
  expect(page).toContain('rounding alone');
});
