// Limits that a model must meet before it is activated: the loss of a metric by quantization, a metric's minimum,
// latency and arena.

import { elementAt } from '../base/checked.js';
import { fail } from '../base/errors.js';
import { quantileOf } from '../base/quantile.js';
import { seededRandom } from '../base/random.js';
import { type Metric, metricOf, type SampleScore } from './judge.js';

/** How much of a metric may be lost. */
export type Allowance =
  /** Percentage points, for metrics that are shares. */
  | { readonly unit: 'points'; readonly value: number }
  /** Per cent of the float model's value. */
  | { readonly unit: 'percent'; readonly value: number }
  /** In the metric's own unit: a fraction, decibels, or a squared error. */
  | { readonly unit: 'own'; readonly value: number };

/** Limits that a quantized model must keep. */
export interface Limits {
  /** Loss against the float model; by default 2 points of a share and 5 % of other metrics. */
  readonly maxDrop?: Allowance;
  readonly min?: { readonly metric: Metric; readonly value: number };
  /** In milliseconds. */
  readonly maxLatencyMs?: number;
  /** In bytes. */
  readonly maxArenaBytes?: number;
}

/** A limit on a model, and whether it is kept. */
export interface GateResult {
  readonly gate: 'max-drop' | 'min' | 'max-latency-ms' | 'max-arena-bytes';
  /** In the unit of what is limited. */
  readonly limit: number;
  /** null if unknown. */
  readonly actual: number | null;
  readonly passed: boolean;
  /** Whether other samples of the same kind would be expected to give the same verdict, with 95 % confidence. */
  readonly certain: boolean;
  readonly message: string;
}

const shares: ReadonlySet<Metric> = new Set(['top1', 'top5', 'auc']);

/** Drop against the float model, in the metric's own unit; negative for an improvement. */
export function dropOf(metric: Metric, float: number, value: number): number {
  return metric === 'mse' ? value - float : float - value;
}

/** Converts an allowance to the metric's own unit. @throws USAGE for points of a metric that is not a share */
export function allowedDrop(metric: Metric, float: number, { maxDrop }: Pick<Limits, 'maxDrop'>): number {
  const { unit, value }: Allowance =
    maxDrop ?? (shares.has(metric) ? { unit: 'points', value: 2 } : { unit: 'percent', value: 5 });
  if (unit === 'own') return value;
  if (unit === 'percent') return (Math.abs(float) * value) / 100;
  if (!shares.has(metric))
    throw fail('USAGE', {
      reason: `a drop in points applies to shares (top1, top5, auc); for ${metric} use per cent, or its own unit`,
    });
  return value / 100;
}

/** Results of a model on samples, with the score of each. */
export interface Scored {
  readonly metric: Metric;
  readonly value: number;
  readonly scores: readonly SampleScore[];
}

/** @param float results on the same samples in the same order */
export function dropGate(limits: Pick<Limits, 'maxDrop'>, float: Scored, quantized: Scored): GateResult {
  const { metric } = quantized;
  const limit = allowedDrop(metric, float.value, limits);
  const actual = dropOf(metric, float.value, quantized.value);
  const [low, high] = intervalOfDrop(float, quantized);
  const passed = actual <= limit + 1e-12;
  const certain = passed ? high <= limit : low > limit;
  const text = (value: number): string =>
    shares.has(metric) ? `${(100 * value).toFixed(1)} points` : value.toPrecision(3);
  const samples = certain
    ? ''
    : `; ${quantized.scores.length} samples are too few to decide: the 95 % confidence interval is from ` +
      `${text(low)} to ${text(high)}`;
  return {
    gate: 'max-drop',
    limit,
    actual,
    passed,
    certain,
    message: `${metric} drops by ${text(actual)} against the float model; the limit is ${text(limit)}${samples}`,
  };
}

export function minGate(
  { metric, value: limit }: NonNullable<Limits['min']>,
  { metric: measured, value }: Pick<Scored, 'metric' | 'value'>,
): GateResult {
  if (metric !== measured)
    throw fail('USAGE', { reason: `the minimum is for ${metric}, but the metric of the data is ${measured}` });
  if (metric === 'mse')
    throw fail('USAGE', {
      reason: 'a minimum does not apply to mse, which is better when lower: limit its drop instead',
    });
  return {
    gate: 'min',
    limit,
    actual: value,
    passed: value >= limit,
    certain: true,
    message: `${metric} is ${value.toFixed(4)}; the minimum is ${limit}`,
  };
}

/** Limits on latency and arena, if any. */
export function costGates(
  { maxLatencyMs, maxArenaBytes }: Limits,
  latencyMs: number | null,
  arenaBytes: number | null,
): GateResult[] {
  const gate = (
    name: 'max-latency-ms' | 'max-arena-bytes',
    what: string,
    unit: string,
    limit: number | undefined,
    actual: number | null,
  ): GateResult[] => {
    if (limit === undefined) return [];
    const message =
      actual === null
        ? `${what} is unknown`
        : `${what} is ${actual.toPrecision(6).replace(/\.?0+$/, '')} ${unit}; the limit is ${limit} ${unit}`;
    return [{ gate: name, limit, actual, passed: actual !== null && actual <= limit, certain: true, message }];
  };
  return [
    ...gate('max-latency-ms', 'latency', 'ms', maxLatencyMs, latencyMs),
    ...gate('max-arena-bytes', 'the arena', 'bytes', maxArenaBytes, arenaBytes),
  ];
}

/** @throws GATE_FAILED with every limit that is exceeded */
export function requireGates(gates: readonly GateResult[], consequence: string): void {
  const failed = gates.filter(({ passed }) => !passed);
  if (failed.length > 0)
    throw fail('GATE_FAILED', { reasons: failed.map(({ message }) => message).join('; '), consequence });
}

/** Standard normal quantile for a two-sided confidence of 95 %. */
const deviate = 1.96;
const resamples = 400;

/** 95 % confidence interval of the drop, from samples that both models have run. */
function intervalOfDrop(float: Scored, quantized: Scored): [number, number] {
  const { metric } = quantized;
  const count = quantized.scores.length;
  if (metric === 'top1' || metric === 'top5') {
    // Difference of paired proportions, with half a sample added to each cell (Agresti and Min 2005).
    const changed = (before: boolean): number =>
      quantized.scores.filter(({ hit }, i) => hit !== before && float.scores[i]?.hit === before).length;
    const [lost, won] = [changed(true) + 0.5, changed(false) + 0.5];
    const difference = (lost - won) / (count + 2);
    const error = Math.sqrt(lost + won - (lost - won) ** 2 / (count + 2)) / (count + 2);
    return [difference - deviate * error, difference + deviate * error];
  }
  // Percentile bootstrap over pairs (Efron 1979).
  const random = seededRandom(count);
  const drops: number[] = [];
  for (let r = 0; r < resamples; r++) {
    const drawn = Array.from({ length: count }, () => Math.floor(random() * count));
    const of = ({ scores }: Scored): number =>
      metricOf(
        metric,
        drawn.map((i) => elementAt(scores, i)),
      );
    const drop = dropOf(metric, of(float), of(quantized));
    // A resample with one class only has no ROC curve.
    if (Number.isFinite(drop)) drops.push(drop);
  }
  drops.sort((a, b) => a - b);
  return drops.length === 0 ? [0, 0] : [quantileOf(drops, 0.025), quantileOf(drops, 0.975)];
}
