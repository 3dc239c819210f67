// Shape rules shared by several families.

import { maxIntegers } from './axes.js';
import { inputOf, invalid, type Operand, type ShapeRule } from './operator.js';

/** The first input's shape. */
export const sameShape: ShapeRule = (context) => [inputOf(context, 0).shape];

/**
 * The broadcast shape of the inputs as in NumPy: sizes are compared from the last dimension backwards, and a size of 1
 * repeats.
 */
export function broadcastShape(...inputs: readonly number[]): ShapeRule {
  return (context) => [
    inputs
      .map((input) => inputOf(context, input).shape)
      .reduce((shape, other) => {
        const rank = Math.max(shape.length, other.length);
        return Array.from({ length: rank }, (_, d) => {
          const [a, b] = [shape[d - rank + shape.length] ?? 1, other[d - rank + other.length] ?? 1];
          if (a !== b && a !== 1 && b !== 1)
            throw invalid(context, `shapes [${shape.join(', ')}] and [${other.join(', ')}] do not broadcast`);
          return a === 1 ? b : a;
        });
      }),
  ];
}

/** The elements of an int32 or int64 operand, if known before the model runs. */
export function knownIntegers(operand: Operand): number[] | null {
  if (
    !operand.constant ||
    operand.count > maxIntegers ||
    !(operand.data instanceof Int32Array || operand.data instanceof BigInt64Array)
  )
    return null;
  return Array.from(operand.data as ArrayLike<number | bigint>, Number);
}

/** A single output's shape, if known. */
export function asShape(shape: readonly number[] | null): readonly (readonly number[])[] | null {
  return shape === null ? null : [shape];
}

/** A rule that reads the values of some inputs. */
export function whereKnown(rule: ShapeRule, ...inputs: readonly number[]): ShapeRule {
  return (context) => (inputs.every((input) => inputOf(context, input).constant) ? rule(context) : null);
}
