import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { lowerBound, upperBound } from '../../src/fleet/binomial.js';
import { failsFrom, type Gate, judge, type Outcome } from '../../src/fleet/index.js';

// beta.ppf(1 - c, k, n - k + 1) and beta.ppf(c, k + 1, n - k) of SciPy 1.17.1.
test.each([
  [1, 1, 0.95, 0.05, 1],
  [1, 20, 0.95, 0.00256137877653, 0.216106164207],
  [5, 100, 0.95, 0.0199055636622, 0.102253377643],
  [5, 100, 0.975, 0.0164318791821, 0.112834911105],
  [95, 100, 0.95, 0.897746622357, 0.980094436338],
  [30, 1000, 0.99, 0.0188396397135, 0.045050429192],
  [2000, 100000, 0.95, 0.0192771009928, 0.0207435922746],
  [3, 10000, 0.999, 1.90550617977e-5, 0.00130556707523],
  [999, 1000, 0.95, 0.995265006425, 0.999948708021],
  [50, 100, 0.9, 0.431416825594, 0.568583174406],
])('%d of %d at %d: bounds as SciPy has them', (count, of, confidence, low, high) => {
  expect(lowerBound(count, of, confidence) / low).toBeCloseTo(1, 9);
  expect(upperBound(count, of, confidence) / high).toBeCloseTo(1, 9);
});

const gate = (changes: Partial<Gate> = {}): Gate => ({
  measure: 'failed',
  mostBad: 0.02,
  limitMs: null,
  factor: null,
  minimum: 1,
  confidence: 0.95,
  action: 'pause',
  ...changes,
});
const outcome = (state: Outcome['state'], p95Ms: number | null = null, oldP95Ms: number | null = null): Outcome => ({ state, p95Ms, oldP95Ms });
const wave = (counts: Partial<Record<Outcome['state'], number>>): Outcome[] =>
  Object.entries(counts).flatMap(([state, count]) => Array.from({ length: count }, () => outcome(state as Outcome['state'])));

describe('a wave', () => {
  test.each<[string, Gate, Outcome[], string]>([
    ['is under way', gate(), wave({ confirmed: 99, 'under-way': 1 }), 'wait'],
    ['is through, and as good as is asked', gate(), wave({ confirmed: 98, failed: 2 }), 'pass'],
    ['is surely bad before it is through', gate(), wave({ confirmed: 50, failed: 8, 'under-way': 42 }), 'fail'],
    ['has one unlucky device', gate(), wave({ confirmed: 9, failed: 1 }), 'undecided'],
    ['has more than chance explains', gate(), wave({ confirmed: 8, failed: 2 }), 'fail'],
    ['has too few that were measured', gate({ minimum: 50 }), wave({ confirmed: 10, failed: 10, 'under-way': 80 }), 'wait'],
    ['is smaller than the minimum', gate({ minimum: 50 }), wave({ confirmed: 10 }), 'pass'],
    ['has devices that were never heard of again', gate({ measure: 'unknown' }), wave({ confirmed: 60, unknown: 40 }), 'fail'],
    ['counts these against what is confirmed', gate({ measure: 'confirmed', mostBad: 0.05 }), wave({ confirmed: 60, unknown: 40 }), 'fail'],
    ['has nothing to measure its latency by', gate({ measure: 'latency', limitMs: 10 }), wave({ failed: 10 }), 'undecided'],
  ])('%s', (_what, wanted, outcomes, decision) => {
    expect(judge(wanted, outcomes).decision).toBe(decision);
  });

  test('latency, against a limit and against the model before', () => {
    const devices = (p95: number, old: number | null) => Array.from({ length: 50 }, () => outcome('confirmed', p95, old));
    const limit = gate({ measure: 'latency', limitMs: 40 });
    expect(judge(limit, devices(39, null)).decision).toBe('pass');
    expect(judge(limit, devices(41, null)).decision).toBe('fail');
    const factor = gate({ measure: 'latency', factor: 1.2 });
    expect(judge(factor, devices(11.9, 10)).decision).toBe('pass');
    expect(judge(factor, devices(12.1, 10)).decision).toBe('fail');
    // None of them ran a model before.
    expect(judge(factor, devices(99, null))).toMatchObject({ decision: 'undecided', measured: 0 });
    expect(judge(gate({ measure: 'latency', factor: 1.2, limitMs: 100 }), devices(99, null)).decision).toBe('pass');
  });
});

test('whatever is measured: no wave passes whose condition is false, and none fails that is as good as is asked', () => {
  const outcomes = fc.array(
    fc.record({
      state: fc.constantFrom<Outcome['state']>('under-way', 'confirmed', 'failed', 'unknown'),
      p95Ms: fc.option(fc.integer({ min: 1, max: 100 })),
      oldP95Ms: fc.option(fc.integer({ min: 1, max: 100 })),
    }),
    { minLength: 1, maxLength: 200 },
  );
  const gates = fc.record({
    measure: fc.constantFrom<Gate['measure']>('confirmed', 'failed', 'unknown', 'latency'),
    mostBad: fc.double({ min: 0, max: 0.99, noNaN: true }),
    limitMs: fc.option(fc.integer({ min: 1, max: 100 })),
    factor: fc.option(fc.double({ min: 0.5, max: 3, noNaN: true })),
    minimum: fc.integer({ min: 1, max: 50 }),
    confidence: fc.constantFrom(0.9, 0.95, 0.99),
    action: fc.constant('pause' as const),
  });
  fc.assert(
    fc.property(gates, outcomes, (wanted, wave) => {
      const { decision, bad, measured } = judge(wanted, wave);
      const through = wave.every(({ state }) => state !== 'under-way');
      // Counted here once more, in other words.
      const isBad = (one: Outcome): boolean => {
        if (wanted.measure === 'confirmed') return one.state !== 'confirmed';
        if (wanted.measure !== 'latency') return one.state === wanted.measure;
        const tooLong = wanted.limitMs !== null && (one.p95Ms ?? 0) > wanted.limitMs;
        return tooLong || (wanted.factor !== null && one.oldP95Ms !== null && (one.p95Ms ?? 0) > wanted.factor * one.oldP95Ms);
      };
      const known = wave.filter(({ state, p95Ms }) => state !== 'under-way' && (wanted.measure !== 'latency' || (state === 'confirmed' && p95Ms !== null)));
      expect(bad).toBe(known.filter(isBad).length);
      if (decision === 'pass') expect(through && measured > 0 && bad <= wanted.mostBad * measured).toBe(true);
      if (decision === 'fail') expect(bad).toBeGreaterThan(wanted.mostBad * measured);
      if (decision === 'wait') expect(through).toBe(false);
      if (decision === 'undecided') expect(through).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

test('how many bad devices a wave takes', () => {
  expect(failsFrom(gate(), 1)).toBe(1);
  expect(failsFrom(gate(), 10)).toBe(2);
  expect(failsFrom(gate(), 100)).toBe(6);
  expect(failsFrom(gate({ mostBad: 0.99 }), 3)).toBeNull();
});
