import { expect, test } from 'vitest';
import {
  builtinOperatorName,
  bytesOfElements,
  compiledFor,
  constantBytes,
  constantFloats,
  create,
  edgeTpuOperators,
  elementCount,
  elementTypeOf,
  isConstantFloat,
  type Model,
  mainSubgraph,
  operatorName,
  schema,
  staticShape,
  TensorType,
  tensorLabel,
  tensorName,
  typeName,
} from '../../../../src/formats/tflite/index.js';
import { denseModel } from '../../../support/models.js';

function customModel(name: string): Model {
  const model = denseModel();
  model.operatorCodes.push(
    create(schema.OperatorCode, { builtinCode: 32, deprecatedBuiltinCode: 32, customCode: name }),
  );
  mainSubgraph(model).operators.push(create(schema.Operator, { opcodeIndex: 1 }));
  return model;
}

test('types have names, in this package those of NumPy', () => {
  expect([TensorType.FLOAT32, TensorType.INT8, 99].map(typeName)).toEqual(['float32', 'int8', 'type99']);
  const types = [TensorType.INT16, TensorType.BOOL, TensorType.STRING].map((type) =>
    elementTypeOf(create(schema.Tensor, { type })),
  );
  expect(types).toEqual(['int16', 'bool', null]);
});

test('elements take whole bytes; two int4 share one', () => {
  expect(bytesOfElements('float32', 3)).toBe(12);
  expect(bytesOfElements('int8', 3)).toBe(3);
  expect(bytesOfElements('int4', 3)).toBe(2);
  expect(bytesOfElements('bool', 2)).toBe(2);
  expect(bytesOfElements('float16', 2)).toBe(4);
  expect(bytesOfElements('int64', 2)).toBe(16);
});

test('operators have names, custom and unknown ones too', () => {
  const model = customModel('my-op');
  const names = mainSubgraph(model).operators.map((operator) => operatorName(model, operator));
  expect(names).toEqual(['FULLY_CONNECTED', 'custom:my-op']);
  expect(builtinOperatorName(9999)).toBe('OPERATOR_9999');
  const nameless = customModel('');
  for (const code of nameless.operatorCodes) code.customCode = null;
  expect(mainSubgraph(nameless).operators.map((operator) => operatorName(nameless, operator))[1]).toBe('custom:');
});

test('a compiled model is known by its custom operators', () => {
  expect(compiledFor(denseModel())).toBeNull();
  expect(compiledFor(customModel('my-op'))).toBeNull();
  expect(compiledFor(customModel('edgetpu-custom-op'))).toMatchObject({
    compiler: 'edgetpu_compiler',
    operators: [{ index: 1 }],
  });
  expect(compiledFor(customModel('ethos-u'))).toMatchObject({ accelerator: 'an Ethos-U', operators: [{ index: 1 }] });
  expect(edgeTpuOperators(customModel('edgetpu-custom-op')).map(({ index }) => index)).toEqual([1]);
  expect(edgeTpuOperators(customModel('ethos-u'))).toEqual([]);
});

test('tensors have names and labels, also without a name', () => {
  const graph = mainSubgraph(denseModel());
  expect([0, 9].map((index) => tensorName(graph, index))).toEqual(['x', '']);
  const [x] = graph.tensors;
  if (x === undefined) throw new Error('no tensor');
  expect(tensorLabel(0, x)).toBe('0 "x"');
  x.name = null;
  expect([tensorLabel(0, x), tensorName(graph, 0)]).toEqual(['0 ""', '']);
});

test('shapes: their number of elements; unknown dimensions are an error where they must be known', () => {
  expect([[], [2, 3], [4, 0]].map(elementCount)).toEqual([1, 6, 0]);
  const tensor = (shape: number[] | null) =>
    create(schema.Tensor, { name: 't', shape: shape === null ? null : Int32Array.from(shape) });
  expect(staticShape(3, tensor([2, 0]))).toEqual([2, 0]);
  expect(staticShape(3, tensor(null))).toEqual([]);
  expect(() => staticShape(3, tensor([2, -1]))).toThrow('tensor 3 "t" has the dynamic shape [2, -1]');
});

test('constants are bytes of the file; computed tensors have none', () => {
  const model = denseModel();
  const [x, w, b] = mainSubgraph(model).tensors;
  if (x === undefined || w === undefined || b === undefined) throw new Error('no tensors');
  expect(constantBytes(model, x)).toBeNull();
  expect(constantBytes(model, w)).toBe(model.buffers[1]?.data);
  expect(constantBytes(model, { ...x, buffer: 99 })).toBeNull();
  model.buffers.push(create(schema.Buffer, { data: new Uint8Array(0) }));
  expect(constantBytes(model, { ...x, buffer: 3 })).toBeNull();
  expect(constantFloats(model, b)).toEqual(Float32Array.of(0.5, -0.25));
  expect([x, w, { ...w, type: TensorType.INT8 }].map((tensor) => isConstantFloat(model, tensor))).toEqual([
    false,
    true,
    false,
  ]);
  expect([x, { ...b, type: TensorType.INT32 }].map((tensor) => constantFloats(model, tensor))).toEqual([null, null]);
  // A copy: changing it changes no weights.
  constantFloats(model, b)?.fill(7);
  expect(constantFloats(model, b)?.[0]).toBe(0.5);
});
