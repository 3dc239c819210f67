import { expect, test } from 'vitest';
import { quantileOf } from '../../../src/base/quantile.js';

// Expected values: numpy 2.5, numpy.quantile.
test.each([
  [[1, 100], 0.5, 50.5],
  [Array.from({ length: 20 }, (_, i) => i + 1), 0.95, 19.05],
  [Array.from({ length: 20 }, (_, i) => i + 1), 0.5, 10.5],
  [[3, 5, 8], 0.5, 5],
  [[3, 5, 8], 0, 3],
  [[3, 5, 8], 1, 8],
  [[3, 5, 8], 0.25, 4],
  [[-2, -1, 4, 9], 0.95, 8.25],
  [[7], 0.95, 7],
])('of %j at %d', (sorted, share, expected) => {
  expect(quantileOf(sorted, share)).toBeCloseTo(expected, 12);
});

test('an empty list has no quantile', () => {
  expect(quantileOf([], 0.5)).toBeNaN();
});
