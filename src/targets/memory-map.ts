// The layout of the arena over time, for plots and to find the tensors at the peak.

import { elementAt } from '../base/checked.js';
import { type Model, mainSubgraph, operatorName, tensorName } from '../formats/tflite/index.js';
import type { Arena } from '../simulator/index.js';

/** A tensor, or scratch of an operator, in the planned part of the arena. */
export interface MappedBuffer {
  /** null for scratch. */
  readonly tensor: number | null;
  readonly label: string;
  /** Place in the arena, in bytes. */
  readonly offset: number;
  /** In bytes. */
  readonly size: number;
  /** Steps: 0 is before the first operator, k + 1 is while operator k runs. */
  readonly first: number;
  /** The last operator that needs it. */
  readonly last: number;
}

/** The arena while one operator runs. */
export interface MemoryMoment {
  /** null before the first operator. */
  readonly operator: number | null;
  readonly op: string;
  /** Bytes that are alive. */
  readonly liveBytes: number;
}

/** The content of the arena over time. */
export interface MemoryMap {
  /** Planned part, in bytes. */
  readonly headBytes: number;
  /** Persistent part, in bytes. */
  readonly tailBytes: number;
  readonly arenaBytes: number;
  /** Peak that allocation needs, if it is larger. */
  readonly minimumArenaBytes: number;
  readonly moments: readonly MemoryMoment[];
  readonly buffers: readonly MappedBuffer[];
  /** The step with the most live bytes, and its buffers, largest first. */
  readonly peak: MemoryMoment & { readonly buffers: readonly MappedBuffer[] };
}

/** Maps which tensor lies where in the arena, operator by operator. */
export function memoryMap(
  model: Model,
  { headBytes, tailBytes, arenaBytes, minimumArenaBytes, buffers: planned }: Arena,
): MemoryMap {
  const { operators } = mainSubgraph(model);
  const names = operators.map((operator) => operatorName(model, operator));
  const buffers = planned.map(({ tensor, operator, offset, size, first, last }): MappedBuffer => {
    const label =
      tensor === null
        ? `scratch of operator ${operator} ${names[operator ?? -1] ?? ''}`
        : labelOf(tensor, tensorName(mainSubgraph(model), tensor));
    return { tensor, label, offset, size, first, last };
  });
  const liveAt = (time: number): MappedBuffer[] => buffers.filter(({ first, last }) => first <= time && time <= last);
  // Change of live bytes at each step.
  const changes = new Float64Array(names.length + 2);
  for (const { first, last, size } of buffers) {
    changes[Math.max(0, first)] = (changes[Math.max(0, first)] ?? 0) + size;
    const end = Math.min(names.length, last) + 1;
    changes[end] = (changes[end] ?? 0) - size;
  }
  let liveBytes = 0;
  const moments = ['inputs', ...names].map((op, time): MemoryMoment => {
    liveBytes += changes[time] ?? 0;
    return { operator: time === 0 ? null : time - 1, op, liveBytes };
  });
  const highest = moments.reduce(
    (most, moment, time) => (moment.liveBytes > elementAt(moments, most).liveBytes ? time : most),
    0,
  );
  const peak = { ...elementAt(moments, highest), buffers: liveAt(highest).sort((a, b) => b.size - a.size) };
  return { headBytes, tailBytes, arenaBytes, minimumArenaBytes, moments, buffers, peak };
}

const maxCharacters = 48;

/** Converters name a fused tensor after all of its parts; the first one is enough here. */
function labelOf(tensor: number, name: string): string {
  const [first = ''] = name.split(';');
  if (first === '') return String(tensor);
  return `${tensor} "${first.length <= maxCharacters ? first : `…${first.slice(1 - maxCharacters)}`}"`;
}
