import { expect, test } from 'vitest';
import { type Model, mainSubgraph, readModel, type SparsityParameters } from '../../../src/formats/tflite/index.js';
import { optimize } from '../../../src/optimize/passes/index.js';
import { Interpreter } from '../../../src/simulator/index.js';
import { cases } from '../../fixtures/operators/cases.js';

function sparseModel(): Model {
  const found = cases.find(({ name }) => name === 'densify/rows float32');
  if (found === undefined) throw new Error('the fixture is gone');
  return readModel(found.model);
}

const damages: readonly [string, (sparsity: SparsityParameters) => void, RegExp][] = [
  [
    'an index beyond the shape',
    ({ dimMetadata }) => dimMetadata[1]?.arrayIndices?.values?.fill(8),
    /names the element \[\d, 8\] of \[6, 8\]/,
  ],
  [
    'a segment beyond the indices',
    ({ dimMetadata }) => dimMetadata[1]?.arraySegments?.values?.fill(1000, 1),
    /has no segment 0 in level 1/,
  ],
  [
    'more rows than segments',
    ({ dimMetadata }) => Object.assign(dimMetadata[0] ?? {}, { denseSize: 2 ** 31 - 1 }),
    /2147483647 blocks of 1 along dimension 0/,
  ],
  [
    'fewer elements than are stored',
    ({ dimMetadata }) => dimMetadata[1]?.arraySegments?.values?.fill(0),
    /names 0 of the \d+ elements/,
  ],
  ['an order that is none', ({ traversalOrder }) => traversalOrder?.fill(1), /in the order \[1, 1\]/],
  [
    'a block of no dimension',
    (sparsity) => Object.assign(sparsity, { blockMap: Int32Array.of(5), traversalOrder: Int32Array.of(0, 1, 2) }),
    /2 levels in the order/,
  ],
];

test.each(damages)('sparsity with %s is refused', (_, damage, message) => {
  const model = sparseModel();
  const [tensor] = mainSubgraph(model).tensors;
  if (tensor?.sparsity == null) throw new Error('the fixture is not sparse');
  damage(tensor.sparsity);
  expect(() => new Interpreter(model)).toThrow(
    expect.objectContaining({ code: 'TFLITE_INVALID', message: expect.stringMatching(message) }),
  );
});

test('the quantizer is given dense constants', () => {
  const { model } = optimize(sparseModel());
  expect(mainSubgraph(model).operators).toEqual([]);
  expect(mainSubgraph(model).tensors.map(({ sparsity }) => sparsity)).toEqual([null]);
  expect(new Interpreter(model).outputs).toMatchObject([{ shape: [6, 8] }]);
});
