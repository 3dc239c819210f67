// Layers of Keras that combine several inputs.

import { elementAt } from '../../../base/checked.js';
import * as emit from '../emit.js';
import type { GraphBuilder, Value } from '../graph-builder.js';
import { inputAt, type NodeReader } from '../node-reader.js';
import { axisOf, combined, joined, mapped, type NdArray } from '../reference/arrays.js';
import type { OperatorTable, SourceOperator } from '../source-operator.js';
import { integerArguments, operandArrays, operandValues } from './arguments.js';

type Pairwise = (graph: GraphBuilder, a: Value, b: Value) => Value;

/** A layer, or a function of two arguments, that combines its operands one after another. */
export function merge(lower: Pairwise, compute: (a: number, b: number) => number): SourceOperator {
  return {
    lower: (node, inputs, graph) => {
      const operands = operandValues(node, inputs, graph, operandNames);
      return [operands.slice(1).reduce((sum, one) => lower(graph, sum, one), inputAt(node, operands, 0))];
    },
    evaluate: (node, inputs) => {
      const operands = operandArrays(node, inputs, operandNames);
      return [operands.slice(1).reduce((sum, one) => combined(sum, one, compute), inputAt(node, operands, 0))];
    },
  };
}

/** Names of the operands of functions: tf.math.add(x, y), keras.ops.add(x1, x2). */
const operandNames = ['x', 'x1', 'y', 'x2'];

const sum = merge(emit.add, (a, b) => a + b);

const average: SourceOperator = {
  lower: (node, inputs, graph) => {
    const [total] = sum.lower(node, inputs, graph);
    return total === undefined ? [] : [emit.multiply(graph, total, graph.scalar(1 / inputs.length))];
  },
  evaluate: (node, inputs) =>
    sum.evaluate(node, inputs).map((total) => mapped(total, (value) => value / inputs.length)),
};

function concatenationAxis(node: NodeReader, rank: number): number {
  return axisOf(integerArguments(node, ['axis'], 1)?.[0] ?? -1, rank);
}

const concatenate: SourceOperator = {
  lower: (node, inputs, graph) => [
    emit.concatenate(graph, inputs, concatenationAxis(node, inputAt(node, inputs, 0).shape.length)),
  ],
  evaluate: (node, inputs) => {
    inputAt(node, inputs, 0);
    return [joined(inputs as readonly NdArray[], concatenationAxis(node, elementAt(inputs, 0).shape.length))];
  },
};

const divide = merge(emit.divide, (a, b) => a / b);
const subtract = merge(emit.subtract, (a, b) => a - b);
const multiply = merge(emit.multiply, (a, b) => a * b);
const maximum = merge((graph, a, b) => emit.plain(graph, 'MAXIMUM', a, b), Math.max);
const minimum = merge((graph, a, b) => emit.plain(graph, 'MINIMUM', a, b), Math.min);

export const mergingLayers: OperatorTable = {
  Add: sum,
  Subtract: subtract,
  Multiply: multiply,
  Divide: divide,
  TrueDivide: divide,
  Average: average,
  Maximum: maximum,
  Minimum: minimum,
  Concatenate: concatenate,
  'tf.__operators__.add': sum,
  'tf.math.add': sum,
  'tf.math.subtract': subtract,
  'tf.math.multiply': multiply,
  'tf.math.truediv': divide,
  'tf.math.divide': divide,
  'tf.math.maximum': maximum,
  'tf.math.minimum': minimum,
  'tf.concat': concatenate,
};
