// Public models beside what the Edge TPU compiler made of them: every operator must be placed as there.

import { expect } from 'vitest';
import { placeOnEdgeTpu } from '../../src/targets/edgetpu/placement.js';
import { loadTarget } from '../../src/targets/index.js';
import { edgeTpuPairs, modelOfPair } from '../support/edgetpu-pairs.js';
import { sharedTest } from '../support/shared.js';

const { operators: operatorSet } = await loadTarget('coral-usb');

sharedTest('every operator of 176 compiled models is placed as the compiler placed it', () => {
  const pairs = edgeTpuPairs();
  expect(pairs).toHaveLength(176);
  const wrong = pairs.flatMap((pair) => {
    const { operators, subgraphs } = placeOnEdgeTpu(modelOfPair(pair), operatorSet);
    const differ = operators.filter(({ mapped, index }) => mapped !== (pair.ops[index]?.placed === 'tpu'));
    return [
      ...differ.map(({ index, op, status }) => `${pair.id}: operator ${index} ${op}: ${status}`),
      ...(subgraphs === 1 ? [] : [`${pair.id}: ${subgraphs} parts`]),
    ];
  });
  expect(wrong).toEqual([]);
});
