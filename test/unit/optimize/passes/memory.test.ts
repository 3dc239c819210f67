import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../../src/base/random.js';
import { prefixOf, readModel, writeModel } from '../../../../src/formats/tflite/index.js';
import { planMemory } from '../../../../src/optimize/passes/index.js';
import { bestOffsets, lowestHeight } from '../../../../src/optimize/passes/memory/offsets.js';
import { bestOrder, type OrderProblem, peakOf } from '../../../../src/optimize/passes/memory/order.js';
import {
  arenaOf,
  Interpreter,
  referenceKernels,
  resolveShapes,
  withOfflinePlan,
} from '../../../../src/simulator/index.js';
import { branchingModel } from '../../../support/models.js';
import { sharedBytes, sharedModels, sharedTest } from '../../../support/shared.js';

/** A random graph: every operator makes one tensor from up to three earlier ones. */
function randomProblem(seed: number, operators: number): OrderProblem {
  const random = seededRandom(seed);
  const below = (count: number): number => Math.floor(random() * count);
  const reads = Array.from({ length: operators }, (_, o) => [
    ...new Set(Array.from({ length: 1 + below(3) }, () => below(o + 1) - 1)),
  ]);
  return {
    after: reads.map((from) => from.filter((source) => source >= 0)),
    scratch: reads.map(() => 16 * below(3)),
    tensors: Array.from({ length: operators + 1 }, (_, t) => ({
      bytes: 16 * (1 + below(20)),
      producer: t === 0 ? null : t - 1,
      consumers: reads.flatMap((from, o) => (from.includes(t - 1) ? [o] : [])),
      kept: t === operators,
    })),
  };
}

/** The lowest peak of all orders there are. */
function exhaustivePeak(problem: OrderProblem): number {
  const count = problem.after.length;
  let best = Infinity;
  const visit = (order: number[]): void => {
    if (order.length === count) best = Math.min(best, peakOf(problem, order));
    for (let next = 0; next < count; next++) {
      if (order.includes(next) || !(problem.after[next] ?? []).every((before) => order.includes(before))) continue;
      visit([...order, next]);
    }
  };
  visit([]);
  return best;
}

describe('order of operators', () => {
  test.each(Array.from({ length: 60 }, (_, seed) => seed))('no order of random graph %i has a lower peak', (seed) => {
    const problem = randomProblem(seed, 7);
    const order = bestOrder(problem);
    expect(order.proven).toBe(true);
    expect(peakOf(problem, order.operators)).toBe(order.peakBytes);
    expect(order.peakBytes).toBe(exhaustivePeak(problem));
    for (const [at, operator] of order.operators.entries()) {
      for (const before of problem.after[operator] ?? []) expect(order.operators.indexOf(before)).toBeLessThan(at);
    }
  });

  test('graphs that are too large to search through are no worse than they were', () => {
    const problem = randomProblem(3, 120);
    const given = problem.after.map((_, operator) => operator);
    const { operators, peakBytes } = bestOrder(problem);
    expect([...operators].sort((a, b) => a - b)).toEqual(given);
    expect(peakBytes).toBeLessThanOrEqual(peakOf(problem, given));
  });
});

test.each(Array.from({ length: 40 }, (_, seed) => seed))(
  'offsets of random buffers %i: nothing overlaps, nothing is below the bound',
  (seed) => {
    const random = seededRandom(seed);
    const buffers = Array.from({ length: 4 + (seed % 20) }, () => {
      const first = Math.floor(random() * 10);
      return { size: 16 * (1 + Math.floor(random() * 30)), first, last: first + Math.floor(random() * 5) };
    });
    const { offsets, height } = bestOffsets(buffers);
    expect(height).toBeGreaterThanOrEqual(lowestHeight(buffers));
    buffers.forEach((a, i) => {
      expect((offsets[i] as number) + a.size).toBeLessThanOrEqual(height);
      buffers.forEach((b, j) => {
        if (i >= j || a.first > b.last || b.first > a.last) return;
        const [low, high] = [
          Math.min(offsets[i] as number, offsets[j] as number),
          Math.max(offsets[i] as number, offsets[j] as number),
        ];
        expect(low + ((offsets[i] as number) === low ? a.size : b.size)).toBeLessThanOrEqual(high);
      });
    });
  },
);

describe('plan of a model', () => {
  test('branches run one after the other, and compute the same', () => {
    const model = branchingModel();
    const plan = planMemory(model, referenceKernels);
    expect(plan).toMatchObject({ provenOrder: true, headBytes: plan.lowerBoundBytes });
    expect(plan.movedOperators).toBeGreaterThan(0);
    expect(plan.headBytes).toBeLessThan(plan.headBytesBefore * 0.6);
    const input = Uint8Array.from({ length: 64 }, (_, i) => (i * 29) & 255);
    expect(new Interpreter(readModel(writeModel(plan.model), 'plan')).run(input)).toEqual(
      new Interpreter(model).run(input),
    );
  });

  test('a plan in the file is used, and an own plan is replaced', () => {
    const model = branchingModel();
    const offsets = Int8Array.of(0, -1, 1, 2, -1, 3, 4, 5).map((at) => at);
    const stored = withOfflinePlan(
      model,
      Int32Array.from(offsets, (at) => (at < 0 ? -1 : 4096 * at)),
    );
    expect(arenaOf(readModel(writeModel(stored), 'stored'), referenceKernels).headBytes).toBe(4096 * 5 + 64);
    expect(planMemory(stored, referenceKernels)).toMatchObject({
      headBytesBefore: 4096 * 5 + 64,
      headBytes: planMemory(model, referenceKernels).headBytes,
    });
  });

  test('a model with a plan is judged with it, and planned again no worse', () => {
    const once = planMemory(branchingModel(), referenceKernels);
    const again = planMemory(once.model, referenceKernels);
    expect(again.headBytesBefore).toBe(once.headBytes);
    expect(again.headBytes).toBe(once.headBytes);
  });

  test('a plan is dropped when shapes or tensors change', () => {
    const { model } = planMemory(branchingModel(), referenceKernels);
    expect(resolveShapes(model, { x: [1, 16, 16, 1] }).metadata).toEqual([]);
    expect(prefixOf(model, 2).metadata).toEqual([]);
  });

  test('a chain of thousands of operators is planned without a search', () => {
    const count = 6000;
    const after = Array.from({ length: count }, (_, o) => (o === 0 ? [] : [o - 1]));
    expect(bestOrder({ after, scratch: after.map(() => 0), tensors: [] })).toMatchObject({
      proven: false,
      peakBytes: 0,
    });
  });

  test('a plan for other tensors is refused, as TFLM does', () => {
    const wrong = withOfflinePlan(branchingModel(), Int32Array.of(0, 0));
    expect(() => arenaOf(wrong, referenceKernels)).toThrow(expect.objectContaining({ code: 'TFLITE_INVALID' }));
  });

  for (const file of sharedModels().filter((name) => /mlperf-tiny|tflite-micro/.test(name))) {
    sharedTest(`${file}: never larger, with any kernels`, () => {
      const model = readModel(sharedBytes('models', file), file);
      for (const kernels of [
        referenceKernels,
        { library: 'cmsis-nn', simd: 'dsp' },
        { library: 'cmsis-nn', simd: 'mve' },
      ] as const) {
        const plan = planMemory(model, kernels);
        expect(plan.arenaBytes).toBeLessThanOrEqual(plan.arenaBytesBefore);
        expect(plan.headBytes).toBeGreaterThanOrEqual(plan.lowerBoundBytes);
      }
    });
  }

  sharedTest('person detection on 96 x 96 saves a quarter of the planned arena', () => {
    const file = 'mlperf-tiny/vww_96_int8.tflite';
    expect(planMemory(readModel(sharedBytes('models', file), file), referenceKernels)).toMatchObject({
      headBytesBefore: 73728,
      headBytes: 55296,
      stored: true,
    });
  });
});
