// What a model must keep before it is activated: units, directions, confidence.

import { describe, expect, test } from 'vitest';
import {
  type Allowance,
  allowedDrop,
  costGates,
  dropGate,
  minGate,
  parseAllowance,
  requireGates,
  type Scored,
} from '../../../src/evaluate/index.js';

const score = { label: 1, score: 0, predicted: 1, hit: true, signal: 0, error: 0, elements: 1 };

/** Samples of which the first so many are wrong. */
const classified = (count: number, wrong: number): Scored => ({
  metric: 'top1',
  value: (count - wrong) / count,
  scores: Array.from({ length: count }, (_, i) => ({ ...score, hit: i >= wrong })),
});

/** Errors around a mean, the same pattern in each. */
const regressed = (error: number): Scored => ({
  metric: 'mse',
  value: error,
  scores: Array.from({ length: 100 }, (_, i) => ({ ...score, error: error * (1 + 0.1 * Math.sin(i)) })),
});

test.each([
  ['2pt', { unit: 'points', value: 2 }],
  ['5%', { unit: 'percent', value: 5 }],
  ['0.5', { unit: 'own', value: 0.5 }],
] satisfies [string, Allowance][])('%s is read with its unit', (text, expected) => {
  expect(parseAllowance(text)).toEqual(expected);
});

test.each(['', '-1', 'x', '2 pt', '1e3', '5%%'])('%j is not a valid allowance', (text) => {
  expect(parseAllowance(text)).toBeNull();
});

describe('an allowance in the metric’s own unit', () => {
  test('is by default 2 points for shares and 5 % of the float value for other metrics', () => {
    expect(allowedDrop('top1', 0.9, {})).toBeCloseTo(0.02);
    expect(allowedDrop('auc', 0.5, {})).toBeCloseTo(0.02);
    expect(allowedDrop('mse', 40, {})).toBeCloseTo(2);
    expect(allowedDrop('snr', 30, {})).toBeCloseTo(1.5);
  });

  test('is per cent of the float value for every metric', () => {
    const maxDrop: Allowance = { unit: 'percent', value: 1 };
    expect(allowedDrop('mse', 0.004, { maxDrop })).toBeCloseTo(0.00004);
    expect(allowedDrop('top1', 0.9, { maxDrop })).toBeCloseTo(0.009);
  });

  test('refuses percentage points for metrics without a fixed scale', () => {
    expect(() => allowedDrop('mse', 1, { maxDrop: { unit: 'points', value: 2 } })).toThrow(/for mse use per cent/);
  });
});

describe('the drop', () => {
  test('is judged by its interval; the message says if there are too few samples for certainty', () => {
    expect(dropGate({}, classified(1000, 10), classified(1000, 15))).toMatchObject({
      passed: true,
      certain: true,
      actual: expect.closeTo(0.005),
    });
    expect(dropGate({}, classified(1000, 10), classified(1000, 80))).toMatchObject({ passed: false, certain: true });
    const few = dropGate({}, classified(20, 1), classified(20, 1));
    expect(few).toMatchObject({
      passed: true,
      certain: false,
      actual: 0,
      message: expect.stringContaining('20 samples are too few'),
    });
    expect(dropGate({}, classified(20, 1), classified(20, 2))).toMatchObject({ passed: false, certain: false });
  });

  test('of an error metric is its increase', () => {
    expect(dropGate({}, regressed(1), regressed(1.02))).toMatchObject({
      passed: true,
      certain: true,
      actual: expect.closeTo(0.02),
      limit: 0.05,
    });
    expect(dropGate({}, regressed(1), regressed(1.3))).toMatchObject({ passed: false, certain: true });
    expect(dropGate({}, regressed(1), regressed(0.5))).toMatchObject({ passed: true, actual: -0.5 });
  });
});

test('other limits, and all that are not kept in one error', () => {
  const gates = [
    minGate({ metric: 'top1', value: 0.9 }, classified(10, 2)),
    ...costGates({ maxLatencyMs: 5, maxArenaBytes: 1000 }, 12.5, null),
  ];
  expect(gates.map(({ gate, passed }) => [gate, passed])).toEqual([
    ['min', false],
    ['max-latency-ms', false],
    ['max-arena-bytes', false],
  ]);
  expect(() => requireGates(gates, 'nothing was sent')).toThrow(
    /top1 is 0.8000.*latency is 12.5 ms.*the arena is unknown; nothing was sent/,
  );
  expect(() => minGate({ metric: 'auc', value: 0.9 }, classified(10, 2))).toThrow(/the metric of the data is top1/);
});
