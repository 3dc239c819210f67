// What of the values in front of a SOFTMAX or LOGISTIC is left in the probabilities behind it. Further apart than this,
// they make probabilities of less than a twelfth of a step of the int8 output (exp(-8) = 1/2981, a step is 1/256).

import {
  linksOf,
  type Model,
  type Operator,
  operatorName,
  type SubGraph,
  type Tensor,
} from '../formats/tflite/index.js';

const furthest = 8;

/** How an operator makes probabilities, and how many values make them together. */
export interface Squash {
  readonly by: 'SOFTMAX' | 'LOGISTIC';
  readonly rowLength: number;
}

/** By tensor, what makes probabilities of it, where nothing else reads it. */
export function squashesOf(model: Model, subgraph: SubGraph): Map<number, Squash> {
  const { consumers } = linksOf(subgraph);
  const outputs = new Set(subgraph.outputs ?? []);
  const entries = subgraph.tensors.flatMap((tensor, index): [number, Squash][] => {
    const [reader, ...others] = consumers.get(index) ?? [];
    const squash =
      reader === undefined || others.length > 0 || outputs.has(index) ? null : squashOf(model, reader, tensor);
    return squash === null ? [] : [[index, squash]];
  });
  return new Map(entries);
}

/** null for an operator that makes no probabilities. */
export function squashOf(model: Model, operator: Operator, input: Tensor | undefined): Squash | null {
  const name = operatorName(model, operator);
  const rowLength = Math.max(1, input?.shape?.at(-1) ?? 1);
  if (name === 'LOGISTIC') return { by: name, rowLength };
  const options = operator.builtinOptions;
  return name === 'SOFTMAX' && options?.kind === 'SoftmaxOptions' && options.beta === 1
    ? { by: name, rowLength }
    : null;
}

/** The values, moved to where they begin to count: for SOFTMAX that is by the largest of the row. */
export function relevantLogits(values: Float32Array, { by, rowLength }: Squash): Float32Array {
  if (by === 'LOGISTIC') return values.map((value) => Math.max(-furthest, Math.min(furthest, value)));
  return eachRow(values, rowLength, (value, largest) => Math.max(value, largest - furthest));
}

/** The same; for SOFTMAX as distances to the largest of the row, which is all that it sees. */
export function logitDistances(values: Float32Array, squash: Squash): Float32Array {
  const relevant = relevantLogits(values, squash);
  return squash.by === 'LOGISTIC' ? relevant : eachRow(relevant, squash.rowLength, (value, largest) => value - largest);
}

/** Ends of a range beyond which values may be cut off; null where none may. */
export interface RelevantEnds {
  readonly min: number;
  readonly max: number | null;
}

/** For SOFTMAX by the smallest of the rows' largest values. */
export function relevantEnds(values: Float32Array, { by, rowLength }: Squash): RelevantEnds {
  if (by === 'LOGISTIC') return { min: -furthest, max: furthest };
  let least = Infinity;
  for (let row = 0; row < values.length; row += rowLength) least = Math.min(least, largestOf(values, row, rowLength));
  return { min: least - furthest, max: null };
}

function eachRow(
  values: Float32Array,
  rowLength: number,
  change: (value: number, largest: number) => number,
): Float32Array {
  const changed = new Float32Array(values.length);
  for (let row = 0; row < values.length; row += rowLength) {
    const largest = largestOf(values, row, rowLength);
    for (let i = row; i < row + rowLength; i++) changed[i] = change(values[i] as number, largest);
  }
  return changed;
}

function largestOf(values: Float32Array, row: number, rowLength: number): number {
  let largest = -Infinity;
  for (let i = row; i < row + rowLength; i++) largest = Math.max(largest, values[i] as number);
  return largest;
}
