import { isDeepStrictEqual } from 'node:util';
import { describe, expect, test } from 'vitest';
import { type Field, scalarBytes, type TableType } from '../../../../src/formats/flatbuffer/index.js';
import { copyModel, create, type Model, readModel, schema, writeModel } from '../../../../src/formats/tflite/index.js';
import { BuiltinOptions, BuiltinOptions2 } from '../../../../src/formats/tflite/schema/options.js';
import { denseModel, modelOf } from '../../../support/models.js';
import { sharedBytes, sharedModels, sharedTest } from '../../../support/shared.js';

/** A table with every field set to something that is not its default. */
function filled(type: TableType, depth = 0): Record<string, unknown> {
  return Object.fromEntries(type.list.map(([key, field], i) => [key, filledField(field, i + 1, depth)]));
}

function filledField(field: Field, seed: number, depth: number): unknown {
  switch (field.is) {
    case 'scalar':
      if (field.type === 'bool') return !field.default;
      if (field.type === 'i64' || field.type === 'u64') return BigInt(seed + 100);
      return field.type === 'f32' ? seed + 0.5 : seed + 1 + Number(field.default);
    case 'vector': {
      const bytes = new Uint8Array(3 * scalarBytes(field.type)).map((_, i) => i + 1);
      const arrays = {
        bool: Uint8Array,
        i8: Int8Array,
        u8: Uint8Array,
        i16: Int16Array,
        u16: Uint16Array,
        i32: Int32Array,
        u32: Uint32Array,
        i64: BigInt64Array,
        u64: BigUint64Array,
        f32: Float32Array,
      };
      return new arrays[field.type](bytes.buffer);
    }
    case 'text':
      return `text ${seed} \u00fc`;
    case 'child':
      return filled(field.table(), depth + 1);
    case 'tables':
      return [filled(field.table(), depth + 1), filled(field.table(), depth + 1)];
    case 'union': {
      const member = field.union.members[seed % field.union.members.length] as TableType;
      return { ...filled(member, depth + 1), kind: member.name };
    }
  }
}

test('a model survives writing and reading, field by field', () => {
  const model = denseModel();
  expect(readModel(writeModel(model))).toEqual(model);
});

test('every field of every table is kept, of both unions of options too', () => {
  const model = denseModel();
  model.metadata = [create(schema.Metadata, { name: 'min_runtime_version', buffer: 1 })];
  model.metadataBuffer = Int32Array.of(1);
  model.externalBufferGroups = [filled(schema.ExternalBufferGroup)] as Model['externalBufferGroups'];
  model.externalBuffers = [filled(schema.ExternalBuffer)] as Model['externalBuffers'];
  model.signatureDefs = [
    create(schema.SignatureDef, {
      signatureKey: 'serving_default',
      inputs: [create(schema.TensorMap, { name: 'x', tensorIndex: 0 })],
      outputs: [],
      deprecatedTag: 'tag',
    }),
  ];
  const [graph] = model.subgraphs;
  if (graph === undefined) throw new Error('no subgraph');
  const tensor = filled(schema.Tensor) as unknown as Model['subgraphs'][number]['tensors'][number];
  tensor.buffer = 1;
  graph.tensors.push(tensor);
  const fields = Object.keys(schema.Operator.fields).length;
  expect(fields).toBe(12);
  for (const member of BuiltinOptions.members) {
    graph.operators.push(
      create(schema.Operator, {
        inputs: Int32Array.of(0),
        outputs: Int32Array.of(3),
        builtinOptions: { ...filled(member), kind: member.name } as never,
        customOptions: Uint8Array.of(9),
        mutatingVariableInputs: Uint8Array.of(1),
        intermediates: Int32Array.of(-1),
        debugMetadataIndex: 4,
      }),
    );
  }
  for (const member of BuiltinOptions2.members) {
    graph.operators.push(
      create(schema.Operator, {
        inputs: Int32Array.of(0),
        outputs: Int32Array.of(3),
        builtinOptions2: { ...filled(member), kind: member.name } as never,
      }),
    );
  }
  expect(graph.operators.length).toBe(1 + BuiltinOptions.members.length + BuiltinOptions2.members.length);
  expect(readModel(writeModel(model))).toEqual(model);
});

test('buffers are aligned to 16 bytes in the file, and weights are views of it', () => {
  const bytes = writeModel(denseModel());
  const copy = new Uint8Array(new ArrayBuffer(bytes.byteLength));
  copy.set(bytes);
  const model = readModel(copy);
  const withData = model.buffers.filter(({ data }) => data !== null);
  expect(withData.length).toBe(2);
  for (const { data } of withData) {
    expect(data?.buffer).toBe(copy.buffer);
    expect((data?.byteOffset ?? 1) % 16).toBe(0);
  }
});

test('unaligned vectors are copied, not misread', () => {
  const bytes = writeModel(denseModel());
  const shifted = new Uint8Array(bytes.byteLength + 1);
  shifted.set(bytes, 1);
  expect(readModel(shifted.subarray(1))).toEqual(readModel(bytes));
  // slice() of a Buffer returns a view.
  const model = readModel(Buffer.from(shifted.buffer, 1, bytes.byteLength));
  expect(Array.from(model.subgraphs[0]?.tensors[0]?.shape ?? [])).toEqual(
    Array.from(readModel(bytes).subgraphs[0]?.tensors[0]?.shape ?? []),
  );
});

describe('files that are not valid models', () => {
  const bytes = writeModel(denseModel());
  const damaged = (edit: (copy: Uint8Array, view: DataView) => void): (() => Model) => {
    const copy = bytes.slice();
    edit(copy, new DataView(copy.buffer));
    return () => readModel(copy, 'm.tflite');
  };

  test.each([
    ['empty', new Uint8Array(0), /has only 0 bytes/],
    ['another identifier', bytes.with(4, 65), /identifier is "AFL3"/],
  ])('%s', (_, file, message) => {
    expect(() => readModel(file, 'm.tflite')).toThrow(message);
  });

  test('every truncation gives a coded error', () => {
    for (let length = 0; length < bytes.byteLength; length += 3) {
      expect(() => readModel(bytes.subarray(0, length), 'm.tflite')).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/^TFLITE_/) }),
      );
    }
  });

  test('a root offset beyond the end', () => {
    expect(damaged((_, view) => view.setUint32(0, 0xffffff, true))).toThrow(
      expect.objectContaining({ code: 'TFLITE_DAMAGED' }),
    );
  });

  test('a vector whose entries all refer to one table cannot unfold without bound', () => {
    const model = denseModel();
    model.subgraphs[0]?.tensors.push(
      ...Array.from({ length: 20000 }, () => create(schema.Tensor, { name: 'x'.repeat(50) })),
    );
    const large = writeModel(model);
    const view = new DataView(large.buffer, large.byteOffset);
    const root = view.getUint32(0, true);
    // subgraphs: slot 2 of the model; tensors: slot 0 of the subgraph
    const slot = (table: number, n: number): number =>
      table + view.getUint16(table - view.getInt32(table, true) + 4 + 2 * n, true);
    const follow = (at: number): number => at + view.getUint32(at, true);
    const subgraphs = follow(slot(root, 2));
    const tensors = follow(slot(follow(subgraphs + 4), 0));
    const last = follow(tensors + 4 * view.getUint32(tensors, true));
    for (let i = 1; i <= view.getUint32(tensors, true); i++)
      view.setUint32(tensors + 4 * i, last - (tensors + 4 * i), true);
    const name = follow(slot(last, 3));
    view.setUint32(name, 400000, true);
    expect(() => readModel(large)).toThrow(/too often/);
  });

  test('many operators that share one long list of inputs are refused, not walked through again and again', () => {
    const model = denseModel();
    const [graph] = model.subgraphs;
    const long = new Int32Array(20000);
    graph?.operators.unshift(create(schema.Operator, { inputs: long, outputs: Int32Array.of(3) }));
    graph?.operators.push(
      ...Array.from({ length: 5000 }, () =>
        create(schema.Operator, { inputs: Int32Array.of(0), outputs: Int32Array.of(3) }),
      ),
    );
    const file = writeModel(model);
    const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
    const slot = (table: number, n: number): number =>
      table + view.getUint16(table - view.getInt32(table, true) + 4 + 2 * n, true);
    const follow = (at: number): number => at + view.getUint32(at, true);
    const operators = follow(slot(follow(follow(slot(view.getUint32(0, true), 2)) + 4), 3));
    const operator = (i: number): number => follow(operators + 4 + 4 * i);
    const shared = follow(slot(operator(0), 1));
    for (let i = 1; i < view.getUint32(operators, true); i++)
      view.setUint32(slot(operator(i), 1), shared - slot(operator(i), 1), true);
    expect(() => readModel(file)).toThrow(/too often/);
  });

  test('a shape of more dimensions than any kernel takes', () => {
    const model = denseModel();
    const tensor = model.subgraphs[0]?.tensors[0];
    if (tensor !== undefined) tensor.shape = new Int32Array(17).fill(1);
    expect(() => readModel(writeModel(model))).toThrow(/a shape of 17 dimensions/);
  });

  test.each([
    ['a tensor index', (model: Model) => model.subgraphs[0]?.operators[0]?.inputs?.fill(99), /tensor index 99 of 4/],
    [
      'the tensor index after the last',
      (model: Model) => model.subgraphs[0]?.operators[0]?.inputs?.fill(4),
      /tensor index 4 of 4/,
    ],
    [
      'an operator code',
      (model: Model) => Object.assign(model.subgraphs[0]?.operators[0] ?? {}, { opcodeIndex: 7 }),
      /operator code 7 of 1/,
    ],
    [
      'a buffer index',
      (model: Model) => Object.assign(model.subgraphs[0]?.tensors[1] ?? {}, { buffer: 55 }),
      /buffer index 55 of 3/,
    ],
    ['no subgraph', (model: Model) => model.subgraphs.splice(0), /no subgraph/],
    ['version 2', (model: Model) => Object.assign(model, { version: 2 }), /version is 2/],
  ])('%s out of range is refused', (_, edit, message) => {
    const model = denseModel();
    edit(model);
    expect(() => readModel(writeModel(model))).toThrow(message);
  });
});

test('an unknown field is ignored when reading, but refused when writing', () => {
  const bytes = writeModel(denseModel());
  // Move the root table's vtable to the end of the file, with one slot more than the schema knows.
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const root = view.getUint32(0, true);
  const vtable = root - view.getInt32(root, true);
  const length = view.getUint16(vtable, true);
  const slots = schema.Model.slotCount + 1;
  const grown = new Uint8Array(bytes.byteLength + 4 + 2 * slots);
  grown.set(bytes);
  const out = new DataView(grown.buffer);
  for (let i = 0; i < length; i += 2) out.setUint16(bytes.byteLength + i, view.getUint16(vtable + i, true), true);
  out.setUint16(bytes.byteLength, 4 + 2 * slots, true);
  out.setUint16(bytes.byteLength + 4 + 2 * (slots - 1), 4, true);
  out.setInt32(root, root - bytes.byteLength, true);
  const model = readModel(grown);
  expect(model.subgraphs.length).toBe(1);
  expect(() => writeModel(model)).toThrow(expect.objectContaining({ code: 'TFLITE_UNKNOWN_FIELD' }));
  expect(() => writeModel(copyModel(model))).toThrow(expect.objectContaining({ code: 'TFLITE_UNKNOWN_FIELD' }));
});

sharedTest.for(sharedModels())('%s survives writing and reading', (file) => {
  const model = readModel(sharedBytes('models', file), file);
  expect(isDeepStrictEqual(readModel(writeModel(model), file), model)).toBe(true);
});

test('written models are read again, with twenty thousand operators too', () => {
  const operators = 20_000;
  const model = chain(operators);
  const again = readModel(writeModel(model));
  expect(again.subgraphs[0]?.operators).toHaveLength(operators);
  expect(Buffer.compare(writeModel(again), writeModel(model))).toBe(0);
});

/** A chain of operators, as in unrolled recurrent networks. */
function chain(length: number): Model {
  const tensor = { shape: [1, 8] };
  const operators = Array.from({ length }, (_, i) => ({ op: 'RELU' as const, inputs: [i], outputs: [i + 1] }));
  return modelOf([tensor, ...operators.map(() => tensor)], operators, [0], [length]);
}
