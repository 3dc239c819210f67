// Assigns offsets to buffers, each live for a time span, so that the highest end is lowest: first fit over many
// sequences. Every compacted packing is the first-fit result of some sequence, so for few buffers all sequences are
// tried.

import { elementAt } from '../../../base/checked.js';
import { seededRandom } from '../../../base/random.js';
import { insertPlaced, lowestGap, type PlacedBytes } from '../../../simulator/index.js';

export type Buffer = Omit<PlacedBytes, 'offset'>;

export interface Placement {
  readonly offsets: readonly number[];
  readonly height: number;
}

const maxForAll = 9;
const swaps = 3000;
/** Maximum first-fit steps of all swaps together. */
const maxWork = 3e7;

/** Maximum of live bytes: no placement is lower. */
export function lowestHeight(buffers: readonly Buffer[]): number {
  const times = [...new Set(buffers.map(({ first }) => first))];
  return Math.max(
    0,
    ...times.map((time) =>
      buffers.reduce((sum, { size, first, last }) => sum + (first <= time && time <= last ? size : 0), 0),
    ),
  );
}

export function bestOffsets(buffers: readonly Buffer[]): Placement {
  const bound = lowestHeight(buffers);
  const all = buffers.map((_, i) => i);
  const by = (key: (buffer: Buffer) => number): number[] =>
    all.toSorted((a, b) => key(elementAt(buffers, b)) - key(elementAt(buffers, a)) || b - a);
  const duration = ({ first, last }: Buffer): number => last - first + 1;
  const sequences = [
    by(({ size }) => size),
    by((buffer) => buffer.size * duration(buffer)),
    by((buffer) => duration(buffer) * 2 ** 32 + buffer.size),
    by(({ first }) => -first),
    by(({ last }) => last),
  ];
  let best = { sequence: elementAt(sequences, 0), placement: firstFit(buffers, elementAt(sequences, 0)) };
  for (const sequence of sequences.slice(1)) {
    const placement = firstFit(buffers, sequence);
    if (placement.height < best.placement.height) best = { sequence, placement };
  }
  if (best.placement.height === bound) return best.placement;
  return buffers.length <= maxForAll ? tryAll(buffers, best.placement, bound) : improve(buffers, best, bound);
}

function firstFit(buffers: readonly Buffer[], sequence: readonly number[]): Placement {
  const offsets = new Array<number>(buffers.length).fill(0);
  const placed: PlacedBytes[] = [];
  let height = 0;
  for (const i of sequence) {
    const buffer = elementAt(buffers, i);
    const offset = lowestGap(buffer, placed);
    offsets[i] = offset;
    insertPlaced(placed, { ...buffer, offset });
    height = Math.max(height, offset + buffer.size);
  }
  return { offsets, height };
}

function tryAll(buffers: readonly Buffer[], known: Placement, bound: number): Placement {
  let best = known;
  const sequence: number[] = [];
  const visit = (left: readonly number[]): void => {
    if (best.height === bound) return;
    const placement = firstFit(buffers, sequence);
    // A longer sequence cannot be lower.
    if (placement.height >= best.height) return;
    if (left.length === 0) best = placement;
    for (const next of left) {
      sequence.push(next);
      visit(left.filter((i) => i !== next));
      sequence.pop();
    }
  };
  visit(buffers.map((_, i) => i));
  return best;
}

/** Swaps two elements of the sequence as long as that is no worse. */
function improve(
  buffers: readonly Buffer[],
  start: { sequence: readonly number[]; placement: Placement },
  bound: number,
): Placement {
  const random = seededRandom(1);
  const below = (count: number): number => Math.floor(random() * count);
  let { sequence, placement: current } = start;
  let best = current;
  const rounds = Math.min(swaps, Math.ceil(maxWork / buffers.length ** 2));
  for (let round = 0; round < rounds && best.height > bound; round++) {
    const [a, b] = [below(sequence.length), below(sequence.length)];
    const next = sequence.slice();
    [next[a], next[b]] = [elementAt(next, b), elementAt(next, a)];
    const placement = firstFit(buffers, next);
    if (placement.height > current.height) continue;
    [sequence, current] = [next, placement];
    if (placement.height < best.height) best = placement;
  }
  return best;
}
