// Which differences of logits (inputs of SOFTMAX or LOGISTIC) are still visible in the probabilities. Logits further
// away than this limit give probabilities below a twelfth of a step of the int8 output (exp(-8) = 1/2981, a step is
// 1/256).

import { elementAt } from '../base/checked.js';
import {
  linksOf,
  type Model,
  type Operator,
  operatorName,
  type SubGraph,
  type Tensor,
} from '../formats/tflite/index.js';

const furthest = 8;

/** The operator that computes probabilities, and the number of values that it normalizes together. */
export interface OutputActivation {
  readonly by: 'SOFTMAX' | 'LOGISTIC';
  readonly rowLength: number;
}

/** For each tensor that only such an operator reads, that operator. */
export function outputActivationsOf(model: Model, subgraph: SubGraph): Map<number, OutputActivation> {
  const { consumers } = linksOf(subgraph);
  const outputs = new Set(subgraph.outputs ?? []);
  const entries = subgraph.tensors.flatMap((tensor, index): [number, OutputActivation][] => {
    const [reader, ...others] = consumers.get(index) ?? [];
    const activation =
      reader === undefined || others.length > 0 || outputs.has(index)
        ? null
        : outputActivationOf(model, reader, tensor);
    return activation === null ? [] : [[index, activation]];
  });
  return new Map(entries);
}

/** null for other operators. */
export function outputActivationOf(
  model: Model,
  operator: Operator,
  input: Tensor | undefined,
): OutputActivation | null {
  const name = operatorName(model, operator);
  const rowLength = Math.max(1, input?.shape?.at(-1) ?? 1);
  if (name === 'LOGISTIC') return { by: name, rowLength };
  const options = operator.builtinOptions;
  return name === 'SOFTMAX' && options?.kind === 'SoftmaxOptions' && options.beta === 1
    ? { by: name, rowLength }
    : null;
}

/** Clamps values to where they start to matter; for SOFTMAX relative to the largest value of the row. */
export function relevantLogits(values: Float32Array, { by, rowLength }: OutputActivation): Float32Array {
  if (by === 'LOGISTIC') return values.map((value) => Math.max(-furthest, Math.min(furthest, value)));
  return eachRow(values, rowLength, (value, largest) => Math.max(value, largest - furthest));
}

/** The same; for SOFTMAX as distances to the largest value of the row, which is all that it depends on. */
export function logitDistances(values: Float32Array, activation: OutputActivation): Float32Array {
  const relevant = relevantLogits(values, activation);
  return activation.by === 'LOGISTIC'
    ? relevant
    : eachRow(relevant, activation.rowLength, (value, largest) => value - largest);
}

/** Limits beyond which values may be cut off; null if none may. */
export interface RelevantEnds {
  readonly min: number;
  readonly max: number | null;
}

/** For SOFTMAX relative to the smallest of the rows' largest values. */
export function relevantEnds(values: Float32Array, { by, rowLength }: OutputActivation): RelevantEnds {
  if (by === 'LOGISTIC') return { min: -furthest, max: furthest };
  let least = Infinity;
  for (let row = 0; row < values.length; row += rowLength) least = Math.min(least, maxOf(values, row, rowLength));
  return { min: least - furthest, max: null };
}

function eachRow(
  values: Float32Array,
  rowLength: number,
  change: (value: number, largest: number) => number,
): Float32Array {
  const changed = new Float32Array(values.length);
  for (let row = 0; row < values.length; row += rowLength) {
    const largest = maxOf(values, row, rowLength);
    for (let i = row; i < row + rowLength; i++) changed[i] = change(elementAt(values, i), largest);
  }
  return changed;
}

function maxOf(values: Float32Array, row: number, rowLength: number): number {
  let largest = -Infinity;
  for (let i = row; i < row + rowLength; i++) largest = Math.max(largest, elementAt(values, i));
  return largest;
}
