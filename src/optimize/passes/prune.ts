// Magnitude pruning: the smallest weights become exactly 0 (S. Han et al., Learning both Weights and Connections, NIPS
// 2015; M. Zhu, S. Gupta, To prune, or not to prune, 2017). With blocks, whole blocks of the [channel, place] matrix
// are removed, by their mean square.

import { elementAt } from '../../base/checked.js';
import { compact, copyModel, type Model } from '../../formats/tflite/index.js';
import { storeWeights, type WeightMatrix, weightMatrices } from './weight-matrix.js';

/** Size of a block of weights that is pruned as a whole. */
export interface Block {
  /** Output channels. */
  readonly channels: number;
  /** Neighbouring weights of a channel. */
  readonly places: number;
}

export interface PruneOptions {
  /** Share of the weights that become 0. */
  readonly sparsity: number;
  /** Single weights by default. */
  readonly block?: Block;
  /** One threshold for all layers, the same share in each, or shares by operator of the main subgraph. */
  readonly scope?: 'global' | 'per-layer' | ReadonlyMap<number, number>;
}

const single: Block = { channels: 1, places: 1 };

/** Layers with fewer weights are not pruned: they cost little and matter much. */
export const minWeights = 256;

export function prune(model: Model, { sparsity, block = single, scope = 'global' }: PruneOptions): Model {
  const copy = copyModel(model);
  const layers = weightMatrices(copy)
    .filter(({ values }) => values.length >= minWeights)
    .map((matrix) => ({ matrix, blocks: blocksOf(matrix, block) }));
  const threshold =
    scope === 'global'
      ? thresholdOf(
          layers.flatMap(({ blocks }) => blocks),
          sparsity,
        )
      : null;
  for (const { matrix, blocks } of layers) {
    const share = scope === 'global' || scope === 'per-layer' ? sparsity : (scope.get(matrix.layer.operator) ?? 0);
    const limit = threshold ?? thresholdOf(blocks, share);
    const values = matrix.values.slice();
    for (const { places, score } of blocks) if (score <= limit) for (const at of places) values[at] = 0;
    storeWeights(copy, matrix, values);
  }
  compact(copy);
  return copy;
}

interface WeightBlock {
  readonly places: readonly number[];
  /** Mean square. */
  readonly score: number;
}

function blocksOf({ layer, values }: WeightMatrix, block: Block): WeightBlock[] {
  const { channels, depth, weightAt } = layer;
  const blocks: WeightBlock[] = [];
  for (let c = 0; c < channels; c += block.channels) {
    for (let p = 0; p < depth; p += block.places) {
      const places: number[] = [];
      let squares = 0;
      for (let i = c; i < Math.min(channels, c + block.channels); i++) {
        for (let j = p; j < Math.min(depth, p + block.places); j++) {
          const at = weightAt(i, j);
          places.push(at);
          squares += elementAt(values, at) ** 2;
        }
      }
      blocks.push({ places, score: squares / places.length });
    }
  }
  return blocks;
}

/**
 * The score up to which blocks are removed, so that they contain the given share of all weights; below 0 if none is.
 */
function thresholdOf(blocks: readonly WeightBlock[], share: number): number {
  const sorted = blocks.toSorted((a, b) => a.score - b.score);
  const wanted = share * sorted.reduce((sum, { places }) => sum + places.length, 0);
  let [gone, limit] = [0, -1];
  for (const { places, score } of sorted) {
    if (gone + places.length > wanted + 1e-9) break;
    gone += places.length;
    limit = score;
  }
  return limit;
}
