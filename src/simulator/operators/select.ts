// SELECT_V2, SELECT: from the second or the third operand, as the first says; FILL and ZEROS_LIKE; BROADCAST_ARGS, RANK and RANGE, which
// compute shapes.

import { constantIntegers } from './axes.js';
import { broadcastIndex } from './broadcast.js';
import { inputOf, type Operand, type OperatorContext, type OperatorFamily, outputOf, requireShape, requireType } from './operator.js';
import { anyType } from './rearrange.js';

type Prepare = OperatorFamily['prepare'];

const family = (name: OperatorFamily['name'], types: OperatorFamily['types'], prepare: Prepare): OperatorFamily => ({
  name,
  types,
  prepare,
  work: () => ({ kind: 'copy', macs: 0 }),
  memory: () => ({}),
});

/** SELECT also takes a condition of rank 1, one value for each of the first dimension. */
function prepareSelect(context: OperatorContext): () => void {
  const [condition, yes, no] = [0, 1, 2].map((i) => inputOf(context, i)) as [Operand, Operand, Operand];
  const output = outputOf(context);
  requireType(context, condition, 'bool');
  requireType(context, yes, output.type);
  requireType(context, no, output.type);
  const perRow = context.name === 'SELECT' && condition.shape.length === 1 && output.shape.length > 1;
  const whole = (operand: Operand): Int32Array => broadcastIndex(context, operand, output) ?? Int32Array.from({ length: output.count }, (_, i) => i);
  const rowLength = output.count / Math.max(1, condition.count);
  const conditionAt = perRow ? Int32Array.from({ length: output.count }, (_, i) => Math.floor(i / rowLength)) : whole(condition);
  const [yesAt, noAt] = [whole(yes), whole(no)];
  const flags = condition.data as Uint8Array;
  const [first, second, to] = [yes.data, no.data, output.data] as [Float32Array, Float32Array, Float32Array];
  return () => {
    for (let i = 0; i < to.length; i++) to[i] = (flags[conditionAt[i] as number] !== 0 ? first[yesAt[i] as number] : second[noAt[i] as number]) as number;
  };
}

function prepareFill(context: OperatorContext): () => void {
  const value = inputOf(context, 1);
  const output = outputOf(context);
  requireType(context, output, value.type);
  requireShape(context, output, constantIntegers(context, inputOf(context, 0)));
  return () => (output.data as Float32Array).fill((value.data as Float32Array)[0] as number);
}

function prepareZerosLike(context: OperatorContext): () => void {
  const output = outputOf(context);
  requireShape(context, output, inputOf(context, 0).shape);
  const zero = (output.type === 'int64' ? 0n : 0) as number;
  return () => (output.data as Float32Array).fill(zero);
}

function prepareBroadcastArgs(context: OperatorContext): () => void {
  const [a, b, output] = [inputOf(context, 0), inputOf(context, 1), outputOf(context)];
  requireType(context, b, a.type);
  requireType(context, output, a.type);
  requireShape(context, output, [Math.max(a.count, b.count)]);
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
  requireShape(context, output, []);
  return () => (output.data as Int32Array).fill(inputOf(context, 0).shape.length);
}

function prepareRange(context: OperatorContext): () => void {
  const [start, , step] = [0, 1, 2].map((i) => inputOf(context, i)) as [Operand, Operand, Operand];
  const output = outputOf(context);
  requireType(context, output, start.type);
  const to = output.data as Float32Array;
  return () => {
    const first = (start.data as Float32Array)[0] as number;
    for (let i = 0; i < to.length; i++) to[i] = first + i * ((step.data as Float32Array)[0] as number);
  };
}

export const select = family('SELECT', ['bool'], prepareSelect);
export const selectV2 = family('SELECT_V2', ['bool'], prepareSelect);
export const fill = family('FILL', ['int32', 'int64'], prepareFill);
export const zerosLike = family('ZEROS_LIKE', ['float32', 'int8', 'int32', 'int64'], prepareZerosLike);
export const broadcastArgs = family('BROADCAST_ARGS', ['int32', 'int64'], prepareBroadcastArgs);
export const rank = family('RANK', anyType, prepareRank);
export const range = family('RANGE', ['float32', 'int32'], prepareRange);
