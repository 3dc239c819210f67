// A written file is checked, not what was meant to be written.

import { expect, test } from 'vitest';
import { type Model, mainSubgraph, readModel, writeModel } from '../../../../src/formats/tflite/index.js';
import { quantize, verifyInt8 } from '../../../../src/optimize/quantize/index.js';
import { denseModel } from '../../../support/models.js';
import { memoryDataset } from '../../../support/quantizing.js';

const samples = Array.from({ length: 8 }, (_, i) => [Float32Array.of(i / 8, -1, 0.5, 1 - i / 4)]);
const { bytes } = await quantize(denseModel(), [memoryDataset(samples, [[4]])]);

/** The file with the bias scale multiplied. */
function withBiasScale(factor: number): Uint8Array {
  const model: Model = readModel(bytes);
  const subgraph = mainSubgraph(model);
  const bias = subgraph.tensors[subgraph.operators[0]?.inputs?.[2] ?? -1];
  const scale = bias?.quantization?.scale;
  if (scale == null) throw new Error('there is no bias');
  for (let c = 0; c < scale.length; c++) scale[c] = Math.fround((scale[c] ?? 0) * factor);
  return writeModel(model);
}

test('a bias has the scale of input times weights, to the precision of float32', () => {
  expect(() => verifyInt8(bytes)).not.toThrow();
  expect(() => verifyInt8(withBiasScale(1 + 2e-7))).not.toThrow();
  for (const factor of [1 + 1e-5, 1 - 1e-5, 1.01, 2])
    expect(() => verifyInt8(withBiasScale(factor))).toThrow(/not input times weights/);
});
