// Latency estimates, in milliseconds: cycles per multiply-accumulate and per element of a core, or of an Edge TPU and its host.

import { fail } from '../errors.js';
import { type Work, workOf } from '../simulator/index.js';
import { elementCount, type Model, mainSubgraph, type Operator } from '../tflite/index.js';
import { placeOnEdgeTpu } from './edgetpu/placement.js';
import type { Target } from './load.js';

export const layerKinds = ['conv', 'depthwise', 'fullyConnected'] as const;
export type LayerKind = (typeof layerKinds)[number];

/** What it costs to finish an output (bias, rescaling, clamping, storing), in multiply-accumulates; of depthwise layers it is in those themselves. */
export const macsPerOutput: Readonly<Record<LayerKind, number>> = { conv: 16, depthwise: 0, fullyConnected: 16 };

/** What a layer's cycles are proportional to. */
export function loadOf(kind: LayerKind, macs: number, outputs: number): number {
  return macs + macsPerOutput[kind] * outputs;
}

export interface LatencyEstimate {
  readonly value: number;
  readonly basis: 'estimate';
  /** Half width of the range that the true value should lie in. */
  readonly errorPercent: number;
}

export function estimateLatency(model: Model, target: Target, work: readonly (Work | null)[] = workOf(model)): LatencyEstimate {
  const { latency } = target;
  const operators = operatorLatencies(model, target, work).reduce((sum, ms) => sum + ms, 0);
  return { value: (latency.kind === 'edgetpu' ? latency.overheadMs : 0) + operators, basis: 'estimate', errorPercent: latency.errorPercent };
}

/** The share of each operator, in milliseconds and in order. */
export function operatorLatencies(model: Model, target: Target, work: readonly (Work | null)[] = workOf(model)): number[] {
  const { latency } = target;
  if (latency.kind === 'edgetpu') return edgeTpuLatencies(model, target, latency, work);
  const subgraph = mainSubgraph(model);
  return work.map((one, o) => {
    if (one === null) throw fail('INTERNAL', { reason: `the work of operator ${o} is not known` });
    const { kind, macs: count } = one;
    const output = subgraph.tensors[subgraph.operators[o]?.outputs?.[0] ?? -1];
    const elements = elementCount(output?.shape ?? []);
    const cycles = kind === 'elementwise' || kind === 'copy' ? latency.perElement[kind] * elements : latency.perMac[kind] * loadOf(kind, count, elements);
    return (1000 * (cycles + latency.perOperator)) / (target.clockHz as number);
  });
}

type EdgeTpuLatency = Extract<Target['latency'], { kind: 'edgetpu' }>;

function edgeTpuLatencies(model: Model, target: Target, latency: EdgeTpuLatency, work: readonly (Work | null)[]): number[] {
  const { tensors, operators } = mainSubgraph(model);
  const { operators: placements, parameters } = placeOnEdgeTpu(model, target.operators);
  const all = placements.reduce((sum, { cycles }) => sum + cycles, 0);
  // What is sent at every inference is charged to the mapped operators by their cycles.
  const sentMs = (1000 * (parameters.total - parameters.cached.max)) / latency.bytesPerSecond;
  return placements.map(({ mapped, cycles, index }) => {
    if (mapped) return (latency.msPerMegacycle * cycles) / 1e6 + (all === 0 ? 0 : (sentMs * cycles) / all);
    const { inputs, outputs } = operators[index] as Operator;
    const elements = Math.max(...[inputs?.[0], outputs?.[0]].map((tensor) => elementCount(tensors[tensor ?? -1]?.shape ?? [])));
    return (latency.host.nsPerMac * (work[index]?.macs ?? 0) + latency.host.nsPerElement * elements) / 1e6;
  });
}
