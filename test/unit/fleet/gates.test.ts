import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { lowerBound, upperBound } from '../../../src/fleet/binomial.js';
import {
  type Condition,
  type DeviceMeasurements,
  type DeviceOutcome,
  failsFrom,
  type Gate,
  judge,
  nothingMeasured,
} from '../../../src/fleet/index.js';

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

const usual = { maxBad: 0.02, minimum: 1, confidence: 0.95, action: 'pause' } as const;
const gate = (
  changes: Partial<typeof usual | { minimum: number; maxBad: number }> = {},
  condition: Condition = { measure: 'failed' },
): Gate => ({
  ...usual,
  ...changes,
  ...condition,
});
const outcome = (
  state: DeviceOutcome['state'],
  measured: Partial<DeviceMeasurements> = {},
  before: Partial<DeviceMeasurements> = {},
): DeviceOutcome => ({
  state,
  measured: { ...nothingMeasured, ...measured },
  before: { ...nothingMeasured, ...before },
});
const wave = (counts: Partial<Record<DeviceOutcome['state'], number>>): DeviceOutcome[] =>
  Object.entries(counts).flatMap(([state, count]) =>
    Array.from({ length: count }, () => outcome(state as DeviceOutcome['state'])),
  );

describe('a wave', () => {
  test.each<[string, Gate, DeviceOutcome[], string]>([
    ['is under way', gate(), wave({ confirmed: 99, 'under-way': 1 }), 'wait'],
    ['is through, and as good as is asked', gate(), wave({ confirmed: 98, failed: 2 }), 'pass'],
    ['is surely bad before it is through', gate(), wave({ confirmed: 50, failed: 8, 'under-way': 42 }), 'fail'],
    ['has one unlucky device', gate(), wave({ confirmed: 9, failed: 1 }), 'undecided'],
    ['has more than chance explains', gate(), wave({ confirmed: 8, failed: 2 }), 'fail'],
    [
      'has too few that were measured',
      gate({ minimum: 50 }),
      wave({ confirmed: 10, failed: 10, 'under-way': 80 }),
      'wait',
    ],
    ['is smaller than the minimum', gate({ minimum: 50 }), wave({ confirmed: 10 }), 'pass'],
    [
      'has devices that were never heard of again',
      gate({}, { measure: 'unknown' }),
      wave({ confirmed: 60, unknown: 40 }),
      'fail',
    ],
    [
      'counts these against what is confirmed',
      gate({ maxBad: 0.05 }, { measure: 'confirmed' }),
      wave({ confirmed: 60, unknown: 40 }),
      'fail',
    ],
    [
      'has nothing to measure its latency by',
      gate({}, { measure: 'latency', limitMs: 10, factor: null }),
      wave({ failed: 10 }),
      'undecided',
    ],
  ])('%s', (_what, wanted, outcomes, decision) => {
    expect(judge(wanted, outcomes).decision).toBe(decision);
  });

  const fifty = (measured: Partial<DeviceMeasurements>, before: Partial<DeviceMeasurements> = {}) =>
    Array.from({ length: 50 }, () => outcome('confirmed', measured, before));
  const decided = (condition: Condition, outcomes: readonly DeviceOutcome[]) =>
    judge(gate({}, condition), outcomes).decision;

  test('latency, against a limit and against the model before', () => {
    const latency = (limitMs: number | null, factor: number | null): Condition => ({
      measure: 'latency',
      limitMs,
      factor,
    });
    expect(decided(latency(40, null), fifty({ p95Ms: 39 }))).toBe('pass');
    expect(decided(latency(40, null), fifty({ p95Ms: 41 }))).toBe('fail');
    expect(decided(latency(null, 1.2), fifty({ p95Ms: 11.9 }, { p95Ms: 10 }))).toBe('pass');
    expect(decided(latency(null, 1.2), fifty({ p95Ms: 12.1 }, { p95Ms: 10 }))).toBe('fail');
    // None of them ran a model before.
    expect(judge(gate({}, latency(null, 1.2)), fifty({ p95Ms: 99 }))).toMatchObject({
      decision: 'undecided',
      measured: 0,
    });
    expect(decided(latency(100, 1.2), fifty({ p95Ms: 99 }))).toBe('pass');
  });

  test('accuracy, against a limit and against the model before', () => {
    const accuracy = (least: number | null, drop: number | null): Condition => ({ measure: 'accuracy', least, drop });
    expect(decided(accuracy(0.9, null), fifty({ accuracy: 0.9 }))).toBe('pass');
    expect(decided(accuracy(0.9, null), fifty({ accuracy: 0.89 }))).toBe('fail');
    expect(decided(accuracy(null, 0.02), fifty({ accuracy: 0.93 }, { accuracy: 0.94 }))).toBe('pass');
    expect(decided(accuracy(null, 0.02), fifty({ accuracy: 0.91 }, { accuracy: 0.94 }))).toBe('fail');
    expect(decided(accuracy(0.95, 0.02), fifty({ accuracy: 0.93 }, { accuracy: 0.94 }))).toBe('fail');
    expect(decided(accuracy(null, 0.02), fifty({ accuracy: 0.1 }))).toBe('undecided');
  });

  test('agreement with the simulator, and the arena', () => {
    expect(decided({ measure: 'agreement', limitLsb: 1 }, fifty({ maxLsb: 1 }))).toBe('pass');
    expect(decided({ measure: 'agreement', limitLsb: 1 }, fifty({ maxLsb: 2 }))).toBe('fail');
    expect(decided({ measure: 'arena', limitBytes: 20_000 }, fifty({ arenaBytes: 20_000 }))).toBe('pass');
    expect(decided({ measure: 'arena', limitBytes: 20_000 }, fifty({ arenaBytes: 20_001 }))).toBe('fail');
  });
});

test(
  'whatever is measured: no wave passes whose condition is false, ' + 'and none fails that is as good as is asked',
  () => {
    const figure = fc.option(fc.integer({ min: 0, max: 100 }));
    const measured = fc.record({
      p95Ms: figure,
      accuracy: fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
      arenaBytes: figure,
      maxLsb: figure,
    });
    const outcomes = fc.array(
      fc.record({
        state: fc.constantFrom<DeviceOutcome['state']>('under-way', 'confirmed', 'failed', 'unknown'),
        measured,
        before: measured,
      }),
      { minLength: 1, maxLength: 200 },
    );
    const limit = fc.integer({ min: 0, max: 100 });
    const share = fc.double({ min: 0, max: 1, noNaN: true });
    const condition: fc.Arbitrary<Condition> = fc.oneof(
      fc.record({ measure: fc.constantFrom('confirmed' as const, 'failed' as const, 'unknown' as const) }),
      fc.record({
        measure: fc.constant('latency' as const),
        limitMs: fc.option(limit),
        factor: fc.option(fc.double({ min: 0.5, max: 3, noNaN: true })),
      }),
      fc.record({ measure: fc.constant('accuracy' as const), least: fc.option(share), drop: fc.option(share) }),
      fc.record({ measure: fc.constant('agreement' as const), limitLsb: limit }),
      fc.record({ measure: fc.constant('arena' as const), limitBytes: limit }),
    );
    const rest = fc.record({
      maxBad: fc.double({ min: 0, max: 0.99, noNaN: true }),
      minimum: fc.integer({ min: 1, max: 50 }),
      confidence: fc.constantFrom(0.9, 0.95, 0.99),
      action: fc.constant('pause' as const),
    });
    // An independent definition: whether a gate judges a device, and how.
    const known = (gate: Condition, { state, measured: now, before }: DeviceOutcome): boolean => {
      if (state === 'under-way') return false;
      if (gate.measure === 'latency')
        return (
          state === 'confirmed' &&
          now.p95Ms !== null &&
          (gate.limitMs !== null || (gate.factor !== null && before.p95Ms !== null))
        );
      if (gate.measure === 'accuracy')
        return (
          state === 'confirmed' &&
          now.accuracy !== null &&
          (gate.least !== null || (gate.drop !== null && before.accuracy !== null))
        );
      if (gate.measure === 'agreement') return state === 'confirmed' && now.maxLsb !== null;
      if (gate.measure === 'arena') return state === 'confirmed' && now.arenaBytes !== null;
      return true;
    };
    const bad = (gate: Condition, { state, measured: now, before }: DeviceOutcome): boolean => {
      const [p95, accuracy] = [now.p95Ms ?? 0, now.accuracy ?? 0];
      if (gate.measure === 'latency')
        return (
          (gate.limitMs !== null && p95 > gate.limitMs) ||
          (gate.factor !== null && before.p95Ms !== null && p95 > gate.factor * before.p95Ms)
        );
      if (gate.measure === 'accuracy')
        return (
          (gate.least !== null && accuracy < gate.least) ||
          (gate.drop !== null && before.accuracy !== null && accuracy < before.accuracy - gate.drop)
        );
      if (gate.measure === 'agreement') return (now.maxLsb ?? 0) > gate.limitLsb;
      if (gate.measure === 'arena') return (now.arenaBytes ?? 0) > gate.limitBytes;
      return gate.measure === 'confirmed' ? state !== 'confirmed' : state === gate.measure;
    };
    fc.assert(
      fc.property(condition, rest, outcomes, (limits, others, wave) => {
        const { maxBad } = others;
        const { decision, bad: counted, measured: of } = judge({ ...limits, ...others }, wave);
        const through = wave.every(({ state }) => state !== 'under-way');
        const looked = wave.filter((one) => known(limits, one));
        expect(of).toBe(looked.length);
        expect(counted).toBe(looked.filter((one) => bad(limits, one)).length);
        if (decision === 'pass') expect(through && of > 0 && counted <= maxBad * of).toBe(true);
        if (decision === 'fail') expect(counted).toBeGreaterThan(maxBad * of);
        if (decision === 'wait') expect(through).toBe(false);
        if (decision === 'undecided') expect(through).toBe(true);
      }),
      { numRuns: 2000 },
    );
  },
);

test('how many failed devices a wave tolerates', () => {
  expect(failsFrom(gate(), 1)).toBe(1);
  expect(failsFrom(gate(), 10)).toBe(2);
  expect(failsFrom(gate(), 100)).toBe(6);
  expect(failsFrom(gate({ maxBad: 0.99 }), 3)).toBeNull();
});
