// Axes of operators: constants that name dimensions, from the front or from the back.

import { elementCount } from '../../formats/tflite/index.js';
import { invalid, type Operand, type OperatorContext } from './operator.js';

/** The dimension that `axis` names; negative values count from the end. */
export function resolveAxis(context: OperatorContext, axis: number, rank: number): number {
  const resolved = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(resolved) || resolved < 0 || resolved >= rank)
    throw invalid(context, `axis ${axis} of rank ${rank}`);
  return resolved;
}

/** Maximum number of elements in constants for sizes, axes and the like. */
export const maxIntegers = 2 ** 16;

/** The values of a constant input of int32 or int64. */
export function constantIntegers(context: OperatorContext, operand: Operand): number[] {
  if (!operand.constant || !(operand.data instanceof Int32Array || operand.data instanceof BigInt64Array)) {
    throw invalid(context, `tensor ${operand.label} must be constant int32 or int64`);
  }
  if (operand.count > maxIntegers) throw invalid(context, `${operand.count} values in tensor ${operand.label}`);
  return Array.from(operand.data as ArrayLike<number | bigint>, Number);
}

/** A shape relative to an axis: number of elements before, along and after it. */
export interface AroundAxis {
  readonly outer: number;
  readonly size: number;
  readonly inner: number;
}

export function aroundAxis(shape: readonly number[], axis: number): AroundAxis {
  return {
    outer: elementCount(shape.slice(0, axis)),
    size: shape[axis] ?? 1,
    inner: elementCount(shape.slice(axis + 1)),
  };
}
