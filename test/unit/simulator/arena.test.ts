import { expect, test } from 'vitest';
import { arenaOf, type RuntimeKernels } from '../../../src/simulator/index.js';
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
