// Indices and offsets in a file are checked to the last valid one, and refused from the first invalid one.

import { describe, expect, test } from 'vitest';
import {
  create,
  type Model,
  mainSubgraph,
  type Operator,
  readModel,
  type SubGraph,
  schema,
  type Tensor,
  writeModel,
} from '../../../../src/formats/tflite/index.js';
import { denseModel } from '../../../support/models.js';

function read(change: (model: Model) => void): Model {
  const model = denseModel();
  change(model);
  return readModel(writeModel(model), 'm.tflite');
}

const graphOf = mainSubgraph;
const firstOperator = (model: Model) => {
  const [operator] = graphOf(model).operators;
  if (operator === undefined) throw new Error('no operator');
  return operator;
};
const firstTensor = (model: Model) => {
  const [tensor] = graphOf(model).tensors;
  if (tensor === undefined) throw new Error('no tensor');
  return tensor;
};
const withGraph = (fields: Partial<SubGraph>) => (model: Model) => void Object.assign(graphOf(model), fields);
const withOperator = (fields: Partial<Operator>) => (model: Model) => void Object.assign(firstOperator(model), fields);
const withTensor = (fields: Partial<Tensor>) => (model: Model) => void Object.assign(firstTensor(model), fields);
const signature = (fields: Parameters<typeof create<typeof schema.SignatureDef>>[1]) => (model: Model) =>
  void model.signatureDefs.push(create(schema.SignatureDef, fields));
const map = (tensorIndex: number) => [create(schema.TensorMap, { name: 't', tensorIndex })];

describe('the last valid value', () => {
  test.each<[string, (model: Model) => void]>([
    ['input', withGraph({ inputs: Int32Array.of(3) })],
    ['operator input', withOperator({ inputs: Int32Array.of(3, 1, -1) })],
    ['operator output', withOperator({ outputs: Int32Array.of(0) })],
    ['intermediate', withOperator({ intermediates: Int32Array.of(-1, 3) })],
    ['rank', withTensor({ shape: new Int32Array(16).fill(1) })],
    ['buffer', withTensor({ buffer: 2 })],
    ['no shape', withTensor({ shape: null })],
    ['signature', signature({ subgraphIndex: 0, inputs: map(3), outputs: map(0) })],
    ['metadata', (model) => void model.metadata.push(create(schema.Metadata, { name: 'm', buffer: 2 }))],
  ])('%s', (_, change) => {
    expect(() => read(change)).not.toThrow();
  });

  test('a model without buffers has no buffer indices to check', () => {
    const model = read((one) => {
      one.buffers = [];
      for (const tensor of graphOf(one).tensors) tensor.buffer = 0;
    });
    expect(model.buffers).toEqual([]);
  });
});

describe('the first invalid value', () => {
  test.each<[string, (model: Model) => void, string, string]>([
    ['no subgraph', (model) => void model.subgraphs.pop(), 'it has no subgraph', 'model'],
    ['input', withGraph({ inputs: Int32Array.of(4) }), 'tensor index 4 of 4', 'subgraph 0, inputs'],
    ['output', withGraph({ outputs: Int32Array.of(-1) }), 'tensor index -1', 'subgraph 0, outputs'],
    ['operator input', withOperator({ inputs: Int32Array.of(0, -2) }), 'tensor index -2 of 4', 'operator 0 inputs'],
    ['operator output', withOperator({ outputs: Int32Array.of(-1) }), 'tensor index -1 of 4', 'operator 0 outputs'],
    [
      'intermediate',
      withOperator({ intermediates: Int32Array.of(4) }),
      'tensor index 4 of 4',
      'operator 0 intermediates',
    ],
    ['rank', withTensor({ shape: new Int32Array(17).fill(1) }), 'a shape of 17 dimensions', 'subgraph 0, tensor 0'],
    ['buffer', withTensor({ buffer: 3 }), 'buffer index 3 of 3', 'subgraph 0, tensor 0'],
    ['operator code', withOperator({ opcodeIndex: 1 }), 'operator code 1 of 1', 'subgraph 0, operator 0'],
    [
      'subgraph of a signature',
      signature({ signatureKey: 's', subgraphIndex: 1 }),
      'subgraph index 1 of 1',
      'signature s',
    ],
    ['tensor of a signature', signature({ inputs: map(4) }), 'tensor index 4 of 4', 'signature '],
    ['tensor of a signature', signature({ outputs: map(4) }), 'tensor index 4 of 4', 'signature '],
    [
      'metadata',
      (model) => void model.metadata.push(create(schema.Metadata, { name: 'm', buffer: 3 })),
      'buffer index 3 of 3',
      'metadata m',
    ],
    ['metadata', (model) => void model.metadata.push(create(schema.Metadata, { buffer: 3 })), 'of 3', 'metadata '],
  ])('%s', (_, change, reason, where) => {
    expect(() => read(change)).toThrow(
      expect.objectContaining({ code: 'TFLITE_INVALID', message: expect.stringContaining(reason) }),
    );
    expect(() => read(change)).toThrow(expect.objectContaining({ where: expect.stringContaining(where) }));
  });
});

describe('data behind the flatbuffer', () => {
  const appended = (fields: { readonly offset: bigint; readonly size: bigint }, more: number): Uint8Array => {
    const model = denseModel();
    model.buffers.push(create(schema.Buffer, fields));
    return Uint8Array.from([...writeModel(model), ...new Uint8Array(more).fill(5)]);
  };
  const { byteLength: end } = appended({ offset: 1000n, size: 4n }, 0);

  test('is read up to the last byte of the file', () => {
    const model = readModel(appended({ offset: BigInt(end), size: 4n }, 4));
    expect(model.buffers[3]).toMatchObject({ data: Uint8Array.of(5, 5, 5, 5), offset: 0n, size: 0n });
  });

  test('beyond it is damage', () => {
    expect(() => readModel(appended({ offset: BigInt(end), size: 5n }, 4))).toThrow(
      expect.objectContaining({ code: 'TFLITE_DAMAGED', message: expect.stringContaining('behind the flatbuffer') }),
    );
  });

  test('an offset of 0 or 1 is a placeholder', () => {
    for (const offset of [0n, 1n])
      expect(readModel(appended({ offset, size: 4n }, 4)).buffers[3]).toMatchObject({ data: null, size: 4n });
  });

  test('custom options may lie there too', () => {
    const custom = (offset: bigint): Uint8Array => {
      const model = denseModel();
      Object.assign(firstOperator(model), { largeCustomOptionsOffset: offset, largeCustomOptionsSize: 2n });
      return Uint8Array.from([...writeModel(model), 6, 6]);
    };
    const length = BigInt(custom(1000n).byteLength - 2);
    expect(firstOperator(readModel(custom(length)))).toMatchObject({
      customOptions: Uint8Array.of(6, 6),
      largeCustomOptionsOffset: 0n,
      largeCustomOptionsSize: 0n,
    });
    expect(firstOperator(readModel(custom(1n)))).toMatchObject({ customOptions: null, largeCustomOptionsSize: 2n });
    expect(() => readModel(custom(length + 1n))).toThrow(expect.objectContaining({ code: 'TFLITE_DAMAGED' }));
  });
});

test('a file begins with an identifier and its schema version', () => {
  const bytes = writeModel(denseModel());
  expect(() => readModel(bytes.subarray(0, 7), 'short')).toThrow('it has only 7 bytes');
  expect(() => readModel(bytes.subarray(0, 8), 'short')).not.toThrow('it has only');
  expect(() => readModel(Uint8Array.from(bytes, (byte, i) => (i === 4 ? 65 : byte)))).toThrow(
    'its identifier is "AFL3"',
  );
  const model = denseModel();
  model.version = 2;
  expect(() => readModel(writeModel(model))).toThrow('its schema version is 2, not 3');
});

test('a model larger than an array is not written', () => {
  const model = denseModel();
  // Pretends to be large: nothing of it is read before its size is known.
  const huge = (byteLength: number): Model => {
    model.buffers = [create(schema.Buffer), { ...create(schema.Buffer), data: { byteLength } as Uint8Array }];
    return model;
  };
  expect(() => writeModel(huge(2 ** 31 - 64))).toThrow(
    expect.objectContaining({ code: 'TFLITE_TOO_LARGE', values: expect.objectContaining({ bytes: 2 ** 31 }) }),
  );
});
