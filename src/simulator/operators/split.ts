// SPLIT, SPLIT_V and UNPACK: one tensor into several along an axis.

import type { OperatorName } from '../../tflite/index.js';
import { aroundAxis, constantIntegers, resolveAxis } from './axes.js';
import {
  inputOf,
  invalid,
  type Operand,
  type OperatorContext,
  type OperatorFamily,
  type OperatorMemory,
  optionsOf,
  requireShape,
  requireType,
} from './operator.js';
import { anyType } from './rearrange.js';

/** Copies consecutive parts of `input` along `axis` to the outputs; `sizes` says how much of the axis each takes. */
function parts(context: OperatorContext, input: Operand, axis: number, sizes: readonly number[], shapeOf: (size: number) => readonly number[]): () => void {
  const { outer, size, inner } = aroundAxis(input.shape, axis);
  if (sizes.length !== context.outputs.length) throw invalid(context, `${context.outputs.length} outputs for ${sizes.length} parts`);
  const total = sizes.reduce((sum, part) => sum + part, 0);
  if (total !== size) throw invalid(context, `parts of ${total} in all of an axis of ${size}`);
  context.outputs.forEach((output, i) => {
    requireType(context, output, input.type);
    requireShape(context, output, shapeOf(sizes[i] as number));
  });
  const from = input.data as Float32Array;
  return () => {
    let at = 0;
    for (let o = 0; o < outer; o++) {
      for (const [i, output] of context.outputs.entries()) {
        const length = (sizes[i] as number) * inner;
        (output.data as Float32Array).set(from.subarray(at, at + length), o * length);
        at += length;
      }
    }
  };
}

function family(name: OperatorName, prepare: (context: OperatorContext) => () => void, memory: OperatorMemory): OperatorFamily {
  return { name, types: anyType, prepare, work: () => ({ kind: 'copy', macs: 0 }), memory: () => memory };
}

export const split = family(
  'SPLIT',
  (context) => {
    const input = inputOf(context, 1);
    const axis = resolveAxis(context, constantIntegers(context, inputOf(context, 0))[0] ?? 0, input.shape.length);
    const count = context.outputs.length;
    const size = (input.shape[axis] as number) / count;
    if (!Number.isInteger(size)) throw invalid(context, `an axis of ${input.shape[axis]} does not divide into ${count} parts`);
    return parts(context, input, axis, new Array<number>(count).fill(size), (part) => input.shape.with(axis, part));
  },
  { options: [4, 4] },
);

export const splitV = family(
  'SPLIT_V',
  (context) => {
    const input = inputOf(context, 0);
    const sizes = constantIntegers(context, inputOf(context, 1));
    const axis = resolveAxis(context, constantIntegers(context, inputOf(context, 2))[0] ?? 0, input.shape.length);
    const rest = (input.shape[axis] as number) - sizes.filter((size) => size >= 0).reduce((sum, size) => sum + size, 0);
    return parts(
      context,
      input,
      axis,
      sizes.map((size) => (size < 0 ? rest : size)),
      (part) => input.shape.with(axis, part),
    );
  },
  { options: [4, 4] },
);

export const unpack = family(
  'UNPACK',
  (context) => {
    const input = inputOf(context, 0);
    const axis = resolveAxis(context, optionsOf(context, 'UnpackOptions').axis, input.shape.length);
    if (input.shape[axis] !== context.outputs.length) throw invalid(context, `${context.outputs.length} outputs for an axis of ${input.shape[axis]}`);
    const sizes = context.outputs.map(() => 1);
    return parts(context, input, axis, sizes, () => input.shape.toSpliced(axis, 1));
  },
  { options: [8, 4] },
);
