// EQUAL, NOT_EQUAL, GREATER, GREATER_EQUAL, LESS, LESS_EQUAL: bool from two operands with broadcasting. int8: both are
// converted to a common scale with 8 extra bits (TFLite reference_ops::ComparisonWithScaling).

import type { ElementType, OperatorName } from '../../formats/tflite/index.js';
import { multiplySmallerThanOne, quantizeMultiplier } from '../arithmetic/fixed-point.js';
import { elementwise } from './broadcast.js';
import {
  elementwiseFamily,
  inputOf,
  invalid,
  type OperatorContext,
  type OperatorFamily,
  outputOf,
  quantizationOf,
  requireType,
} from './operator.js';
import { broadcastShape } from './shapes.js';

type Compare = (x: number, y: number) => boolean;

function prepareAs(
  context: OperatorContext,
  bring: (operand: 0 | 1) => (value: number) => number,
  compare: Compare,
): () => void {
  const [a, b, output] = [inputOf(context, 0), inputOf(context, 1), outputOf(context)];
  requireType(context, b, a.type);
  requireType(context, output, 'bool');
  const [first, second] = [bring(0), bring(1)];
  return elementwise(context, a, b, output, (x, y) => (compare(first(x), second(y)) ? 1 : 0));
}

const identity = () => (value: number) => value;

function scaled(context: OperatorContext, operand: 0 | 1): (value: number) => number {
  const { scale, zeroPoint } = quantizationOf(context, inputOf(context, operand));
  if (scale >= 1 && context.arithmetic.runtime === 'tflm')
    throw invalid(context, `input ${operand} has scale ${scale}; the kernel compares scales below 1`);
  const { multiplier, shift } = quantizeMultiplier(scale);
  return (value) => multiplySmallerThanOne((value - zeroPoint) << 8, { multiplier, shift });
}

function family(name: OperatorName, compare: Compare, others: readonly ElementType[]): OperatorFamily {
  const plain = (context: OperatorContext) => prepareAs(context, identity, compare);
  const quantized = (context: OperatorContext) => prepareAs(context, (operand) => scaled(context, operand), compare);
  return elementwiseFamily(
    name,
    broadcastShape(0, 1),
    {
      float32: plain,
      int8: quantized,
      uint8: quantized,
      int32: plain,
      int64: plain,
      ...Object.fromEntries(others.map((type) => [type, plain])),
    },
    () => ({ persistent: [48] }),
  );
}

export const equal = family('EQUAL', (x, y) => x === y, ['int16', 'bool']);
export const notEqual = family('NOT_EQUAL', (x, y) => x !== y, ['int16', 'bool']);
export const greater = family('GREATER', (x, y) => x > y, ['int16']);
export const greaterEqual = family('GREATER_EQUAL', (x, y) => x >= y, ['int16']);
export const less = family('LESS', (x, y) => x < y, ['int16']);
export const lessEqual = family('LESS_EQUAL', (x, y) => x <= y, ['int16']);
