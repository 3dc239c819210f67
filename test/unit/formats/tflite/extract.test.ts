import { describe, expect, test } from 'vitest';
import {
  create,
  extract,
  type Model,
  mainSubgraph,
  operatorsBetween,
  prefixOf,
  schema,
} from '../../../../src/formats/tflite/index.js';
import { modelOf } from '../../../support/models.js';

/** x, z -> ADD -> a -> NEG -> b; a, c -> MUL -> d; b, d -> SUB -> y */
function diamond(): Model {
  const model = modelOf(
    [
      { name: 'x', shape: [2] },
      { name: 'z', shape: [2] },
      { name: 'a', shape: [2] },
      { name: 'b', shape: [2] },
      { name: 'c', shape: [2], data: Float32Array.of(1, 2) },
      { name: 'd', shape: [2] },
      { name: 'y', shape: [2] },
      { name: 'v', shape: [2] },
    ],
    [
      { op: 'ADD', inputs: [0, 1], outputs: [2] },
      { op: 'NEG', inputs: [2], outputs: [3] },
      { op: 'MUL', inputs: [2, 4, 7], outputs: [5] },
      { op: 'SUB', inputs: [3, 5, -1], outputs: [6] },
    ],
    [1, 0],
    [6],
  );
  const variable = mainSubgraph(model).tensors[7];
  if (variable !== undefined) variable.isVariable = true;
  model.signatureDefs.push(create(schema.SignatureDef, { signatureKey: 'serving_default' }));
  return model;
}

function namesOf(model: Model): { inputs: (string | null)[]; outputs: (string | null)[]; operators: number } {
  const { inputs, outputs, tensors, operators } = mainSubgraph(model);
  const names = (indices: Int32Array | null) => Array.from(indices ?? [], (index) => tensors[index]?.name ?? null);
  return { inputs: names(inputs), outputs: names(outputs), operators: operators.length };
}

describe('an extracted part of a model', () => {
  test('has as inputs what it reads and does not compute; constants and variables are included', () => {
    const part = extract(diamond(), [2, 3], [6]);
    expect([part.inputs, part.outputs]).toEqual([[2, 3], [6]]);
    expect(namesOf(part.model)).toEqual({ inputs: ['a', 'b'], outputs: ['y'], operators: 2 });
    expect(mainSubgraph(part.model).tensors.map(({ name }) => name)).toEqual(['a', 'b', 'c', 'd', 'y', 'v']);
    expect(part.model.signatureDefs).toEqual([]);
  });

  test('has the inputs of the model first, in their order', () => {
    expect(extract(diamond(), [0, 3], [2, 6]).inputs).toEqual([1, 0, 3, 5]);
  });

  test('leaves the model as it is', () => {
    const model = diamond();
    extract(model, [0], [2]);
    expect(model).toEqual(diamond());
  });
});

test('operators between tensors are those on the paths, in order', () => {
  const model = diamond();
  expect(operatorsBetween(model, [], [6])).toEqual([0, 1, 2, 3]);
  expect(operatorsBetween(model, [2], [6])).toEqual([1, 2, 3]);
  expect(operatorsBetween(model, [2, 3], [6])).toEqual([2, 3]);
  expect(operatorsBetween(model, [2], [3])).toEqual([1]);
  expect(operatorsBetween(model, [3], [3])).toEqual([]);
});

test('a beginning ends with what later operators, the caller, or nobody would read', () => {
  expect(namesOf(prefixOf(diamond(), 1))).toEqual({ inputs: ['z', 'x'], outputs: ['a'], operators: 1 });
  expect(namesOf(prefixOf(diamond(), 2))).toEqual({ inputs: ['z', 'x'], outputs: ['a', 'b'], operators: 2 });
  expect(namesOf(prefixOf(diamond(), 3))).toEqual({ inputs: ['z', 'x'], outputs: ['b', 'd'], operators: 3 });
  expect(namesOf(prefixOf(diamond(), 4))).toEqual({ inputs: ['z', 'x'], outputs: ['y'], operators: 4 });
  const model = diamond();
  mainSubgraph(model).outputs = null;
  for (const operator of mainSubgraph(model).operators.slice(3)) operator.inputs = null;
  expect(namesOf(prefixOf(model, 4)).outputs).toEqual(['b', 'd', 'y']);
});
