// Limits at their very edge, their texts, and the confidence in a verdict.

import { describe, expect, test } from 'vitest';
import {
  costGates,
  dropGate,
  dropOf,
  minGate,
  parseAllowance,
  parseMinimum,
  requireGates,
  type Scored,
} from '../../../src/evaluate/index.js';
import { InputRanges } from '../../../src/evaluate/input-ranges.js';
import { areaUnderRoc, argMax, distributionOf, inTopK } from '../../../src/evaluate/metrics.js';
import type { TensorInfo } from '../../../src/simulator/index.js';

const score = { label: 1, score: 0, predicted: 1, hit: true, signal: 1, error: 1, elements: 1 };
/** One hit or miss for each sample. */
const hits = (...each: readonly (0 | 1)[]): Scored => ({
  metric: 'top1',
  value: each.reduce<number>((sum, one) => sum + one, 0) / each.length,
  scores: each.map((one) => ({ ...score, hit: one === 1 })),
});

test('a drop is a decrease of a share and an increase of an error', () => {
  expect(dropOf('top1', 0.9, 0.8)).toBeCloseTo(0.1);
  expect(dropOf('snr', 20, 30)).toBe(-10);
  expect(dropOf('mse', 1, 3)).toBe(2);
});

describe('a drop of exactly the limit', () => {
  const before = hits(1, 1, 1, 1, 1, 1, 1, 1, 1, 1);
  const after = hits(1, 1, 1, 1, 1, 1, 1, 1, 1, 0);

  test('passes, and a little more does not', () => {
    const at = (value: number) => dropGate({ maxDrop: { unit: 'points', value } }, before, after);
    expect(at(10)).toMatchObject({ passed: true, limit: 0.1 });
    expect(at(9.99)).toMatchObject({ passed: false });
  });

  test('is reported in percentage points', () => {
    expect(dropGate({ maxDrop: { unit: 'points', value: 5 } }, before, after).message).toMatch(
      /^top1 drops by 10.0 points against the float model; the limit is 5.0 points; 10 samples are too few to decide/,
    );
  });
});

test('the interval of a difference of paired shares is that of Agresti and Min (2005)', () => {
  const before = hits(1, 1, 1, 0, 1, 1, 1, 1, 1, 1);
  const after = hits(0, 0, 0, 1, 1, 1, 1, 1, 1, 1);
  // 3 lost and 1 won of 10, half a sample added to each cell: 0.1667 +- 0.3530.
  const { message } = dropGate({ maxDrop: { unit: 'points', value: 20 } }, before, after);
  expect(message).toContain('from -18.6 points to 52.0 points');
});

test('the interval of an error comes from resampled pairs', () => {
  const scored = (errors: readonly number[]): Scored => ({
    metric: 'mse',
    value: errors.reduce((sum, error) => sum + error, 0) / errors.length,
    scores: errors.map((error) => ({ ...score, error })),
  });
  const pattern = Array.from({ length: 50 }, (_, i) => 1 + (i % 5));
  const before = scored(pattern);
  // Every sample gets worse by 1: so does every resample.
  const after = scored(pattern.map((error) => error + 1));
  expect(dropGate({ maxDrop: { unit: 'own', value: 0.999 } }, before, after)).toMatchObject({
    passed: false,
    certain: true,
    actual: expect.closeTo(1),
  });
  expect(dropGate({ maxDrop: { unit: 'own', value: 1.001 } }, before, after)).toMatchObject({
    passed: true,
    certain: true,
  });
  // One class only: no resample has a ROC curve.
  const auc = (value: number): Scored => ({ ...before, metric: 'auc', value });
  expect(dropGate({}, auc(0.9), auc(0.9))).toMatchObject({ passed: true, certain: true });
});

describe('a minimum', () => {
  test('is reached by equality', () => {
    const at = (value: number) => minGate({ metric: 'top1', value: 0.9 }, { metric: 'top1', value });
    expect(at(0.9)).toMatchObject({ passed: true, certain: true, actual: 0.9, limit: 0.9 });
    expect(at(0.8999)).toMatchObject({ passed: false, message: 'top1 is 0.8999; the minimum is 0.9' });
  });

  test('is for the metric of the data, and not for error metrics', () => {
    expect(() => minGate({ metric: 'top5', value: 1 }, { metric: 'top1', value: 1 })).toThrow(
      'the minimum is for top5',
    );
    expect(() => minGate({ metric: 'mse', value: 1 }, { metric: 'mse', value: 1 })).toThrow('does not apply to mse');
  });
});

test('a cost equal to its limit passes; an unknown one does not', () => {
  expect(costGates({}, 5, 100)).toEqual([]);
  const [latency, arena] = costGates({ maxLatencyMs: 5, maxArenaBytes: 100 }, 5, 101);
  expect(latency).toMatchObject({ passed: true, certain: true, message: 'latency is 5 ms; the limit is 5 ms' });
  expect(arena).toMatchObject({ gate: 'max-arena-bytes', passed: false, actual: 101 });
  expect(costGates({ maxLatencyMs: 5 }, null, null)).toMatchObject([
    { passed: false, actual: null, message: 'latency is unknown' },
  ]);
});

test('failed gates are errors with all their reasons', () => {
  const gates = costGates({ maxLatencyMs: 5, maxArenaBytes: 100 }, 6, 101);
  expect(() => requireGates(gates, 'nothing was written')).toThrow(/latency is 6 ms.*; the arena is 101 bytes/);
  expect(() => requireGates(costGates({ maxLatencyMs: 5 }, 5, null), '')).not.toThrow();
});

test('limits are written as metric=value, and with a unit', () => {
  expect(parseMinimum('top1=0.9')).toEqual({ metric: 'top1', value: 0.9 });
  expect(parseMinimum('snr=-3.5')).toEqual({ metric: 'snr', value: -3.5 });
  for (const text of ['top1', 'top9=1', 'top1=', 'top1=x', '=1']) expect(parseMinimum(text)).toBeNull();
  expect(parseAllowance('0')).toEqual({ unit: 'own', value: 0 });
  expect(parseAllowance('1.5pt')).toEqual({ unit: 'points', value: 1.5 });
});

describe('ranks', () => {
  test('ties go to the lower index', () => {
    expect([argMax([1, 3, 3]), argMax([2]), argMax([-1, -2])]).toEqual([1, 0, 0]);
    expect([inTopK([1, 1, 0], 0, 1), inTopK([1, 1, 0], 1, 1), inTopK([1, 1, 0], 1, 2)]).toEqual([true, false, true]);
    expect([inTopK([1, 2], 2, 5), inTopK([1, 2], 0, 1)]).toEqual([false, false]);
  });

  test('the area under the curve counts ties half (scikit-learn: 0.75, 0.5 and 0.875)', () => {
    expect(areaUnderRoc([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])).toBe(0.75);
    expect(areaUnderRoc([1, 1, 1], [0, 1, 1])).toBe(0.5);
    expect(areaUnderRoc([0.2, 0.5, 0.5, 0.9], [0, 0, 2, 1])).toBe(0.875);
  });

  test('a distribution is interpolated; of nothing it is 0', () => {
    expect(distributionOf([100, 1])).toEqual({ min: 1, median: 50.5, p95: expect.closeTo(95.05) });
    expect(distributionOf([])).toEqual({ min: 0, median: 0, p95: 0 });
  });
});

describe('input data', () => {
  const int8 = {
    name: 'x',
    type: 'int8',
    shape: [4],
    bytes: 4,
    quantization: { scale: 0.5, zeroPoint: 0 },
  } as unknown as TensorInfo;
  const codes = (saturated: number, ...values: number[]): string[] => {
    const ranges = new InputRanges([int8]);
    ranges.add([Float32Array.from(values)], saturated);
    return ranges.warnings().map(({ code, message }) => `${code}: ${message}`);
  };
  const hundred = Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? 60 : -60));

  test('outside the range for more than 1 % of the values', () => {
    expect(codes(1, ...hundred)).toEqual([]);
    expect(codes(2, ...hundred)).toEqual([
      "SATURATING_INPUTS: 2.0 % of the input values are outside the range of the model's input (-60 to 60 beside -64 " +
        'to 63.5): is the data scaled as for training and calibration?',
    ]);
  });

  test('within an eighth of the range, unless all values are 0', () => {
    expect(codes(0, 8, -1)).toEqual([]);
    expect(codes(0, -8, 1)).toEqual([]);
    expect(codes(0, 7.9, -7.9)).toEqual([
      'UNFILLED_INPUT: the values of input x are only from -7.9 to 7.9; it was calibrated for -64 to 63.5: is the ' +
        'data scaled as for training and calibration?',
    ]);
    expect(codes(0, 0, 0)).toEqual([]);
    const float = new InputRanges([{ ...int8, type: 'float32', quantization: null } as unknown as TensorInfo]);
    float.add([Float32Array.of(0.001)], 0);
    expect(float.warnings()).toEqual([]);
  });
});
