// Statistics of each layer's weights after pruning and clustering.

import type { Model } from '../../formats/tflite/index.js';
import { weightMatrices } from './weight-matrix.js';

/** How much of the weights is 0, and how many values there are. */
export interface WeightsReport {
  /** Share of all weights that are 0. */
  readonly sparsity: number;
  readonly layers: readonly {
    readonly operator: number;
    readonly op: string;
    readonly name: string;
    readonly weights: number;
    readonly sparsity: number;
    /** Number of distinct values. */
    readonly distinct: number;
  }[];
}

export function weightsReport(model: Model): WeightsReport {
  const layers = weightMatrices(model).map(({ layer, op, name, values }) => ({
    operator: layer.operator,
    op,
    name,
    weights: values.length,
    sparsity: values.reduce((zeros, value) => zeros + Number(value === 0), 0) / values.length,
    distinct: new Set(values).size,
  }));
  const weights = layers.reduce((sum, layer) => sum + layer.weights, 0);
  return {
    sparsity: weights === 0 ? 0 : layers.reduce((sum, layer) => sum + layer.sparsity * layer.weights, 0) / weights,
    layers,
  };
}
