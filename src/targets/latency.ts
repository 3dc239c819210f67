// A first latency estimate, in milliseconds: cycles per multiply-accumulate and per element, or throughput.

import { fail } from '../errors.js';
import { workOf } from '../simulator/index.js';
import { elementCount, type Model, mainSubgraph } from '../tflite/index.js';
import type { Target } from './load.js';

export interface LatencyEstimate {
  readonly value: number;
  readonly basis: 'estimate';
  /** Half width of the range that the true value should lie in. */
  readonly errorPercent: number;
}

export function estimateLatency(model: Model, target: Target): LatencyEstimate {
  const { latency } = target;
  const operators = operatorLatencies(model, target).reduce((sum, ms) => sum + ms, 0);
  return { value: (latency.kind === 'throughput' ? latency.overheadMs : 0) + operators, basis: 'estimate', errorPercent: latency.errorPercent };
}

/** The share of each operator, in milliseconds and in order. */
export function operatorLatencies(model: Model, target: Target): number[] {
  const work = workOf(model).map((one, o) => {
    if (one === null) throw fail('INTERNAL', { reason: `the work of operator ${o} is not known` });
    return one;
  });
  const { latency } = target;
  if (latency.kind === 'throughput') {
    // What does not fit the parameter memory is streamed at every inference; it is charged to the operators by their work.
    const macs = work.reduce((sum, { macs: count }) => sum + count, 0);
    const parameterBytes = model.buffers.reduce((sum, { data }) => sum + (data?.byteLength ?? 0), 0);
    const streamedMs = (1000 * Math.max(0, parameterBytes - target.ram.bytes)) / latency.bytesPerSecond;
    return work.map(({ macs: count }) => (1000 * count) / latency.macsPerSecond + (macs === 0 ? 0 : (streamedMs * count) / macs));
  }
  const subgraph = mainSubgraph(model);
  return work.map(({ kind, macs: count }, o) => {
    const output = subgraph.tensors[subgraph.operators[o]?.outputs?.[0] ?? -1];
    const elements = elementCount(output?.shape ?? []);
    const cycles = kind === 'elementwise' || kind === 'copy' ? latency.perElement[kind] * elements : latency.perMac[kind] * count;
    return (1000 * (cycles + latency.perOperator)) / (target.clockHz as number);
  });
}
