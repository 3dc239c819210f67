import { describe, expect, test } from 'vitest';
import { extremesOf, Interpreter, type Operand } from '../../../src/simulator/index.js';
import { modelOf } from '../../support/models.js';

/** Of whole numbers that an operator computes. */
function extremes(values: readonly number[], kernels: 'fast' | 'plain') {
  const model = modelOf(
    [{ shape: [1, values.length] }, { shape: [1, values.length] }],
    [{ op: 'FLOOR', inputs: [0], outputs: [1] }],
    [0],
    [1],
  );
  const interpreter = new Interpreter(model, { kernels });
  let found: ReturnType<typeof extremesOf> | null = null;
  interpreter.run(new Uint8Array(Float32Array.from(values).buffer), (_, [output]) => {
    found = interpreter.extremesOf(output as Operand);
  });
  return found;
}

describe.each(['fast', 'plain'] as const)('%s: smallest and largest value', (kernels) => {
  test.each([1, 2, 3, 4, 5, 7, 8, 33])('of %i values, wherever they stand', (length) => {
    for (let at = 0; at < length; at++) {
      const values = Array.from({ length }, (_, i) => Math.floor(5 * Math.sin(i)));
      const low = values.with(at, -9);
      const high = values.with(at, 9);
      expect(extremes(low, kernels)).toMatchObject({ min: -9, finite: true });
      expect(extremes(high, kernels)).toMatchObject({ max: 9, finite: true });
    }
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])('%d is found among others', (bad) => {
    for (let at = 0; at < 6; at++)
      expect(extremes([1, 2, 3, 4, 5, 6].with(at, bad), kernels)).toMatchObject({ finite: false });
  });
});

test('no values have no extremes', () => {
  expect(extremesOf(new Float32Array(0))).toEqual({ min: Infinity, max: -Infinity, finite: true });
});
