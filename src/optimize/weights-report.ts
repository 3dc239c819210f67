// What pruning and clustering left of each layer's weights, and what that saves where files are sent compressed.

import { deflateRawSync } from 'node:zlib';
import { type Model, writeModel } from '../tflite/index.js';
import { weightMatrices } from './weight-matrix.js';

export interface WeightsReport {
  readonly bytes: number;
  /** Raw deflate, highest level. */
  readonly deflatedBytes: number;
  /** Share of all weights that are 0. */
  readonly sparsity: number;
  readonly layers: readonly {
    readonly operator: number;
    readonly op: string;
    readonly name: string;
    readonly weights: number;
    readonly sparsity: number;
    /** Different values. */
    readonly distinct: number;
  }[];
}

export function weightsReport(model: Model): WeightsReport {
  const bytes = writeModel(model);
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
    bytes: bytes.byteLength,
    deflatedBytes: deflatedBytes(bytes),
    sparsity: weights === 0 ? 0 : layers.reduce((sum, layer) => sum + layer.sparsity * layer.weights, 0) / weights,
    layers,
  };
}

export function deflatedBytes(bytes: Uint8Array): number {
  return deflateRawSync(bytes, { level: 9 }).byteLength;
}
