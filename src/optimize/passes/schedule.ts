// Chooses how much to prune in each layer: steps of sparsity go, one after another, to the layer whose outputs suffer
// least per pruned weight.

import { defined, elementAt } from '../../base/checked.js';
import type { Amount } from '../../base/progress.js';
import type { Reference } from '../../evaluate/index.js';
import type { Model } from '../../formats/tflite/index.js';
import { type Block, minWeights, prune } from './prune.js';
import { weightMatrices } from './weight-matrix.js';

/** Sparsities that are tried for each layer. */
const levels = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95];

export interface ScheduleOptions {
  readonly sparsity: number;
  readonly block?: Block;
  readonly onStep?: (amount: Amount) => Promise<void>;
}

/** @returns sparsities by operator of the main subgraph, which together give the requested sparsity */
export async function scheduleBySensitivity(
  model: Model,
  reference: Reference,
  { sparsity, block, onStep }: ScheduleOptions,
): Promise<Map<number, number>> {
  const layers = weightMatrices(model).filter(({ subgraph, values }) => subgraph === 0 && values.length >= minWeights);
  const total = layers.length * levels.length;
  const noise: number[][] = [];
  let done = 0;
  for (const { layer } of layers) {
    const own: number[] = [];
    for (const level of levels) {
      const candidate = prune(model, {
        sparsity: level,
        ...(block === undefined ? {} : { block }),
        scope: new Map([[layer.operator, level]]),
      });
      own.push(10 ** (-reference.sqnr(candidate).decibels / 10));
      await onStep?.({ done: ++done, total });
    }
    noise.push(own);
  }
  const weights = layers.reduce((sum, { values }) => sum + values.length, 0);
  const chosen = layers.map(() => -1);
  const levelAt = (at: number): number => (at < 0 ? 0 : elementAt(levels, at));
  const reached = (): number =>
    layers.reduce((sum, { values }, l) => sum + values.length * levelAt(elementAt(chosen, l)), 0) / weights;
  while (reached() < sparsity) {
    const costs = layers.map(({ values }, l) => {
      const at = elementAt(chosen, l);
      if (at + 1 >= levels.length) return Infinity;
      const more = values.length * (levelAt(at + 1) - levelAt(at));
      const cost = (defined(noise[l]?.[at + 1]) - (at < 0 ? 0 : defined(noise[l]?.[at]))) / more;
      // An output that is not a number is no information.
      return Number.isFinite(cost) ? cost : Number.MAX_VALUE;
    });
    const cheapest = costs.indexOf(Math.min(...costs));
    if (cheapest < 0 || costs[cheapest] === Infinity) break;
    chosen[cheapest] = elementAt(chosen, cheapest) + 1;
  }
  // The last step may overshoot: scale all sparsities to the requested total.
  const scale = reached() > 0 ? Math.min(1, sparsity / reached()) : 0;
  return new Map(layers.map(({ layer }, l) => [layer.operator, scale * levelAt(elementAt(chosen, l))]));
}
