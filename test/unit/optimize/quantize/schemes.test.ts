import { describe, expect, test } from 'vitest';
import type { Dataset } from '../../../../src/data/index.js';
import {
  constantBytes,
  type Model,
  mainSubgraph,
  operatorName,
  type Tensor,
  TensorType,
  typeName,
} from '../../../../src/formats/tflite/index.js';
import {
  type QuantizeOptions,
  quantize,
  type SchemeName,
  schemeNames,
  schemeOf,
  schemes,
} from '../../../../src/optimize/quantize/index.js';
import { Interpreter } from '../../../../src/simulator/index.js';
import { convOptions, denseModel, denseOptions, modelOf } from '../../../support/models.js';
import { memoryDataset, signalToNoise } from '../../../support/quantizing.js';

/** Values that look like no noise: slow waves. */
const waves = (length: number, phase = 0): Float32Array =>
  Float32Array.from({ length }, (_, i) => 1.5 * Math.sin((i + phase) / 7) + Math.cos((i + phase) / 31));

/** Image -> convolution -> FLOOR, which has no integer form, if asked for -> dense layer -> probabilities. */
function network(withFloor = false): Model {
  const floored = withFloor ? 3 : 2;
  return modelOf(
    [
      { name: 'image', shape: [1, 8, 8, 2] },
      { name: 'filters', shape: [64, 3, 3, 2], data: waves(64 * 18) },
      { name: 'features', shape: [1, 8, 8, 64] },
      { name: 'floored', shape: [1, 8, 8, 64] },
      { name: 'dense', shape: [10, 4096], data: waves(40960, 5).map((value) => value / 200) },
      { name: 'bias', shape: [10], data: waves(10) },
      { name: 'logits', shape: [1, 10] },
      { name: 'probabilities', shape: [1, 10] },
    ],
    [
      { op: 'CONV_2D', inputs: [0, 1, -1], outputs: [2], options: convOptions(1) },
      ...(withFloor ? [{ op: 'FLOOR' as const, inputs: [2], outputs: [3] }] : []),
      { op: 'FULLY_CONNECTED', inputs: [floored, 4, 5], outputs: [6], options: denseOptions() },
      { op: 'SOFTMAX', inputs: [6], outputs: [7], options: { kind: 'SoftmaxOptions', beta: 1 } },
    ],
    [0],
    [7],
  );
}

const samples = Array.from({ length: 30 }, (_, i) => [waves(128, 11 * i)]);
const data: Dataset = memoryDataset(samples, [[8, 8, 2]]);
const operators = (model: Model): string[] =>
  mainSubgraph(model).operators.map((operator) => operatorName(model, operator));
const typesAtEdges = (model: Model): string[] =>
  [...(mainSubgraph(model).inputs ?? []), ...(mainSubgraph(model).outputs ?? [])].map((index) =>
    typeName((mainSubgraph(model).tensors[index] as Tensor).type),
  );

describe('every scheme', () => {
  const expected: Record<SchemeName, { edges: string; smallest: number; share: number; stored: string }> = {
    float32: { edges: 'float32', smallest: 120, share: 1.05, stored: 'float32' },
    float16: { edges: 'float32', smallest: 50, share: 0.55, stored: 'float16' },
    'dynamic-range': { edges: 'float32', smallest: 30, share: 0.3, stored: 'int8' },
    int8: { edges: 'int8', smallest: 25, share: 0.3, stored: 'int8' },
    'int8-float-fallback': { edges: 'float32', smallest: 25, share: 0.3, stored: 'int8' },
    int16x8: { edges: 'int16', smallest: 35, share: 0.3, stored: 'int8' },
    'int16x8-float-fallback': { edges: 'float32', smallest: 35, share: 0.3, stored: 'int8' },
  };
  test.each(schemeNames)('%s: its types, its size, and near the float model', async (scheme) => {
    const model = network();
    const { edges, smallest, share, stored } = expected[scheme];
    const float = await quantize(model, [], { scheme: 'float32' });
    const result = await quantize(model, schemes[scheme].activations === null ? [] : [data], { scheme });
    expect(typesAtEdges(result.model)).toEqual([edges, edges]);
    expect(result.bytes.byteLength / float.bytes.byteLength).toBeLessThan(share);
    const largest = mainSubgraph(result.model).tensors.toSorted(
      (a, b) => sizeOf(result.model, b) - sizeOf(result.model, a),
    )[0] as Tensor;
    expect(typeName(largest.type)).toBe(stored);
    expect(signalToNoise(model, result.model, samples)).toBeGreaterThan(smallest);
  });

  test('integer schemes refuse operators without an integer form; fallback schemes leave them in float', async () => {
    for (const scheme of ['int8', 'int16x8'] as const) {
      await expect(quantize(network(true), [data], { scheme })).rejects.toThrow(
        /FLOOR \(operator 1, which computes "[^"]*"\)/,
      );
      await expect(quantize(network(true), [data], { scheme })).rejects.toMatchObject({ code: 'QUANTIZE_OPERATORS' });
      const { model } = await quantize(network(true), [data], { scheme: `${scheme}-float-fallback` });
      expect(operators(model)).toEqual([
        'QUANTIZE',
        'CONV_2D',
        'DEQUANTIZE',
        'FLOOR',
        'QUANTIZE',
        'FULLY_CONNECTED',
        'SOFTMAX',
        'DEQUANTIZE',
      ]);
      expect(signalToNoise(network(true), model, samples)).toBeGreaterThan(15);
    }
  });

  test('a scheme without integer activations needs no data; the others say that they do', async () => {
    await expect(quantize(network(), [])).rejects.toMatchObject({ code: 'CALIBRATION_EMPTY' });
  });

  test.each([
    ['int8', 'uint8'],
    ['int8', 'float32'],
    ['int16x8', 'float32'],
  ] as const)('%s with %s inputs and outputs computes what it computes without', async (scheme, io) => {
    const [plain, result] = [
      await quantize(network(), [data], { scheme }),
      await quantize(network(), [data], { scheme, io }),
    ];
    expect(typesAtEdges(result.model)).toEqual([io, io]);
    const middle = (model: Model): string[] =>
      operators(model).filter((name) => name !== 'QUANTIZE' && name !== 'DEQUANTIZE');
    expect(middle(result.model)).toEqual(operators(plain.model));
    expect(operators(result.model).length).toBe(operators(plain.model).length + 2);
    expect(signalToNoise(plain.model, result.model, samples)).toBe(Infinity);
  });

  test('inputs and outputs that a scheme does not have are refused', async () => {
    await expect(quantize(network(), [], { scheme: 'float16', io: 'int8' })).rejects.toThrow(
      /scheme float16 has inputs and outputs in float32, not int8/,
    );
  });
});

function sizeOf(model: Model, tensor: Tensor): number {
  return constantBytes(model, tensor)?.byteLength ?? 0;
}

test('int16x8 stores biases in int64 and activations without zero point', async () => {
  const { model } = await quantize(network(), [data], { scheme: 'int16x8' });
  const { tensors } = mainSubgraph(model);
  expect(tensors.filter(({ type }) => type === TensorType.INT64).map(({ name }) => name)).toEqual(['bias']);
  for (const { type, quantization } of tensors)
    if (type === TensorType.INT16) expect(Array.from(quantization?.zeroPoint ?? [])).toEqual([0n]);
});

test('dynamic-range leaves weights of fewer than 1,024 elements in float', async () => {
  const { model, plan } = await quantize(denseModel(), [], { scheme: 'dynamic-range' });
  expect(plan.subgraphs[0]?.operators).toEqual([{ mode: 'float32', version: 1 }]);
  expect(schemeOf(model)).toBe('float32');
});

test('the format of an operator can be overridden', async () => {
  const options: QuantizeOptions = { exceptions: new Map([[1, 'int16']]) };
  const { model, plan } = await quantize(network(), [data], options);
  expect(plan.subgraphs[0]?.operators.map(({ mode }) => mode)).toEqual(['int8', 'int16', 'int8']);
  expect(operators(model)).toEqual(['CONV_2D', 'QUANTIZE', 'FULLY_CONNECTED', 'QUANTIZE', 'SOFTMAX']);
  expect(signalToNoise(network(), model, samples)).toBeGreaterThan(25);
});

test('float16 leaves values outside its range in float32', async () => {
  const { model } = await quantize(denseModel([1e6, 1, 1, 1, 1, 1, 1, 1]), [], { scheme: 'float16' });
  const stored = mainSubgraph(model).tensors.filter((tensor) => constantBytes(model, tensor) !== null);
  expect(stored.map(({ type }) => typeName(type)).sort()).toEqual(['float16', 'float32']);
});

describe('several signatures', () => {
  /** Two subgraphs, each a dense layer, that have names of their own for input and output. */
  function twoSignatures(): Model {
    const model = denseModel();
    const other = denseModel([2, 0, 0, 0, 0, 3, 0, 0], [1, -1]);
    for (const tensor of mainSubgraph(other).tensors)
      if (tensor.buffer > 0)
        tensor.buffer = model.buffers.push(other.buffers[tensor.buffer] as Model['buffers'][number]) - 1;
    model.subgraphs.push(mainSubgraph(other));
    model.signatureDefs = ['encode', 'decode'].map((signatureKey, subgraphIndex) => ({
      signatureKey,
      subgraphIndex,
      deprecatedTag: null,
      inputs: [{ name: 'in', tensorIndex: 0 }],
      outputs: [{ name: 'out', tensorIndex: 3 }],
    }));
    return model;
  }
  const of = (signature: string, factor: number): Dataset => ({
    ...memoryDataset(
      Array.from({ length: 40 }, (_, i) => [waves(4, i).map((value) => value * factor)]),
      [[4]],
    ),
    signature,
  });

  test('each is calibrated by its own data', async () => {
    const { model, plan, calibration } = await quantize(twoSignatures(), [of('decode', 10), of('encode', 1)]);
    expect(calibration?.subgraphs.map(({ signature, subgraph }) => [signature, subgraph])).toEqual([
      ['decode', 1],
      ['encode', 0],
    ]);
    const [encode, decode] = plan.subgraphs.map(({ activations }) => activations[0]?.scale ?? 0) as [number, number];
    expect(decode / encode).toBeCloseTo(10, 1);
    for (const signature of ['encode', 'decode'])
      expect(new Interpreter(model, { signature }).inputs[0]).toMatchObject({ name: 'in', type: 'int8' });
  });

  test('inputs and outputs of another type: the outputs of each signature are those of its subgraph', async () => {
    const { model } = await quantize(twoSignatures(), [of('encode', 1), of('decode', 1)], { io: 'float32' });
    for (const { subgraphIndex, inputs, outputs } of model.signatureDefs) {
      const subgraph = model.subgraphs[subgraphIndex];
      expect(inputs.map(({ tensorIndex }) => tensorIndex)).toEqual([...(subgraph?.inputs ?? [])]);
      expect(outputs.map(({ tensorIndex }) => tensorIndex)).toEqual([...(subgraph?.outputs ?? [])]);
      expect(subgraph?.tensors[outputs[0]?.tensorIndex ?? -1]?.type).toBe(0);
    }
  });

  test('one without data is named, and so are two datasets for one', async () => {
    await expect(quantize(twoSignatures(), [of('encode', 1)])).rejects.toThrow(/no data for signature decode/);
    await expect(quantize(twoSignatures(), [of('encode', 1), of('encode', 2), of('decode', 1)])).rejects.toThrow(
      /same signature/,
    );
  });
});
