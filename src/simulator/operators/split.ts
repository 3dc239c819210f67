// SPLIT, SPLIT_V and UNPACK: one tensor into several along an axis.

import type { OperatorName } from '../../formats/tflite/index.js';
import { aroundAxis, constantIntegers, resolveAxis } from './axes.js';
import {
  anyType,
  copyFamily,
  inputOf,
  invalid,
  type Operand,
  type OperatorContext,
  type OperatorFamily,
  type OperatorMemory,
  optionsOf,
  requireType,
} from './operator.js';
import { whereKnown } from './shapes.js';

interface Parts {
  readonly input: Operand;
  readonly axis: number;
  /** Size of each output along the axis. */
  readonly sizes: readonly number[];
  readonly shapes: readonly (readonly number[])[];
}

function partsAlong(context: OperatorContext, input: Operand, axis: number, sizes: readonly number[]): Parts {
  const size = input.shape[axis] as number;
  if (sizes.length !== context.outputs.length)
    throw invalid(context, `${context.outputs.length} outputs for ${sizes.length} parts`);
  const total = sizes.reduce((sum, part) => sum + part, 0);
  if (total !== size || sizes.some((part) => part < 0))
    throw invalid(context, `parts of ${total} in all of an axis of ${size}`);
  return { input, axis, sizes, shapes: sizes.map((part) => input.shape.with(axis, part)) };
}

function splitOf(context: OperatorContext): Parts {
  const input = inputOf(context, 1);
  const axis = resolveAxis(context, constantIntegers(context, inputOf(context, 0))[0] ?? 0, input.shape.length);
  const count = context.outputs.length;
  const size = (input.shape[axis] as number) / count;
  if (!Number.isInteger(size))
    throw invalid(context, `an axis of ${input.shape[axis]} does not divide into ${count} parts`);
  return partsAlong(context, input, axis, new Array<number>(count).fill(size));
}

function splitVOf(context: OperatorContext): Parts {
  const input = inputOf(context, 0);
  const sizes = constantIntegers(context, inputOf(context, 1));
  const axis = resolveAxis(context, constantIntegers(context, inputOf(context, 2))[0] ?? 0, input.shape.length);
  const rest = (input.shape[axis] as number) - sizes.filter((size) => size >= 0).reduce((sum, size) => sum + size, 0);
  return partsAlong(
    context,
    input,
    axis,
    sizes.map((size) => (size < 0 ? rest : size)),
  );
}

function unpackOf(context: OperatorContext): Parts {
  const input = inputOf(context, 0);
  const axis = resolveAxis(context, optionsOf(context, 'UnpackOptions').axis, input.shape.length);
  const parts = partsAlong(
    context,
    input,
    axis,
    context.outputs.map(() => 1),
  );
  return { ...parts, shapes: context.outputs.map(() => input.shape.toSpliced(axis, 1)) };
}

function prepareWith(of: (context: OperatorContext) => Parts): OperatorFamily['prepare'] {
  return (context) => {
    const { input, axis, sizes } = of(context);
    const { outer, inner } = aroundAxis(input.shape, axis);
    for (const output of context.outputs) requireType(context, output, input.type);
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
  };
}

function family(
  name: OperatorName,
  valuesFrom: readonly number[],
  of: (context: OperatorContext) => Parts,
  memory: OperatorMemory,
  dataInput = 0,
): OperatorFamily {
  const shapes = whereKnown((context) => of(context).shapes, ...valuesFrom);
  return copyFamily(name, anyType, shapes, prepareWith(of), memory, dataInput);
}

export const split = family('SPLIT', [0], splitOf, { options: [4, 4] }, 1);
export const splitV = family('SPLIT_V', [1, 2], splitVOf, { options: [4, 4] });
export const unpack = family('UNPACK', [], unpackOf, { options: [8, 4] });
