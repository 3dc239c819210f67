// Graph passes on float models. They return an equivalent float model that is easier to quantize, and count their
// changes. These passes never change the output beyond float rounding.

import { compact, copyModel, type Model } from '../../formats/tflite/index.js';
import { absorbNegations } from './absorb-negations.js';
import { foldBatchNorm } from './fold-batch-norm.js';
import { foldConstants } from './fold-constants.js';
import { fuseActivations } from './fuse-activations.js';
import { fusePadding } from './fuse-padding.js';
import { mergeEqualOperators } from './merge-equal-operators.js';
import type { GraphPass } from './pass.js';
import { squareToProduct } from './square-to-product.js';

export { type ClusterOptions, cluster } from './cluster.js';
export { equalize } from './equalize.js';
export { type MemoryPlan, planMemory } from './memory/index.js';
export type { Changed } from './pass.js';
export { type Block, type PruneOptions, prune } from './prune.js';
export { removeDeadChannels } from './remove-dead-channels.js';
export { scheduleBySensitivity } from './schedule.js';
export { type WeightsReport, weightsReport } from './weights-report.js';

/** The order matters: a normalization must be folded before the activation after it can be fused. */
const passes: readonly GraphPass[] = [
  foldConstants,
  mergeEqualOperators,
  squareToProduct,
  absorbNegations,
  foldBatchNorm,
  fusePadding,
  fuseActivations,
];

/** A model after the graph passes. */
export interface OptimizeResult {
  readonly model: Model;
  /** Number of changes by pass. */
  readonly changes: Readonly<Record<string, number>>;
}

/** Runs every pass, then removes what is unused. Models with several subgraphs are returned unchanged. */
export function optimize(model: Model): OptimizeResult {
  if (model.subgraphs.length !== 1) return { model, changes: {} };
  const changes: Record<string, number> = {};
  let current = model;
  for (const pass of passes) {
    const result = pass.run(current);
    changes[pass.name] = result.changes;
    current = result.model;
  }
  const clean = copyModel(current);
  compact(clean);
  return { model: clean, changes };
}
