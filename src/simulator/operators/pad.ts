// PAD, PADV2, MIRROR_PAD: input [..], paddings [rank, 2] constant. PAD fills with the output's zero point if it is
// quantized, otherwise 0; PADV2 with its third input; MIRROR_PAD with the mirrored content.

import { constantIntegers } from './axes.js';
import {
  anyType,
  copyFamily,
  inputOf,
  invalid,
  type Operand,
  type OperatorContext,
  optionsOf,
  outputOf,
  quantizationOf,
  requireShape,
  requireType,
} from './operator.js';
import { forEachPosition, strides } from './positions.js';
import { gatherElements } from './rearrange.js';
import { whereKnown } from './shapes.js';

function prepareWith(context: OperatorContext, value: () => number): () => void {
  const input = inputOf(context, 0);
  const output = outputOf(context);
  requireType(context, output, input.type);
  const { before } = paddingsOf(context);
  const from = input.data as Float32Array;
  const to = output.data as Float32Array;
  const rowLength = input.shape.at(-1) ?? 1;
  const starts = rowStarts(input, output, before);
  return () => {
    to.fill(value());
    for (let row = 0; row < starts.length; row++)
      to.set(from.subarray(row * rowLength, (row + 1) * rowLength), starts[row]);
  };
}

/** The padding before each dimension, and the padded shape. */
function paddingsOf(context: OperatorContext): { before: readonly number[]; shape: readonly number[] } {
  const input = inputOf(context, 0);
  const paddings = inputOf(context, 1);
  const table = constantIntegers(context, paddings);
  requireShape(context, paddings, [input.shape.length, 2]);
  if (table.some((amount) => amount < 0)) throw invalid(context, 'negative paddings');
  return {
    before: input.shape.map((_, d) => table[2 * d] as number),
    shape: input.shape.map((size, d) => (table[2 * d] as number) + size + (table[2 * d + 1] as number)),
  };
}

const paddedShape = whereKnown((context) => [paddingsOf(context).shape], 1);

/** Start of each input row (last dimension) in the output. */
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

/** 0 in the input's type: the zero point for quantized types. */
function zeroOf(context: OperatorContext): number {
  const output = outputOf(context);
  return output.type === 'int64'
    ? (0n as unknown as number)
    : output.scale.length > 0
      ? quantizationOf(context, output).zeroPoint
      : 0;
}

function prepareMirror(context: OperatorContext): () => void {
  const input = inputOf(context, 0);
  const output = outputOf(context);
  requireType(context, output, input.type);
  const { before } = paddingsOf(context);
  const offset = optionsOf(context, 'MirrorPadOptions').mode === reflect ? 1 : 0;
  const tooFar = input.shape.findIndex(
    (size, d) =>
      Math.max(before[d] as number, (output.shape[d] as number) - size - (before[d] as number)) > size - offset,
  );
  if (tooFar >= 0) throw invalid(context, `dimension ${tooFar} of ${input.shape[tooFar]} is mirrored beyond itself`);
  const stride = strides(input.shape);
  const table = new Int32Array(output.count);
  forEachPosition(output.shape, (position, index) => {
    table[index] = position.reduce((sum, at, d) => {
      const size = input.shape[d] as number;
      const inside = at - (before[d] as number);
      return (
        sum +
        (inside < 0 ? offset - 1 - inside : inside >= size ? 2 * size - 1 - offset - inside : inside) *
          (stride[d] as number)
      );
    }, 0);
  });
  return gatherElements(input, output, table);
}

/** MirrorPadMode of the schema; SYMMETRIC, 1, repeats the edge. */
const reflect = 0;

export const pad = copyFamily(
  'PAD',
  anyType,
  paddedShape,
  (context) => {
    const zero = zeroOf(context);
    return prepareWith(context, () => zero);
  },
  { persistent: [56] },
);

export const padV2 = copyFamily(
  'PADV2',
  anyType,
  paddedShape,
  (context) => {
    const value = inputOf(context, 2);
    requireType(context, value, inputOf(context, 0).type);
    if (value.count !== 1) throw invalid(context, `${value.count} values to pad with`);
    return prepareWith(context, () => (value.data as Float32Array)[0] as number);
  },
  { persistent: [56] },
);

export const mirrorPad = copyFamily('MIRROR_PAD', anyType, paddedShape, prepareMirror, {
  options: [1, 1],
  persistent: [24],
});
