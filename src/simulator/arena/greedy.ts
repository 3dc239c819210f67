// TFLM's greedy memory planner (greedy_memory_planner.cc). Buffers with an offline offset stay there; the others are
// placed in descending size, each at the lowest offset that is free during its lifetime.

import { elementAt } from '../../base/checked.js';
import { arenaBytesOf } from './alignment.js';
import type { BufferRequest } from './lifetimes.js';

/** Memory with its place in the arena. */
export interface PlannedBuffer extends BufferRequest {
  /** `bytes` rounded up to the alignment. */
  readonly size: number;
  /** Place in the arena, in bytes. */
  readonly offset: number;
}

/** The planned part of an arena. */
export interface HeadPlan {
  /** In the order of the requests. */
  readonly buffers: readonly PlannedBuffer[];
  /** Size in bytes. */
  readonly headBytes: number;
}

/** Bytes that are in use for a time span, at an offset. */
export interface PlacedBytes {
  readonly offset: number;
  readonly size: number;
  readonly first: number;
  readonly last: number;
}

/** The lowest free offset during a time span. @param placed in ascending order of offsets */
export function lowestGap({ size, first, last }: Omit<PlacedBytes, 'offset'>, placed: readonly PlacedBytes[]): number {
  let offset = 0;
  for (const other of placed) {
    if (other.first > last || other.last < first) continue;
    if (other.offset - offset >= size) break;
    offset = Math.max(offset, other.offset + other.size);
  }
  return offset;
}

/** Inserts in order of offsets, after those with the same offset. */
export function insertPlaced<T extends PlacedBytes>(placed: T[], one: T): void {
  let at = placed.length;
  while (at > 0 && elementAt(placed, at - 1).offset > one.offset) at--;
  placed.splice(at, 0, one);
}

/** Buffers with a longer lifetime (in operators) are kept in one list instead of being indexed by time. */
const longSpan = 64;

/**
 * Index of placed buffers by lifetime. Most buffers live for a few operators, so a lookup need not scan all of them.
 */
class Timeline {
  private readonly long: PlacedBytes[] = [];
  private readonly short = new Map<number, PlacedBytes[]>();
  private readonly all: PlacedBytes[] = [];

  add(one: PlacedBytes): void {
    this.all.push(one);
    if (one.last - one.first > longSpan) {
      this.long.push(one);
      return;
    }
    for (let time = one.first; time <= one.last; time++) {
      const known = this.short.get(time);
      if (known === undefined) this.short.set(time, [one]);
      else known.push(one);
    }
  }

  /** A superset of the buffers whose lifetimes overlap the given one, sorted by offset. */
  around({ first, last }: Pick<PlacedBytes, 'first' | 'last'>): PlacedBytes[] {
    if (last - first > longSpan) return this.all.toSorted(byOffset);
    const found = new Set(this.long);
    for (let time = first; time <= last; time++) for (const one of this.short.get(time) ?? []) found.add(one);
    return [...found].sort(byOffset);
  }
}

const byOffset = (a: PlacedBytes, b: PlacedBytes): number => a.offset - b.offset;

export function greedyPlan(requests: readonly BufferRequest[]): HeadPlan {
  // TFLM fills its array back to front before a stable sort: equal sizes are placed in descending order of index.
  const rank = (i: number): number => (requests[i]?.fixed === null ? arenaBytesOf(requests[i]?.bytes ?? 0) : Infinity);
  const order = requests
    .map((_, i) => i)
    .sort((a, b) => (rank(a) === rank(b) ? (rank(a) === Infinity ? a - b : b - a) : rank(b) - rank(a)));
  const placed = new Timeline();
  const buffers = new Array<PlannedBuffer>(requests.length);
  let headBytes = 0;
  for (const i of order) {
    const request = elementAt(requests, i);
    const size = arenaBytesOf(request.bytes);
    const offset = request.fixed ?? lowestGap({ ...request, size }, placed.around(request));
    const buffer = { ...request, size, offset };
    buffers[i] = buffer;
    placed.add(buffer);
    headBytes = Math.max(headBytes, offset + size);
  }
  return { buffers, headBytes };
}
