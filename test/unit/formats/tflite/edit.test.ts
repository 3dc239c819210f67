import { describe, expect, test } from 'vitest';
import { unknownFields } from '../../../../src/formats/flatbuffer/index.js';
import {
  addBuffer,
  addFloats,
  BuiltinOperator,
  compact,
  constantFloats,
  copyModel,
  create,
  isPrivate,
  linksOf,
  type Model,
  mainSubgraph,
  memoryPlanName,
  operatorCodeIndex,
  schema,
  setWeights,
  TensorType,
  unaryOperator,
} from '../../../../src/formats/tflite/index.js';
import { denseModel, denseOptions, modelOf } from '../../../support/models.js';

/** Two layers that share their weights' bytes, an operator that nobody reads, and an optional bias. */
function chain(): Model {
  const weights = (): Float32Array => Float32Array.of(1, 2, 3, 4);
  return modelOf(
    [
      { name: 'unused', shape: [9] },
      { name: 'x', shape: [1, 2] },
      { name: 'w1', shape: [2, 2], data: weights() },
      { name: 'h', shape: [1, 2] },
      { name: 'w2', shape: [2, 2], data: weights() },
      { name: 'y', shape: [1, 2] },
      { name: 'dead', shape: [1, 2] },
    ],
    [
      { op: 'FULLY_CONNECTED', inputs: [1, 2, -1], outputs: [3], options: denseOptions() },
      { op: 'RELU', inputs: [3], outputs: [6] },
      { op: 'FULLY_CONNECTED', inputs: [3, 4, -1], outputs: [5], options: denseOptions() },
    ],
    [1],
    [5],
  );
}

describe('copies', () => {
  test('have tables of their own and share the weights', () => {
    const model = denseModel();
    const copy = copyModel(model);
    expect(copy).toEqual(model);
    mainSubgraph(copy).tensors.pop();
    expect(mainSubgraph(model).tensors).toHaveLength(4);
    expect(copy.buffers[1]?.data).toBe(model.buffers[1]?.data);
  });

  test('remember fields that the schema does not know, which writing refuses', () => {
    const model = denseModel();
    const [tensor] = mainSubgraph(model).tensors;
    const found = { where: 'tensor 0', slot: 7 };
    unknownFields.set(tensor as object, found);
    const [copied] = mainSubgraph(copyModel(model)).tensors;
    expect(unknownFields.get(copied as object)).toBe(found);
    expect(unknownFields.has(mainSubgraph(copyModel(denseModel())).tensors[0] as object)).toBe(false);
  });
});

describe('links', () => {
  test('name the writer and each reader once; an absent input has no reader', () => {
    const graph = mainSubgraph(
      modelOf(
        [{ shape: [2] }, { shape: [2] }, { shape: [2] }],
        [
          { op: 'MUL', inputs: [0, 0], outputs: [1] },
          { op: 'ADD', inputs: [1, -1], outputs: [2] },
          { op: 'NEG', inputs: [1], outputs: [2] },
        ],
        [0],
        [2],
      ),
    );
    const links = linksOf(graph);
    const [mul, add, neg] = graph.operators;
    expect(links.producer.get(1)).toBe(mul);
    expect(links.producer.has(0)).toBe(false);
    expect(links.consumers.get(0)).toEqual([mul]);
    expect(links.consumers.get(1)).toEqual([add, neg]);
    expect(links.consumers.has(-1)).toBe(false);
  });

  test('a tensor is private with one reader, unless the graph returns it', () => {
    const graph = mainSubgraph(chain());
    const links = linksOf(graph);
    expect([1, 3, 5].map((tensor) => isPrivate(graph, links, tensor))).toEqual([true, false, false]);
    graph.outputs = Int32Array.of(1);
    expect(isPrivate(graph, links, 1)).toBe(false);
    expect(isPrivate(graph, links, 0)).toBe(false);
  });
});

describe('additions', () => {
  test('return the index of what was added, and copy floats', () => {
    const model = denseModel();
    expect(addBuffer(model, Uint8Array.of(1))).toBe(3);
    const values = Float32Array.of(1, 2);
    const index = addFloats(model, mainSubgraph(model), { name: 'c', shape: Int32Array.of(2) }, values);
    values[0] = 9;
    expect(index).toBe(4);
    const tensor = mainSubgraph(model).tensors[index];
    expect(tensor).toMatchObject({ name: 'c', type: TensorType.FLOAT32, buffer: 4 });
    expect(tensor && constantFloats(model, tensor)).toEqual(Float32Array.of(1, 2));
  });

  test('an operator code is found by code and version, and added otherwise', () => {
    const model = denseModel();
    expect(operatorCodeIndex(model, 'FULLY_CONNECTED', 1)).toBe(0);
    expect(operatorCodeIndex(model, 'FULLY_CONNECTED', 2)).toBe(1);
    expect(operatorCodeIndex(model, 'SOFTMAX', 1)).toBe(2);
    expect(operatorCodeIndex(model, 'FULLY_CONNECTED', 2)).toBe(1);
    // Files from before schema 3a have the code in the older field only.
    model.operatorCodes.push(create(schema.OperatorCode, { deprecatedBuiltinCode: BuiltinOperator.ADD, version: 1 }));
    expect(operatorCodeIndex(model, 'ADD', 1)).toBe(3);
    // The older field has no room for larger codes.
    const large = operatorCodeIndex(model, 'CUMSUM', 1);
    expect(model.operatorCodes[large]).toMatchObject({
      builtinCode: BuiltinOperator.CUMSUM,
      deprecatedBuiltinCode: 127,
    });
    expect(model.operatorCodes[2]).toMatchObject({ deprecatedBuiltinCode: BuiltinOperator.SOFTMAX });
  });

  test('a unary operator reads and writes one tensor each', () => {
    const model = denseModel();
    expect(unaryOperator(model, 'RELU', 1, 3, 0)).toMatchObject({
      opcodeIndex: 1,
      inputs: Int32Array.of(3),
      outputs: Int32Array.of(0),
    });
  });

  test('new weights keep the names; a bias that was absent is named after the weights', () => {
    for (const [model, name] of [
      [denseModel(), 'b'],
      [chain(), 'w1/bias'],
    ] as const) {
      const graph = mainSubgraph(model);
      const [operator] = graph.operators;
      if (operator === undefined) throw new Error('no operator');
      const [input] = operator.inputs ?? [];
      setWeights(model, graph, operator, Float32Array.of(5, 6, 7, 8), Float32Array.of(1, 2));
      const [first, filter = -1, bias = -1] = operator.inputs ?? [];
      expect(first).toBe(input);
      const tensors = [filter, bias].map((index) => graph.tensors[index]);
      expect(tensors[1]).toMatchObject({ name, shape: Int32Array.of(2) });
      expect(tensors.map((tensor) => tensor && constantFloats(model, tensor))).toEqual([
        Float32Array.of(5, 6, 7, 8),
        Float32Array.of(1, 2),
      ]);
    }
  });
});

describe('compacting', () => {
  test('drops what nobody reads, merges equal buffers and renumbers the rest', () => {
    const model = chain();
    model.metadata.push(create(schema.Metadata, { name: memoryPlanName, buffer: addBuffer(model, Uint8Array.of(1)) }));
    model.metadata.push(create(schema.Metadata, { name: 'kept', buffer: addBuffer(model, Uint8Array.of(7)) }));
    model.metadataBuffer = Int32Array.of(addBuffer(model, Uint8Array.of(8)));
    operatorCodeIndex(model, 'SOFTMAX', 1);
    model.signatureDefs.push(
      create(schema.SignatureDef, {
        subgraphIndex: 0,
        inputs: [create(schema.TensorMap, { name: 'x', tensorIndex: 1 })],
        outputs: [create(schema.TensorMap, { name: 'y', tensorIndex: 5 })],
      }),
      create(schema.SignatureDef, {
        subgraphIndex: 1,
        inputs: [create(schema.TensorMap, { name: 'other', tensorIndex: 5 })],
        outputs: [],
      }),
    );
    compact(model);
    const graph = mainSubgraph(model);
    expect(graph.tensors.map(({ name }) => name)).toEqual(['x', 'w1', 'h', 'w2', 'y']);
    expect(graph.operators.map(({ inputs, outputs }) => [inputs, outputs])).toEqual([
      [Int32Array.of(0, 1, -1), Int32Array.of(2)],
      [Int32Array.of(2, 3, -1), Int32Array.of(4)],
    ]);
    expect([graph.inputs, graph.outputs]).toEqual([Int32Array.of(0), Int32Array.of(4)]);
    // Buffer 0, the weights once, and what metadata names.
    expect(model.buffers.map(({ data }) => data?.byteLength ?? 0)).toEqual([0, 16, 1, 1]);
    expect(graph.tensors.map(({ buffer }) => buffer)).toEqual([0, 1, 0, 1, 0]);
    expect(model.metadata).toMatchObject([{ name: 'kept', buffer: 2 }]);
    expect(model.metadataBuffer).toEqual(Int32Array.of(3));
    expect(model.operatorCodes.map(({ builtinCode }) => builtinCode)).toEqual([BuiltinOperator.FULLY_CONNECTED]);
    expect(
      model.signatureDefs.map(({ inputs, outputs }) => [...inputs, ...outputs].map((one) => one.tensorIndex)),
    ).toEqual([[0, 4], [5]]);
  });

  test('keeps operators with effects: on variables, and those that call subgraphs', () => {
    const model = modelOf(
      [{ shape: [1] }, { shape: [1] }, { shape: [1] }, { shape: [1] }],
      [
        { op: 'ADD', inputs: [0, 1], outputs: [2] },
        { op: 'CALL_ONCE', inputs: [], outputs: [] },
        { op: 'NEG', inputs: [0], outputs: [3] },
      ],
      [0],
      [],
    );
    const graph = mainSubgraph(model);
    const [, variable] = graph.tensors;
    if (variable !== undefined) variable.isVariable = true;
    graph.operators.forEach((operator) => {
      operator.intermediates = null;
    });
    compact(model);
    const names = graph.operators.map(({ opcodeIndex }) => model.operatorCodes[opcodeIndex]?.builtinCode);
    expect(names).toEqual([BuiltinOperator.ADD, BuiltinOperator.CALL_ONCE]);
    // The variable and the sum stay, in their order.
    expect(graph.tensors.map(({ name }) => name)).toEqual(['tensor0', 'tensor1', 'tensor2']);
  });

  test('tensors that operators keep between their steps are renumbered too', () => {
    const model = chain();
    const graph = mainSubgraph(model);
    const [operator] = graph.operators;
    const at = addFloats(model, graph, { name: 'scratch', shape: Int32Array.of(1) }, Float32Array.of(9));
    if (operator !== undefined) operator.intermediates = Int32Array.of(at, -1);
    compact(model);
    expect(operator?.intermediates).toEqual(Int32Array.of(5, -1));
    expect(graph.tensors[5]?.name).toBe('scratch');
  });

  test('empty buffers are not merged: variables need their own', () => {
    const model = denseModel();
    const graph = mainSubgraph(model);
    const [x, , , y] = graph.tensors;
    if (x !== undefined) x.buffer = addBuffer(model, new Uint8Array(0));
    if (y !== undefined) y.buffer = model.buffers.push(create(schema.Buffer)) - 1;
    compact(model);
    expect(graph.tensors.map(({ buffer }) => buffer)).toEqual([3, 1, 2, 4]);
    expect(model.metadataBuffer).toBeNull();
  });
});
