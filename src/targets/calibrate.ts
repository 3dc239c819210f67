// Computes from measurements on a board the factor by which a target's latency estimates are off, and the error that
// remains.

import type { Model } from '../formats/tflite/index.js';
import { estimateLatency } from './latency.js';
import type { Target } from './load.js';

export interface LatencyMeasurement {
  readonly model: Model;
  readonly latencyMs: number;
}

export interface Calibrated {
  /** For `latency.measured` of a target file. */
  readonly measured: NonNullable<Target['latency']['measured']>;
  /** In the order of the measurements. */
  readonly models: readonly {
    readonly measuredMs: number;
    readonly estimatedMs: number;
    readonly correctedMs: number;
  }[];
}

/** A single model says nothing about others: use the error of 94 % of the published systems (docs/latency.md). */
const errorOfOne = 20;
const minError = 5;

/** @param measurements at least one */
export function calibrateTarget(target: Target, measurements: readonly LatencyMeasurement[]): Calibrated {
  const { measured: _, ...latency } = target.latency;
  const bare = { ...target, latency } as Target;
  const pairs = measurements.map(({ model, latencyMs }) => ({
    measuredMs: latencyMs,
    estimatedMs: estimateLatency(model, bare).value,
  }));
  const factor = Math.exp(
    pairs.reduce((sum, { measuredMs, estimatedMs }) => sum + Math.log(measuredMs / estimatedMs), 0) / pairs.length,
  );
  const models = pairs.map((pair) => ({ ...pair, correctedMs: factor * pair.estimatedMs }));
  const farthest = Math.max(...models.map(({ measuredMs, correctedMs }) => Math.abs(correctedMs / measuredMs - 1)));
  const errorPercent = pairs.length === 1 ? errorOfOne : Math.max(minError, Math.ceil(200 * farthest));
  return { measured: { factor: Number(factor.toPrecision(6)), models: pairs.length, errorPercent }, models };
}
