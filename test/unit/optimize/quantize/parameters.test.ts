// Scales and zero points as TFLite's converter computes them (quantization_utils.cc, GetQuantizationParams: std::round,
// half away from zero, then clamped).

import { expect, test } from 'vitest';
import { Histogram } from '../../../../src/optimize/quantize/histogram.js';
import { activationFormat, quantizeWeight } from '../../../../src/optimize/quantize/parameters.js';

test.each([
  // -128 + 127.5 is -0.5, which rounds away from zero.
  [{ min: -1, max: 1 }, 2 / 255, -1],
  [{ min: 0, max: 6 }, 6 / 255, -128],
  [{ min: -6, max: 0 }, 6 / 255, 127],
  // -128 + 63.75 and -128 + 191.25.
  [{ min: -1, max: 3 }, 4 / 255, -64],
  [{ min: -3, max: 1 }, 4 / 255, 63],
  // A range without 0 is widened to hold it.
  [{ min: 2, max: 4 }, 4 / 255, -128],
])('int8 of %j', (range, scale, zeroPoint) => {
  expect(activationFormat(range, 'int8')).toEqual({ type: 'int8', scale: Math.fround(scale), zeroPoint });
});

test('int16 is symmetric: the larger magnitude becomes 32767', () => {
  expect(activationFormat({ min: -1, max: 3 }, 'int16')).toEqual({
    type: 'int16',
    scale: Math.fround(3 / 32767),
    zeroPoint: 0,
  });
  expect(activationFormat({ min: -4, max: 3 }, 'int16')).toEqual({
    type: 'int16',
    scale: Math.fround(4 / 32767),
    zeroPoint: 0,
  });
});

test('weights round half away from zero, and stay within 127', () => {
  expect([2.5, -2.5, 2.49, 0.5, -0.5, 200, -200].map((value) => quantizeWeight(value, 1))).toEqual([
    3, -3, 2, 1, -1, 127, -127,
  ]);
});

test('a histogram counts negative values where they are, and zeros apart', () => {
  const histogram = new Histogram();
  histogram.add(Float32Array.of(-1, -0.75, -0.001, 0, 0.001, 0.5, 0.999), 1);
  const { width, zeros, first, counts } = histogram.data;
  expect([width, zeros]).toEqual([1 / 2048, 1]);
  const bins = new Map(counts.flatMap((count, i) => (count === 0 ? [] : [[first + i, count] as const])));
  // floor(value / width): -2048, -1536, -2.048, 2.048, 1024 and 2045.95.
  expect([...bins]).toEqual([
    [-2048, 1],
    [-1536, 1],
    [-3, 1],
    [2, 1],
    [1024, 1],
    [2045, 1],
  ]);
  // Twice the width: pairs of bins become one, on both sides of 0.
  histogram.add(Float32Array.of(2), 2);
  const wide = histogram.data;
  expect([wide.width, wide.first]).toEqual([1 / 1024, -1024]);
  expect(wide.counts.reduce((sum, count) => sum + count, 0)).toBe(7);
  expect([wide.counts[0], wide.counts[-768 + 1024], wide.counts[-2 + 1024], wide.counts[1 + 1024]]).toEqual([
    1, 1, 1, 1,
  ]);
});
