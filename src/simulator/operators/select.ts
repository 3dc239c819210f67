// SELECT_V2, SELECT: elements of the second or third operand, as the first one says; FILL and ZEROS_LIKE;
// BROADCAST_ARGS, RANK and RANGE, which compute shapes.

import { broadcastIndex } from './broadcast.js';
import {
  anyType,
  copyFamily,
  inputOf,
  invalid,
  type Operand,
  type OperatorContext,
  type OperatorFamily,
  outputOf,
  requireType,
  type ShapeRule,
} from './operator.js';
import { asShape, broadcastShape, knownIntegers, sameShape, whereKnown } from './shapes.js';

const { fround } = Math;

/** SELECT also takes a condition of rank 1, one value for each of the first dimension. */
function prepareSelect(context: OperatorContext): () => void {
  const [condition, yes, no] = [0, 1, 2].map((i) => inputOf(context, i)) as [Operand, Operand, Operand];
  const output = outputOf(context);
  requireType(context, condition, 'bool');
  requireType(context, yes, output.type);
  requireType(context, no, output.type);
  const perRow = context.name === 'SELECT' && condition.shape.length === 1 && output.shape.length > 1;
  if (
    context.name === 'SELECT' &&
    condition.count !== (perRow ? output.shape[0] : output.count) &&
    condition.count !== 1
  ) {
    throw invalid(context, `conditions [${condition.shape.join(', ')}] for [${output.shape.join(', ')}]`);
  }
  const whole = (operand: Operand): Int32Array =>
    broadcastIndex(context, operand, output) ?? Int32Array.from({ length: output.count }, (_, i) => i);
  const rowLength = output.count / Math.max(1, condition.count);
  const conditionAt = perRow
    ? Int32Array.from({ length: output.count }, (_, i) => Math.floor(i / rowLength))
    : whole(condition);
  const [yesAt, noAt] = [whole(yes), whole(no)];
  const flags = condition.data as Uint8Array;
  const [first, second, to] = [yes.data, no.data, output.data] as [Float32Array, Float32Array, Float32Array];
  return () => {
    for (let i = 0; i < to.length; i++)
      to[i] = (flags[conditionAt[i] as number] !== 0 ? first[yesAt[i] as number] : second[noAt[i] as number]) as number;
  };
}

function prepareFill(context: OperatorContext): () => void {
  const value = inputOf(context, 1);
  if (value.count !== 1) throw invalid(context, `${value.count} values`);
  const output = outputOf(context);
  requireType(context, output, value.type);
  return () => (output.data as Float32Array).fill((value.data as Float32Array)[0] as number);
}

function prepareZerosLike(context: OperatorContext): () => void {
  const output = outputOf(context);
  const zero = (output.type === 'int64' ? 0n : 0) as number;
  return () => (output.data as Float32Array).fill(zero);
}

function prepareBroadcastArgs(context: OperatorContext): () => void {
  const [a, b, output] = [inputOf(context, 0), inputOf(context, 1), outputOf(context)];
  requireType(context, b, a.type);
  requireType(context, output, a.type);
  const to = output.data as Int32Array;
  return () => {
    for (let i = 0; i < to.length; i++) {
      const one = (a.type === 'int64' ? 1n : 1) as number;
      const size = (operand: Operand): number => (operand.data as Int32Array)[i - to.length + operand.count] ?? one;
      to[i] = size(a) === one ? size(b) : size(a);
    }
  };
}

function prepareRank(context: OperatorContext): () => void {
  const output = outputOf(context);
  requireType(context, output, 'int32');
  return () => (output.data as Int32Array).fill(inputOf(context, 0).shape.length);
}

interface Progression {
  readonly start: number;
  readonly step: number;
  readonly count: number;
}

/** In float32 or integers, depending on the type (TFLite range.cc). */
function progressionOf(context: OperatorContext): Progression {
  const operands = [0, 1, 2].map((i) => inputOf(context, i)) as [Operand, Operand, Operand];
  if (operands.some(({ count, type }) => count !== 1 || (type !== 'float32' && type !== 'int32')))
    throw invalid(context, 'it takes three numbers of float32 or int32');
  const [start, limit, step] = operands.map(({ data }) => Number(data[0])) as [number, number, number];
  if (!((start >= limit && step < 0) || (start <= limit && step > 0)))
    throw invalid(context, `no numbers lead from ${start} to ${limit} in steps of ${step}`);
  const distance = operands[0].type === 'float32' ? fround(fround(limit - start) / step) : (limit - start) / step;
  return { start, step, count: Math.ceil(Math.abs(distance)) };
}

function prepareRange(context: OperatorContext): () => void {
  const output = outputOf(context);
  requireType(context, output, inputOf(context, 0).type);
  const to = output.data as Float32Array;
  return () => {
    const { start, step } = progressionOf(context);
    // The typed array rounds every sum to its type.
    for (let i = 0; i < to.length; i++) to[i] = i === 0 ? start : (to[i - 1] as number) + step;
  };
}

const rangeShape = whereKnown((context) => [[progressionOf(context).count]], 0, 1, 2);

const argumentsShape: ShapeRule = (context) => [[Math.max(inputOf(context, 0).count, inputOf(context, 1).count)]];

export const select = copyFamily('SELECT', ['bool'], (context) => [inputOf(context, 1).shape], prepareSelect);
export const selectV2 = copyFamily('SELECT_V2', ['bool'], broadcastShape(0, 1, 2), prepareSelect);
export const fill = copyFamily(
  'FILL',
  ['int32', 'int64'],
  (context) => asShape(knownIntegers(inputOf(context, 0))),
  prepareFill,
);
export const zerosLike = copyFamily('ZEROS_LIKE', ['float32', 'int8', 'int32', 'int64'], sameShape, prepareZerosLike);
export const broadcastArgs = copyFamily('BROADCAST_ARGS', ['int32', 'int64'], argumentsShape, prepareBroadcastArgs);
export const rank: OperatorFamily = { ...copyFamily('RANK', anyType, () => [[]], prepareRank), dependsOn: 'shapes' };
export const range = copyFamily('RANGE', ['float32', 'int32'], rangeShape, prepareRange);
