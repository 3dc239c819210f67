// Latency estimates in milliseconds, from cycles per multiply-accumulate and per element of a core, or of an Edge TPU
// and its host.

import { defined, elementAt } from '../base/checked.js';
import { fail } from '../base/errors.js';
import { elementCount, type Model, mainSubgraph, TensorType } from '../formats/tflite/index.js';
import { type Work, workOf } from '../simulator/index.js';
import { type NpuPlacements, placeOnEdgeTpu } from './edgetpu/placement.js';
import type { Target } from './load.js';

export const layerKinds = ['conv', 'depthwise', 'fullyConnected'] as const;
export type LayerKind = (typeof layerKinds)[number];

/**
 * Cost of finishing an output (bias, rescaling, clamping, storing), in multiply-accumulates; for depthwise layers in
 * their own.
 */
export const macsPerOutput: Readonly<Record<LayerKind, number>> = { conv: 16, depthwise: 0, fullyConnected: 16 };

/** The quantity that a layer's cycles are proportional to. */
export function loadOf(kind: LayerKind, macs: number, outputs: number): number {
  return macs + macsPerOutput[kind] * outputs;
}

/** An estimate that was not measured on the device itself. */
export interface Estimate {
  /** In the unit that the field's name states. */
  readonly value: number;
  readonly basis: 'estimate';
  /** Half the width of the range that is expected to contain the true value, as a share. */
  readonly errorPercent: number;
}

/** The estimated latency of one inference, with its error. */
export interface LatencyEstimate extends Estimate {
  /** Number of models measured on such a board that correct the estimate; 0 if it uses the target's figures alone. */
  readonly measuredModels: number;
}

/** No latencies of 16-bit layers are published: they count as 8-bit layers, with this additional uncertainty. */
const int16Uncertainty = 2;

/** Facts that a latency is computed from, if already known. */
export interface Known {
  /** By operator. */
  readonly work?: readonly (Work | null)[];
  /** What an accelerator runs. */
  readonly npu?: NpuPlacements | null;
}

export function estimateLatency(model: Model, target: Target, known: Known = {}): LatencyEstimate {
  const { latency } = target;
  const { measured } = latency;
  const npu = placementsOf(model, target, known);
  const value = operatorLatencies(model, target, { ...known, npu }).reduce((sum, ms) => sum + ms, 0);
  // Each part that an accelerator runs is a call of its own.
  const overhead =
    latency.kind === 'edgetpu' ? latency.overheadMs * (measured?.factor ?? 1) * Math.max(1, npu?.subgraphs ?? 0) : 0;
  const wide = mainSubgraph(model).tensors.some(({ type, isVariable }) => type === TensorType.INT16 && !isVariable);
  const errorPercent = (measured ?? latency).errorPercent * (wide ? int16Uncertainty : 1);
  return { value: overhead + value, basis: 'estimate', errorPercent, measuredModels: measured?.models ?? 0 };
}

/** Energy of an inference in microjoules: the board's power times the latency; null if the power is unknown. */
export function estimateEnergy({ power }: Target, latency: LatencyEstimate): Estimate | null {
  if (power === null) return null;
  return {
    value: power.milliwatts * latency.value,
    basis: 'estimate',
    errorPercent: Math.round(Math.hypot(power.errorPercent, latency.errorPercent)),
  };
}

/** Milliseconds of each operator, in order. */
export function operatorLatencies(model: Model, target: Target, known: Known = {}): number[] {
  const factor = target.latency.measured?.factor ?? 1;
  const work = known.work ?? workOf(model);
  const npu = placementsOf(model, target, known);
  const { latency } = target;
  const modelled =
    latency.kind === 'edgetpu' && npu !== null
      ? edgeTpuLatencies(model, latency, npu, work)
      : coreLatencies(model, target, work);
  return modelled.map((ms) => factor * ms);
}

function placementsOf(model: Model, { latency, operators }: Target, { npu }: Known): NpuPlacements | null {
  return latency.kind === 'edgetpu' ? (npu ?? placeOnEdgeTpu(model, operators)) : null;
}

function coreLatencies(model: Model, { latency, clockHz }: Target, work: readonly (Work | null)[]): number[] {
  if (latency.kind !== 'cycles') throw fail('INTERNAL', { reason: 'a latency without cycles' });
  const subgraph = mainSubgraph(model);
  return work.map((one, o) => {
    if (one === null) throw fail('INTERNAL', { reason: `the work of operator ${o} is not known` });
    const { kind, macs: count } = one;
    const output = subgraph.tensors[subgraph.operators[o]?.outputs?.[0] ?? -1];
    const elements = elementCount(output?.shape ?? []);
    const cycles =
      kind === 'elementwise' || kind === 'copy'
        ? latency.perElement[kind] * elements
        : latency.perMac[kind] * loadOf(kind, count, elements);
    return (1000 * (cycles + latency.perOperator)) / defined(clockHz);
  });
}

type EdgeTpuLatency = Extract<Target['latency'], { kind: 'edgetpu' }>;

function edgeTpuLatencies(
  model: Model,
  latency: EdgeTpuLatency,
  { operators: placements, parameters }: NpuPlacements,
  work: readonly (Work | null)[],
): number[] {
  const { tensors, operators } = mainSubgraph(model);
  const all = placements.reduce((sum, { cycles }) => sum + cycles, 0);
  // Parameters that are sent with every inference are charged to the mapped operators in proportion to their cycles.
  const sentMs = (1000 * (parameters.total - parameters.cached.max)) / latency.bytesPerSecond;
  return placements.map(({ mapped, cycles, index }) => {
    if (mapped) return (latency.msPerMegacycle * cycles) / 1e6 + (all === 0 ? 0 : (sentMs * cycles) / all);
    const { inputs, outputs } = elementAt(operators, index);
    const elements = Math.max(
      ...[inputs?.[0], outputs?.[0]].map((tensor) => elementCount(tensors[tensor ?? -1]?.shape ?? [])),
    );
    return (latency.host.nsPerMac * (work[index]?.macs ?? 0) + latency.host.nsPerElement * elements) / 1e6;
  });
}
