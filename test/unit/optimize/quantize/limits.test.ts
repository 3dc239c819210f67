// Quantized models keep the limits that both runtimes check when they prepare an operator.

import { describe, expect, test } from 'vitest';
import type { BuiltinOptions, Model } from '../../../../src/formats/tflite/index.js';
import { quantize, type SchemeName } from '../../../../src/optimize/quantize/index.js';
import { Interpreter, type KernelProfile, limitsBroken } from '../../../../src/simulator/index.js';
import { modelOf } from '../../../support/models.js';
import { memoryDataset } from '../../../support/quantizing.js';

/** An elementwise operator with a constant that is 0 throughout, whose own range says nothing. */
type Elementwise = 'ADD' | 'SUB' | 'MUL' | 'SQUARED_DIFFERENCE' | 'MAXIMUM' | 'MINIMUM';

const optionsOf = (op: Elementwise): object => {
  if (op === 'ADD' || op === 'SUB' || op === 'MUL')
    return { options: { kind: `${op[0]}${op.slice(1).toLowerCase()}Options`, fusedActivationFunction: 0 } };
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

// TensorFlow's Prepare refuses ADD and SUB whose output is finer than half the coarser operand's scale
// (`double_multiplier < 1`).
const operators: readonly Elementwise[] = ['ADD', 'SUB', 'MUL', 'SQUARED_DIFFERENCE', 'MAXIMUM', 'MINIMUM'];
describe.each(operators)('%s with a constant of zeros', (op) => {
  // There is no int16 kernel of SQUARED_DIFFERENCE.
  const schemes: readonly SchemeName[] = op === 'SQUARED_DIFFERENCE' ? ['int8'] : ['int8', 'int16x8'];
  test.each(schemes)('in %s', async (scheme) => {
    for (const size of [1e-6, 0.5, 1e4]) {
      const data = memoryDataset([[Float32Array.of(-1, 0.5, 0.25, 1).map((value) => value * size)]], [[4]]);
      const { model } = await quantize(withZeros(op), [data], { scheme });
      for (const profile of ['tflm-reference', 'tflite-reference'] as const)
        expect(limitsBroken(model, profile)).toEqual([]);
    }
  });
});

/** Nearly constant activations, as in networks with random weights. */
describe('values that hardly differ', () => {
  const alone = (
    op: 'RELU6' | 'SOFTMAX' | 'LOG_SOFTMAX' | 'LOGISTIC' | 'TANH' | 'ADD',
    options: BuiltinOptions | null,
    size: number,
  ): Model =>
    modelOf(
      [
        { name: 'input', shape: [1, size] },
        { name: 'ones', shape: [size], data: new Float32Array(size).fill(1e-11) },
        { name: 'output', shape: [1, size] },
      ],
      [{ op, inputs: op === 'ADD' ? [0, 1] : [0], outputs: [2], ...(options === null ? {} : { options }) }],
      [0],
      [2],
    );
  const tiny = (size: number) =>
    memoryDataset([[Float32Array.from({ length: size }, (_, i) => 1e-11 * Math.sin(i))]], [[size]]);

  // kernel_util.cc: limits of an activation that leave int32; quantization_util.cc: the input of SOFTMAX needs a
  // multiplier above 1.
  test.each([
    ['ADD', { kind: 'AddOptions', fusedActivationFunction: 3, potScaleInt16: false }],
    ['ADD', { kind: 'AddOptions', fusedActivationFunction: 2, potScaleInt16: false }],
    ['RELU6', null],
    ['SOFTMAX', { kind: 'SoftmaxOptions', beta: 1 }],
    ['LOG_SOFTMAX', null],
    ['LOGISTIC', null],
    ['TANH', null],
  ] as const)('%s %j', async (op, options) => {
    for (const scheme of op === 'LOG_SOFTMAX' ? (['int8'] as const) : (['int8', 'int16x8'] as const)) {
      const { model } = await quantize(alone(op, options, 16), [tiny(16)], { scheme });
      for (const profile of ['tflm-reference', 'tflite-reference'] as const)
        expect(limitsBroken(model, profile)).toEqual([]);
    }
  });

  test('that would abort a kernel give a warning', async () => {
    // reference/softmax.h: TFLITE_CHECK of the exponent, which 512 equal values exceed. TensorFlow's optimized kernel
    // computes in float.
    const { model, warnings } = await quantize(alone('SOFTMAX', { kind: 'SoftmaxOptions', beta: 1 }, 600), [tiny(600)]);
    expect(warnings.map(({ code }) => code)).toContain('KERNEL_ENDS');
    const ended = (profile: KernelProfile) => () => new Interpreter(model, { profile }).run(new Uint8Array(600));
    for (const profile of ['tflm-reference', 'tflite-reference'] as const)
      expect(ended(profile)).toThrow(/512 or more/);
    expect(ended('tflite-optimized')).not.toThrow();
  });
});
