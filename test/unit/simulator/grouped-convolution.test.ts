// Grouped convolutions, as TensorFlow's kernel checks them (conv.cc, Prepare: the groups divide the filters evenly).

import { expect, test } from 'vitest';
import { Interpreter } from '../../../src/simulator/index.js';
import { floatBytes } from '../../support/files.js';
import { convOptions, modelOf } from '../../support/models.js';

/** A 1x1 convolution of 4 input channels, in groups of 2. */
const grouped = (filters: number) =>
  modelOf(
    [
      { shape: [1, 1, 1, 4] },
      { shape: [filters, 1, 1, 2], data: Float32Array.from({ length: 2 * filters }, (_, i) => i + 1) },
      { shape: [1, 1, 1, filters] },
    ],
    [{ op: 'CONV_2D', inputs: [0, 1, -1], outputs: [2], options: convOptions() }],
    [0],
    [2],
  );

test('each group of filters reads its own input channels', () => {
  const run = (filters: number): number[] => {
    const bytes = new Interpreter(grouped(filters)).run(floatBytes([1, 10, 100, 1000]));
    return [...new Float32Array(bytes.buffer, bytes.byteOffset, filters)];
  };
  // Filters (1, 2), (3, 4) read channels 0 and 1; (5, 6), (7, 8) read 2 and 3.
  expect(run(4)).toEqual([21, 43, 6500, 8700]);
  expect(run(2)).toEqual([21, 4300]);
});

test.each([1, 3, 5])('%d filters are not divided evenly among two groups', (filters) => {
  expect(() => new Interpreter(grouped(filters))).toThrow(`${filters} filters do not divide into 2 groups`);
});
