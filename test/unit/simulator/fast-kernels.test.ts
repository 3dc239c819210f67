// The kernels in WebAssembly compute what the plain ones, the specification, do: to the last bit, and without touching
// anything outside their tensors.

import { expect, test } from 'vitest';
import { fastKernels } from '../../../src/simulator/fast/index.js';
import { buildGraph, defaultKernelProfile, Interpreter, kernelProfiles } from '../../../src/simulator/index.js';
import { hasKernels } from '../../../src/simulator/kernels/index.js';
import { drawFrom, randomInput, randomOperators } from '../../support/random-operators.js';

test('this machine has WebAssembly SIMD, without which nothing could be compared', () => {
  expect(hasKernels('fast')).toBe(true);
  expect(hasKernels('checked')).toBe(true);
});

test('every operator with a fast kernel is drawn at random', () => {
  expect(Object.keys(randomOperators)).toEqual(expect.arrayContaining([...fastKernels.keys()]));
});

/** Each of these models has a table of 65536 results. */
const ofPairs = new Set(['DIV', 'MAXIMUM', 'MINIMUM', 'MUL', 'PRELU', 'SQUARED_DIFFERENCE', 'SUB']);

for (const [name, generate] of Object.entries(randomOperators)) {
  test(`${name}: a fast kernel runs at least some of the drawn cases`, () => {
    const served = Array.from({ length: 60 }, (_, seed) => {
      const { operators, memory } = buildGraph(
        generate(drawFrom(seed * 7919 + 1)).model,
        kernelProfiles[defaultKernelProfile],
      );
      const [context] = operators;
      return context !== undefined && fastKernels.get(name)?.(context, memory) != null;
    });
    expect(served.filter((each) => each).length).toBeGreaterThan(20);
  });

  test(`${name}: plain, fast and checked kernels agree`, () => {
    for (let seed = 0; seed < (ofPairs.has(name) ? 15 : 400); seed++) {
      const draw = drawFrom(seed * 7919 + 1);
      const { model, description } = generate(draw);
      const plain = new Interpreter(model, { kernels: 'plain' });
      const input = randomInput(draw, plain.inputBytes, plain.inputs[0]?.type === 'float32');
      const expected = plain.run(input);
      for (const kernels of ['fast', 'checked'] as const) {
        const output = new Interpreter(model, { kernels }).run(input);
        const at = output.findIndex((byte, i) => byte !== expected[i]);
        if (at >= 0)
          expect.fail(`seed ${seed}, ${kernels}: byte ${at} is ${output[at]}, not ${expected[at]}: ${description}`);
      }
    }
  });
}
