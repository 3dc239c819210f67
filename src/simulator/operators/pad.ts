// PAD: input [..], paddings [rank, 2] constant int32; int8 and int16 pad with the output's zero point, float with 0.

import {
  byType,
  inputOf,
  invalid,
  type Operand,
  type OperatorContext,
  type OperatorFamily,
  outputOf,
  quantizationOf,
  requireShape,
  requireType,
} from './operator.js';
import { forEachPosition, strides } from './positions.js';

function prepareWith(context: OperatorContext, value: number): () => void {
  const input = inputOf(context, 0);
  const output = outputOf(context);
  requireType(context, output, input.type);
  const before = paddingsOf(context, input, output);
  const from = input.data as Float32Array;
  const to = output.data as Float32Array;
  const rowLength = input.shape.at(-1) ?? 1;
  const starts = rowStarts(input, output, before);
  return () => {
    to.fill(value);
    for (let row = 0; row < starts.length; row++) to.set(from.subarray(row * rowLength, (row + 1) * rowLength), starts[row]);
  };
}

function paddingsOf(context: OperatorContext, input: Operand, output: Operand): number[] {
  const paddings = inputOf(context, 1);
  if (!paddings.constant || !(paddings.data instanceof Int32Array)) throw invalid(context, 'paddings must be constant int32');
  const table = paddings.data;
  requireShape(context, paddings, [input.shape.length, 2]);
  if (table.some((amount) => amount < 0)) throw invalid(context, 'negative paddings');
  requireShape(
    context,
    output,
    input.shape.map((size, d) => (table[2 * d] as number) + size + (table[2 * d + 1] as number)),
  );
  return input.shape.map((_, d) => table[2 * d] as number);
}

/** Where each row (last dimension) of the input begins in the output. */
function rowStarts(input: Operand, output: Operand, before: readonly number[]): Int32Array {
  const last = input.shape.length - 1;
  const stride = strides(output.shape);
  const starts = new Int32Array(input.data.length / (input.shape[last] || 1));
  const first = before.reduce((sum, amount, d) => sum + amount * (stride[d] as number), 0);
  forEachPosition(input.shape.slice(0, last), (position, row) => {
    starts[row] = position.reduce((sum, index, d) => sum + index * (stride[d] as number), first);
  });
  return starts;
}

export const pad: OperatorFamily = {
  name: 'PAD',
  types: ['float32', 'int8', 'int16'],
  prepare: (context) =>
    byType(context, inputOf(context, 0), {
      float32: () => prepareWith(context, 0),
      int8: () => prepareWith(context, quantizationOf(context, outputOf(context)).zeroPoint),
      int16: () => prepareWith(context, quantizationOf(context, outputOf(context)).zeroPoint),
    })(),
  work: () => ({ kind: 'copy', macs: 0 }),
  memory: () => ({ persistent: [56] }),
};
