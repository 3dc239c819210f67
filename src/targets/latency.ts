// Latency estimates, in milliseconds: cycles per multiply-accumulate and per element of a core, or of an Edge TPU and
// its host.

import { defined, elementAt } from '../base/checked.js';
import { fail } from '../base/errors.js';
import { elementCount, type Model, mainSubgraph, TensorType } from '../formats/tflite/index.js';
import { type Work, workOf } from '../simulator/index.js';
import { type NpuPlacements, placeOnEdgeTpu } from './edgetpu/placement.js';
import type { Target } from './load.js';

export const layerKinds = ['conv', 'depthwise', 'fullyConnected'] as const;
export type LayerKind = (typeof layerKinds)[number];

/**
 * What it costs to finish an output (bias, rescaling, clamping, storing), in multiply-accumulates; of depthwise layers
 * it is in those themselves.
 */
export const macsPerOutput: Readonly<Record<LayerKind, number>> = { conv: 16, depthwise: 0, fullyConnected: 16 };

/** What a layer's cycles are proportional to. */
export function loadOf(kind: LayerKind, macs: number, outputs: number): number {
  return macs + macsPerOutput[kind] * outputs;
}

/** A figure that was not measured on the device in question. */
export interface Estimate {
  readonly value: number;
  readonly basis: 'estimate';
  /** Half width of the range that the true value should lie in. */
  readonly errorPercent: number;
}

export interface LatencyEstimate extends Estimate {
  /** How many models measured on such a board correct it; 0 where it rests on the target's figures alone. */
  readonly measuredModels: number;
}

/** Nothing is published of layers of 16 bits: they count as those of 8, and may be this much further off. */
const int16Uncertainty = 2;

/** What a latency follows from, where it is known already. */
export interface Known {
  /** Of each operator. */
  readonly work?: readonly (Work | null)[];
  /** What of the model an accelerator runs. */
  readonly npu?: NpuPlacements | null;
}

export function estimateLatency(model: Model, target: Target, known: Known = {}): LatencyEstimate {
  const { latency } = target;
  const { measured } = latency;
  const npu = placementsOf(model, target, known);
  const value = operatorLatencies(model, target, { ...known, npu }).reduce((sum, ms) => sum + ms, 0);
  // Every part that an accelerator runs is a call of its own.
  const overhead =
    latency.kind === 'edgetpu' ? latency.overheadMs * (measured?.factor ?? 1) * Math.max(1, npu?.subgraphs ?? 0) : 0;
  const wide = mainSubgraph(model).tensors.some(({ type, isVariable }) => type === TensorType.INT16 && !isVariable);
  const errorPercent = (measured ?? latency).errorPercent * (wide ? int16Uncertainty : 1);
  return { value: overhead + value, basis: 'estimate', errorPercent, measuredModels: measured?.models ?? 0 };
}

/** Of an inference, in microjoules: what the board takes times how long; null where its power is not known. */
export function estimateEnergy({ power }: Target, latency: LatencyEstimate): Estimate | null {
  if (power === null) return null;
  return {
    value: power.milliwatts * latency.value,
    basis: 'estimate',
    errorPercent: Math.round(Math.hypot(power.errorPercent, latency.errorPercent)),
  };
}

/** The share of each operator, in milliseconds and in order. */
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
  // What is sent at every inference is charged to the mapped operators by their cycles.
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
