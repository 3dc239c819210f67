// Quantized models keep the limits that both runtimes check when they prepare an operator.

import { describe, expect, test } from 'vitest';
import { quantize, type SchemeName } from '../../../src/quantize/index.js';
import { limitsBroken } from '../../../src/simulator/index.js';
import type { Model } from '../../../src/tflite/index.js';
import { modelOf } from '../../support/models.js';
import { memoryDataset } from '../../support/quantizing.js';

/** An elementwise operator with a constant that is 0 throughout, whose own range says nothing. */
type Elementwise = 'ADD' | 'SUB' | 'MUL' | 'SQUARED_DIFFERENCE' | 'MAXIMUM' | 'MINIMUM';

const optionsOf = (op: Elementwise): object => {
  if (op === 'ADD' || op === 'SUB' || op === 'MUL') return { options: { kind: `${op[0]}${op.slice(1).toLowerCase()}Options`, fusedActivationFunction: 0 } };
  return {};
};

const withZeros = (op: Elementwise): Model =>
  modelOf(
    [
      { name: 'input', shape: [1, 4] },
      { name: 'zeros', shape: [4], data: new Float32Array(4) },
      { name: 'output', shape: [1, 4] },
    ],
    [{ op, inputs: [0, 1], outputs: [2], ...optionsOf(op) }],
    [0],
    [2],
  );

// TensorFlow's Prepare refuses ADD and SUB whose output is finer than half the coarser operand's scale (`double_multiplier < 1`).
const operators: readonly Elementwise[] = ['ADD', 'SUB', 'MUL', 'SQUARED_DIFFERENCE', 'MAXIMUM', 'MINIMUM'];
describe.each(operators)('%s with a constant of zeros', (op) => {
  // There is no int16 kernel of SQUARED_DIFFERENCE.
  const schemes: readonly SchemeName[] = op === 'SQUARED_DIFFERENCE' ? ['int8'] : ['int8', 'int16x8'];
  test.each(schemes)('in %s', async (scheme) => {
    for (const size of [1e-6, 0.5, 1e4]) {
      const data = memoryDataset([[Float32Array.of(-1, 0.5, 0.25, 1).map((value) => value * size)]], [[4]]);
      const { model } = await quantize(withZeros(op), [data], { scheme });
      for (const profile of ['tflm-reference', 'tflite-reference'] as const) expect(limitsBroken(model, profile)).toEqual([]);
    }
  });
});
