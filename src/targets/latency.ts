// A first latency estimate, in milliseconds: cycles per multiply-accumulate and per element, or throughput.

import { Interpreter } from '../simulator/index.js';
import { type Model, elementCount, mainSubgraph } from '../tflite/index.js';
import type { Target } from './load.js';

export interface LatencyEstimate {
  readonly value: number;
  readonly basis: 'estimate';
  /** Half width of the range that the true value should lie in. */
  readonly errorPercent: number;
}

export function estimateLatency(model: Model, target: Target): LatencyEstimate {
  const work = new Interpreter(model).work();
  const { latency } = target;
  const macs = work.reduce((sum, { macs: count }) => sum + count, 0);
  if (latency.kind === 'throughput') {
    const parameterBytes = model.buffers.reduce((sum, { data }) => sum + (data?.byteLength ?? 0), 0);
    const streamed = Math.max(0, parameterBytes - target.ram.bytes);
    return { value: latency.overheadMs + (1000 * macs) / latency.macsPerSecond + (1000 * streamed) / latency.bytesPerSecond, basis: 'estimate', errorPercent: latency.errorPercent };
  }
  const subgraph = mainSubgraph(model);
  const cycles = work.reduce((sum, { kind, macs: count }, o) => {
    const output = subgraph.tensors[subgraph.operators[o]?.outputs?.[0] ?? -1];
    const elements = elementCount(output?.shape ?? []);
    const own = kind === 'elementwise' || kind === 'copy' ? latency.perElement[kind] * elements : latency.perMac[kind] * count;
    return sum + own + latency.perOperator;
  }, 0);
  return { value: (1000 * cycles) / (target.clockHz as number), basis: 'estimate', errorPercent: latency.errorPercent };
}
