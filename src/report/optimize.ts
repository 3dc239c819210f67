// What pruning and clustering did, for people.

import type { OptimizedWeights } from '../optimize-weights.js';
import { bytesText, countText, percentText, table } from './text.js';

export function optimizeReport({ before, after, signalToNoise, warnings }: OptimizedWeights): string {
  const layers = after.layers.map(({ operator, op, weights, sparsity, distinct }) => [
    String(operator),
    op,
    countText(weights),
    percentText(sparsity),
    countText(distinct),
  ]);
  const saved = 1 - after.deflatedBytes / before.deflatedBytes;
  return [
    table([
      ['sparsity', `${percentText(before.sparsity)} -> ${percentText(after.sparsity)}`],
      ['size', `${bytesText(before.bytes)} -> ${bytesText(after.bytes)} (on flash it stays what it is)`],
      ['deflated', `${bytesText(before.deflatedBytes)} -> ${bytesText(after.deflatedBytes)} (${percentText(saved, 0)} less to send)`],
      ...(signalToNoise === null ? [] : [['outputs', `SNR ${signalToNoise.toFixed(2)} dB against the model before`]]),
    ]),
    '',
    table(layers, ['#', 'operator', 'weights', 'zero', 'values']),
    ...warnings.map(({ code, message }) => `warning ${code}: ${message}`),
  ].join('\n');
}
