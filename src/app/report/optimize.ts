// Report of `optimize`.

import type { OptimizedWeights } from '../../optimize/optimize-weights.js';
import { bytesText, countText, percentText, table } from './text.js';

export function optimizeReport({ before, after, signalToNoise, warnings }: OptimizedWeights): string {
  const layers = after.layers.map(({ operator, op, weights, sparsity, distinct }) => [
    String(operator),
    op,
    countText(weights),
    percentText(sparsity),
    countText(distinct),
  ]);
  const compressed = (figure: 'deflatedBytes' | 'compressedBytes'): string =>
    `${bytesText(before[figure])} -> ${bytesText(after[figure])} ` +
    `(${percentText(1 - after[figure] / before[figure], 0)} less)`;
  return [
    table([
      ['sparsity', `${percentText(before.sparsity)} -> ${percentText(after.sparsity)}`],
      ['size', `${bytesText(before.bytes)} -> ${bytesText(after.bytes)} (unchanged in flash)`],
      ['deflated', `${compressed('deflatedBytes')} as one file`],
      ['to send', `${compressed('compressedBytes')} in the blocks that push sends`],
      ...(signalToNoise === null ? [] : [['outputs', `SNR ${signalToNoise.toFixed(2)} dB against the original model`]]),
    ]),
    '',
    table(layers, ['#', 'operator', 'weights', 'zero', 'values']),
    ...warnings.map(({ code, message }) => `warning ${code}: ${message}`),
  ].join('\n');
}
