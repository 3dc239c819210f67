// Prunes and clusters the weights of a float model, and reports what that saves and costs.

import { deflateRawSync } from 'node:zlib';
import { fail } from '../base/errors.js';
import { yieldToEventLoop } from '../base/event-loop.js';
import type { OnProgress } from '../base/progress.js';
import type { Warning } from '../base/warnings.js';
import type { Dataset } from '../data/index.js';
import { compressedBytes } from '../devices/bundle/index.js';
import { Reference } from '../evaluate/index.js';
import { type Model, writeModel } from '../formats/tflite/index.js';
import { resolveShapes } from '../simulator/index.js';
import {
  type Block,
  cluster,
  optimize,
  prune,
  scheduleBySensitivity,
  type WeightsReport,
  weightsReport,
} from './passes/index.js';
import { schemeOf } from './quantize/index.js';

/** How much is pruned, and how many values are left. */
export interface OptimizeWeightsOptions {
  /** Share of the weights that become 0. */
  readonly sparsity?: number;
  readonly block?: Block;
  /** Whether every layer is pruned by the same share. */
  readonly perLayer?: boolean;
  /** Number of distinct values per layer. */
  readonly clusters?: number;
  /** Whether weights of 0 stay 0 when weights are clustered. */
  readonly keepZeros?: boolean;
  readonly onProgress?: OnProgress<'sensitivity'>;
  readonly signal?: AbortSignal;
}

/** The size in flash does not change; the number of bytes to send does. */
export interface SizedWeights extends WeightsReport {
  /** Size of the file. */
  readonly bytes: number;
  /** Whole file, raw deflate, highest level. */
  readonly deflatedBytes: number;
  /** As sent to devices and fleets: blocks of 4096 bytes, each deflated on its own. */
  readonly compressedBytes: number;
}

/** A model with pruned or clustered weights. */
export interface OptimizedWeights {
  /** The written file. */
  readonly bytes: Uint8Array;
  readonly before: SizedWeights;
  readonly after: SizedWeights;
  /** SNR of the outputs against the original model, in dB; null without data. */
  readonly signalToNoise: number | null;
  readonly warnings: readonly Warning[];
}

/**
 * Prunes and clusters the weights of a float model, so that it compresses better.
 * @param datasets samples for judging layers; may be empty
 * @throws USAGE if there is nothing to do, QUANTIZE_NOT_FLOAT
 */
export async function optimizeWeights(
  model: Model,
  datasets: readonly Dataset[],
  options: OptimizeWeightsOptions,
): Promise<OptimizedWeights> {
  const { sparsity, block, clusters } = options;
  if (sparsity === undefined && clusters === undefined)
    throw fail('USAGE', { reason: 'there is nothing to do: request pruning, clustering, or both' });
  if (clusters !== undefined && clusters < 2)
    throw fail('USAGE', { reason: 'clustering needs at least 2 values per layer' });
  const scheme = schemeOf(model);
  if (scheme !== 'float32')
    throw fail('QUANTIZE_NOT_FLOAT', {
      where: 'the model',
      reason: `it is ${scheme} already; prune and cluster before quantizing`,
    });
  const prepared = optimize(model.subgraphs.length === 1 ? resolveShapes(model) : model).model;
  const reference = datasets.length === 0 ? null : await Reference.of(prepared, datasets);
  let current = prepared;
  if (sparsity !== undefined) {
    const scope = options.perLayer
      ? 'per-layer'
      : reference === null
        ? 'global'
        : await schedule(prepared, reference, sparsity, options);
    current = prune(current, { sparsity, scope, ...(block === undefined ? {} : { block }) });
  }
  if (clusters !== undefined) current = cluster(current, { clusters, keepZeros: options.keepZeros ?? false });
  const decibels = reference?.sqnr(current).decibels ?? null;
  const bytes = writeModel(current);
  const after = sized(current, bytes);
  return {
    bytes,
    before: sized(prepared, writeModel(prepared)),
    after,
    signalToNoise: decibels === Infinity ? null : decibels,
    warnings: shortfall(sparsity ?? 0, after.sparsity),
  };
}

function sized(model: Model, file: Uint8Array): SizedWeights {
  const deflatedBytes = deflateRawSync(file, { level: 9 }).byteLength;
  return { ...weightsReport(model), bytes: file.byteLength, deflatedBytes, compressedBytes: compressedBytes(file) };
}

function shortfall(asked: number, reached: number): Warning[] {
  if (reached >= asked - 0.02) return [];
  const message =
    `${(100 * reached).toFixed(1)} % of the weights are 0, fewer than requested: small layers are not pruned, ` +
    'and no layer loses more than 95 %';
  return [{ code: 'SPARSITY_NOT_REACHED', message }];
}

function schedule(
  model: Model,
  reference: Reference,
  sparsity: number,
  { block, onProgress, signal }: OptimizeWeightsOptions,
): Promise<Map<number, number>> {
  return scheduleBySensitivity(model, reference, {
    sparsity,
    ...(block === undefined ? {} : { block }),
    onStep: async (amount) => {
      onProgress?.({ step: 'sensitivity', ...amount });
      await yieldToEventLoop(signal);
    },
  });
}
