// Peaks and offsets of small problems, counted by hand or by trying everything.

import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../../src/base/random.js';
import { mainSubgraph } from '../../../../src/formats/tflite/index.js';
import { planMemory } from '../../../../src/optimize/passes/index.js';
import { type Buffer, bestOffsets, lowestHeight } from '../../../../src/optimize/passes/memory/offsets.js';
import { bestOrder, type OrderedTensor, peakOf } from '../../../../src/optimize/passes/memory/order.js';
import { referenceKernels } from '../../../../src/simulator/index.js';
import { branchingModel, denseModel } from '../../../support/models.js';

const tensor = (bytes: number, producer: number | null, consumers: readonly number[], kept = false): OrderedTensor => ({
  bytes,
  producer,
  consumers,
  kept,
});

describe('the peak', () => {
  test('counts what is read, what is made, and the scratch of an operator', () => {
    const tensors = [tensor(100, null, [0]), tensor(50, 0, [1]), tensor(20, 1, [], true)];
    expect(peakOf({ after: [[], [0]], scratch: [10, 0], tensors }, [0, 1])).toBe(160);
    expect(peakOf({ after: [[], [0]], scratch: [0, 200], tensors }, [0, 1])).toBe(270);
  });

  test('of inputs begins before the first operator, without those that nobody reads', () => {
    const tensors = [tensor(100, null, [0]), tensor(7, null, []), tensor(30, null, [], true), tensor(1, 0, [], true)];
    expect(peakOf({ after: [[]], scratch: [0], tensors }, [0])).toBe(131);
    expect(peakOf({ after: [], scratch: [], tensors: [tensor(100, null, [0])] }, [])).toBe(100);
  });

  test('frees a result that nobody reads at once, and outputs never', () => {
    const unread = [tensor(10, null, [0, 1]), tensor(40, 0, []), tensor(5, 1, [], true)];
    expect(peakOf({ after: [[], []], scratch: [0, 0], tensors: unread }, [0, 1])).toBe(50);
    const read = [tensor(10, null, [0]), tensor(40, 0, [1], true), tensor(5, 1, [], true)];
    expect(peakOf({ after: [[], [0]], scratch: [0, 0], tensors: read }, [0, 1])).toBe(50);
  });
});

test('the better of two orders is found, and proven: the branch that frees most comes first', () => {
  // Operator 0 makes two tensors; 1 shrinks the large one, 2 enlarges the small one, 3 joins them.
  const tensors = [
    tensor(10, null, [0]),
    tensor(100, 0, [1]),
    tensor(10, 0, [2]),
    tensor(5, 1, [3]),
    tensor(90, 2, [3]),
    tensor(1, 3, [], true),
  ];
  const problem = { after: [[], [0], [0], [1, 2]], scratch: [0, 0, 0, 0], tensors };
  expect(peakOf(problem, [0, 2, 1, 3])).toBe(200);
  expect(peakOf(problem, [0, 1, 2, 3])).toBe(120);
  expect(bestOrder(problem)).toEqual({ operators: [0, 1, 2, 3], peakBytes: 120, proven: true });
  const swapped = {
    ...problem,
    after: [[], [0], [0], [1, 2]],
    tensors: tensors.map(({ producer, consumers, ...rest }) => ({
      ...rest,
      producer: producer === 1 ? 2 : producer === 2 ? 1 : producer,
      consumers: consumers.map((one) => (one === 1 ? 2 : one === 2 ? 1 : one)),
    })),
  };
  expect(bestOrder(swapped)).toEqual({ operators: [0, 2, 1, 3], peakBytes: 120, proven: true });
});

describe('offsets', () => {
  const at = (size: number, first: number, last: number): Buffer => ({ size, first, last });

  /** The lowest height of all placements, tried one by one. */
  function exhaustiveHeight(buffers: readonly Buffer[]): number {
    const total = buffers.reduce((sum, { size }) => sum + size, 0);
    const overlap = (a: Buffer, b: Buffer): boolean => a.first <= b.last && b.first <= a.last;
    for (let height = lowestHeight(buffers); height < total; height++) {
      const offsets: number[] = [];
      const place = (i: number): boolean => {
        const buffer = buffers[i];
        if (buffer === undefined) return true;
        for (let offset = 0; offset + buffer.size <= height; offset++) {
          const free = offsets.every((other, o) => {
            const placed = buffers[o] ?? buffer;
            return !overlap(placed, buffer) || other + placed.size <= offset || offset + buffer.size <= other;
          });
          if (!free) continue;
          offsets.push(offset);
          if (place(i + 1)) return true;
          offsets.pop();
        }
        return false;
      };
      if (place(0)) return height;
    }
    return total;
  }

  /** Random buffers, the same of each seed: sizes up to `largest`, each in use for up to `longest` operators. */
  function drawnBuffers(
    seed: number,
    { count, operators, largest, longest }: Record<'count' | 'operators' | 'largest' | 'longest', number>,
  ): Buffer[] {
    const random = seededRandom(seed);
    const below = (bound: number): number => Math.floor(random() * bound);
    return Array.from({ length: count }, () => {
      const first = below(operators);
      return at(1 + below(largest), first, first + below(longest));
    });
  }

  test('the bound is the largest sum of sizes at one time', () => {
    expect(lowestHeight([at(3, 0, 1), at(4, 1, 2), at(5, 2, 3)])).toBe(9);
    expect(lowestHeight([at(3, 0, 0), at(4, 1, 1)])).toBe(4);
    expect(lowestHeight([])).toBe(0);
  });

  test.each(Array.from({ length: 40 }, (_, seed) => seed))('no placement of set %i is lower', (seed) => {
    const buffers = drawnBuffers(seed + 1, { count: 6, operators: 5, largest: 5, longest: 4 });
    const { offsets, height } = bestOffsets(buffers);
    expect(height).toBe(exhaustiveHeight(buffers));
    for (const [i, a] of buffers.entries()) {
      const own = offsets[i] ?? Number.NaN;
      expect(own + a.size).toBeLessThanOrEqual(height);
      for (const [o, b] of buffers.entries()) {
        const other = offsets[o] ?? Number.NaN;
        const apart = a.last < b.first || b.last < a.first || own + a.size <= other || other + b.size <= own;
        expect(i === o || apart).toBe(true);
      }
    }
  });

  /** Sets whose best placement none of the simple orders finds: every order is tried. */
  test.each([42, 73, 78, 267, 321, 459, 608])('the best placement of set %i takes a search', (seed) => {
    const buffers = drawnBuffers(seed, { count: 7, operators: 6, largest: 6, longest: 4 });
    const { offsets, height } = bestOffsets(buffers);
    expect(height).toBe(exhaustiveHeight(buffers));
    expect(Math.max(...buffers.map(({ size }, i) => size + (offsets[i] ?? Number.NaN)))).toBe(height);
  });

  test('many buffers are placed no higher than in the best of the simple orders', () => {
    const buffers = drawnBuffers(9, { count: 40, operators: 20, largest: 50, longest: 8 });
    const { height } = bestOffsets(buffers);
    expect(height).toBeGreaterThanOrEqual(lowestHeight(buffers));
    expect(height).toBeLessThanOrEqual(1.05 * lowestHeight(buffers));
  });
});

describe('the plan of a model', () => {
  test('says what it saves, and what has moved', () => {
    const model = branchingModel();
    const plan = planMemory(model, referenceKernels);
    expect(plan.headBytes).toBeLessThan(plan.headBytesBefore);
    expect(plan.arenaBytesBefore - plan.arenaBytes).toBe(plan.headBytesBefore - plan.headBytes);
    expect(plan).toMatchObject({ provenOrder: true, lowerBoundBytes: plan.headBytes });
    const [before, after] = [model, plan.model].map((one) =>
      mainSubgraph(one).operators.map(({ outputs }) => `${outputs}`),
    );
    expect(plan.movedOperators).toBe(after?.filter((made, at) => made !== before?.[at]).length);
    expect(plan.movedOperators).toBeGreaterThan(0);
  });

  test('of a model that cannot be improved is the model itself', () => {
    const model = denseModel();
    const plan = planMemory(model, referenceKernels);
    expect(plan).toMatchObject({ movedOperators: 0, stored: false, headBytes: plan.headBytesBefore });
    expect(plan.model.metadata).toEqual([]);
  });

  test('of a model with several subgraphs keeps the order', () => {
    const model = branchingModel();
    model.subgraphs.push(mainSubgraph(branchingModel()));
    const plan = planMemory(model, referenceKernels);
    expect(plan).toMatchObject({ provenOrder: false, movedOperators: 0 });
  });
});
