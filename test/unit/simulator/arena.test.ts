import { expect, test } from 'vitest';
import { seededRandom } from '../../../src/base/random.js';
import { greedyPlan } from '../../../src/simulator/arena/greedy.js';
import {
  arenaOf,
  insertPlaced,
  lowestGap,
  type PlacedBytes,
  type RuntimeKernels,
} from '../../../src/simulator/index.js';
import { denseModel } from '../../support/models.js';

const espNn: RuntimeKernels = { library: 'esp-nn', simd: 'none', wideEnums: true };

test('wide enums make tensors 8 bytes larger and the options of dense layers 11, before rounding', () => {
  const narrow = arenaOf(denseModel(), { ...espNn, wideEnums: false });
  const wide = arenaOf(denseModel(), espNn);
  expect(wide.headBytes).toBe(narrow.headBytes);
  // Two edges, one dense layer; each buffer of a kernel is placed on 16 bytes again.
  expect(wide.tailBytes - narrow.tailBytes).toBeGreaterThanOrEqual(16);
  expect(wide.tailBytes - narrow.tailBytes).toBeLessThanOrEqual(48);
});

test(
  'of thousands of buffers, each lies at the lowest place between ' + 'those in use at the same time, largest first',
  () => {
    const random = seededRandom(5);
    const whole = (limit: number): number => Math.floor(random() * limit);
    for (let round = 0; round < 20; round++) {
      const requests = Array.from({ length: 400 }, (_, i) => {
        const first = whole(600);
        return {
          tensor: i,
          operator: null,
          bytes: 1 + whole(900),
          first,
          last: first + (whole(5) === 0 ? whole(300) : whole(4)),
          fixed: null,
        };
      });
      const { buffers } = greedyPlan(requests);
      const placed: PlacedBytes[] = [];
      const size = (bytes: number): number => Math.ceil(bytes / 16) * 16;
      // Equal sizes are placed in descending order of index, as TFLM's stable sort does.
      for (const i of [...requests.keys()].sort(
        (a, b) => size(requests[b]?.bytes ?? 0) - size(requests[a]?.bytes ?? 0) || b - a,
      )) {
        const buffer = buffers[i] as PlacedBytes;
        expect(buffer.offset).toBe(lowestGap(buffer, placed));
        insertPlaced(placed, buffer);
      }
    }
  },
);
