// Weights in TFLite's sparse encoding: the same results from a smaller file. That TensorFlow's interpreter makes the
// same of such files is shown for the encoding itself by the cases of DENSIFY in fixtures/operators.

import { expect, test } from 'vitest';
import {
  type Model,
  mainSubgraph,
  operatorName,
  readModel,
  type Tensor,
  writeModel,
} from '../../../../src/formats/tflite/index.js';
import { prune } from '../../../../src/optimize/passes/index.js';
import { quantize, type SchemeName, schemeNames } from '../../../../src/optimize/quantize/index.js';
import { Interpreter } from '../../../../src/simulator/index.js';
import { denseOptions, modelOf } from '../../../support/models.js';
import { memoryDataset } from '../../../support/quantizing.js';

let state = 5;
const drawn = (length: number): Float32Array =>
  Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32 - 0.5;
  });

/** Two layers that read the same weights, and one whose weights stay dense. */
function network(columns: number, rows = 64): Model {
  return modelOf(
    [
      { name: 'x', shape: [1, columns] },
      { name: 'shared', shape: [rows, columns], data: drawn(rows * columns) },
      { name: 'a', shape: [1, rows] },
      { name: 'b', shape: [1, rows] },
      { name: 'sum', shape: [1, rows] },
      { name: 'last', shape: [2, rows], data: drawn(2 * rows) },
      { name: 'y', shape: [1, 2] },
    ],
    [
      { op: 'FULLY_CONNECTED', inputs: [0, 1, -1], outputs: [2], options: denseOptions(1) },
      { op: 'FULLY_CONNECTED', inputs: [0, 1, -1], outputs: [3], options: denseOptions() },
      {
        op: 'ADD',
        inputs: [2, 3],
        outputs: [4],
        options: { kind: 'AddOptions', fusedActivationFunction: 0, potScaleInt16: false },
      },
      { op: 'FULLY_CONNECTED', inputs: [4, 5, -1], outputs: [6], options: denseOptions() },
    ],
    [0],
    [6],
  );
}

const names = (model: Model): string[] =>
  mainSubgraph(model).operators.map((operator) => operatorName(model, operator));
const blocksOf = (model: Model): (number | undefined)[] =>
  mainSubgraph(model).tensors.flatMap(({ sparsity }) =>
    sparsity === null ? [] : [sparsity.blockMap === null ? 1 : sparsity.dimMetadata.at(-1)?.denseSize],
  );

async function bothForms(model: Model, columns: number, scheme: SchemeName) {
  const data = [
    memoryDataset(
      Array.from({ length: 10 }, () => [drawn(columns)]),
      [[columns]],
    ),
  ];
  const make = (sparse: boolean) => quantize(model, scheme === 'float32' ? [] : data, { scheme, sparse });
  return [await make(false), await make(true)] as const;
}

test.each(schemeNames.flatMap((scheme) => [[scheme, 1] as const, [scheme, 4] as const, [scheme, 16] as const]))(
  '%s, pruned in blocks of %d',
  async (scheme, places) => {
    const model = prune(network(64), { sparsity: 0.9, block: { channels: 1, places } });
    const [dense, sparse] = await bothForms(model, 64, scheme);
    expect(sparse.bytes.byteLength).toBeLessThan(dense.bytes.byteLength);
    expect(names(sparse.model).filter((name) => name === 'DENSIFY')).toHaveLength(sparse.sparseTensors);
    // Quantized, two layers have weights of their own, of the same bytes.
    expect(blocksOf(sparse.model)).toEqual(Array.from({ length: sparse.sparseTensors }, () => places));
    expect(sparse.sparseTensors).toBe(scheme.startsWith('float') ? 1 : 2);
    const [expected, actual] = [new Interpreter(dense.model), new Interpreter(readModel(sparse.bytes))];
    for (let i = 0; i < 5; i++) {
      const input = new Uint8Array(drawn(expected.inputs[0]?.bytes ?? 0).map((value) => 200 * value));
      expect(Buffer.compare(actual.run(input), expected.run(input))).toBe(0);
    }
  },
);

test('rows of many columns take wider indices', async () => {
  const model = prune(network(700, 40), { sparsity: 0.95, block: { channels: 1, places: 1 } });
  const [, { model: sparse }] = await bothForms(model, 700, 'int8');
  const [kinds] = mainSubgraph(sparse).tensors.flatMap(({ sparsity }) =>
    sparsity === null ? [] : [sparsity.dimMetadata.map(({ arrayIndices }) => arrayIndices?.kind)],
  );
  expect(kinds).toEqual([undefined, 'Uint16Vector']);
});

test('weights whose sparse form would be longer are unchanged, and sparse ones stay sparse', async () => {
  const [dense, same] = await bothForms(network(64), 64, 'int8');
  expect(same.sparseTensors).toBe(0);
  expect(Buffer.compare(same.bytes, dense.bytes)).toBe(0);
  const pruned = prune(network(64), { sparsity: 0.9 });
  const [, { bytes }] = await bothForms(pruned, 64, 'float32');
  const again = writeModel(readModel(bytes));
  const [tensor] = mainSubgraph(readModel(again)).tensors.filter(({ sparsity }: Tensor) => sparsity !== null);
  expect(tensor?.shape).toEqual(Int32Array.of(64, 64));
});
