// TFLM's greedy memory planner (greedy_memory_planner.cc): what the model has planned itself stays where it is; the rest goes largest first,
// each at the lowest offset where it fits between buffers that are in use at the same time.

import type { BufferRequest } from './lifetimes.js';

export const arenaAlignment = 16;

export interface PlannedBuffer extends BufferRequest {
  /** `bytes` rounded up to the alignment. */
  readonly size: number;
  readonly offset: number;
}

export interface HeadPlan {
  /** In the order of the requests. */
  readonly buffers: readonly PlannedBuffer[];
  readonly headBytes: number;
}

export function alignUp(value: number, step = arenaAlignment): number {
  return Math.ceil(value / step) * step;
}

/** @param placed in the order of their offsets */
function lowestGap({ first, last }: BufferRequest, size: number, placed: readonly PlannedBuffer[]): number {
  let offset = 0;
  for (const other of placed) {
    if (other.first > last || other.last < first) continue;
    if (other.offset - offset >= size) break;
    offset = Math.max(offset, other.offset + other.size);
  }
  return offset;
}

export function greedyPlan(requests: readonly BufferRequest[]): HeadPlan {
  // TFLM fills its array back to front before a stable sort: equal sizes are placed in descending order of index.
  const rank = (i: number): number => (requests[i]?.fixed === null ? alignUp(requests[i]?.bytes ?? 0) : Infinity);
  const order = requests.map((_, i) => i).sort((a, b) => (rank(a) === rank(b) ? (rank(a) === Infinity ? a - b : b - a) : rank(b) - rank(a)));
  const placed: PlannedBuffer[] = [];
  const buffers = new Array<PlannedBuffer>(requests.length);
  let headBytes = 0;
  for (const i of order) {
    const request = requests[i] as BufferRequest;
    const size = alignUp(request.bytes);
    const offset = request.fixed ?? lowestGap(request, size, placed);
    const buffer = { ...request, size, offset };
    buffers[i] = buffer;
    const at = placed.findIndex((other) => other.offset > offset);
    placed.splice(at < 0 ? placed.length : at, 0, buffer);
    headBytes = Math.max(headBytes, offset + size);
  }
  return { buffers, headBytes };
}
