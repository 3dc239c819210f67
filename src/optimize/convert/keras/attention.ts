// Attention of Keras: products of queries and keys, a softmax over the keys, and the average of the values that it
// weighs. Masks are not converted.

import { elementAt } from '../../../base/checked.js';
import { elementCount } from '../../../formats/tflite/index.js';
import * as emit from '../emit.js';
import type { Value } from '../graph-builder.js';
import { inputAt, type NodeReader } from '../node-reader.js';
import { combined, mapped, multiplied, type NdArray, reshaped, softmaxOf, transposed } from '../reference/arrays.js';
import type { OperatorTable, SourceOperator } from '../source-operator.js';
import { argumentOf } from './arguments.js';

function refuseMasks(node: NodeReader): void {
  const isSet = (name: string): boolean => {
    const value = argumentOf(node, [name], null);
    return value !== undefined && value !== null && value !== false;
  };
  for (const name of ['mask', 'attention_mask', 'query_mask', 'key_mask', 'value_mask', 'use_causal_mask', 'causal'])
    if (isSet(name)) throw node.refused(`it has ${name}: masks are not converted`);
}

interface Projection {
  /** [inputs, heads, size]; of the result [heads, size, outputs]. */
  readonly kernel: NdArray;
  readonly bias: NdArray | null;
}

interface Heads {
  readonly heads: number;
  readonly query: Projection;
  readonly key: Projection;
  readonly value: Projection;
  readonly result: Projection;
}

/** The projections of MultiHeadAttention, queries scaled by 1 / sqrt(key size). */
function headsOf(node: NodeReader): Heads {
  refuseMasks(node);
  if (node.has('attention_axes') && JSON.stringify(node.value('attention_axes')) !== '[1]')
    throw node.refused('its attention_axes are not [1]');
  const hasBias = node.flag('use_bias', true);
  let position = 0;
  const projection = (biasShape: readonly null[]): Projection => {
    const kernel = node.floats(position++, [null, null, null]);
    return { kernel, bias: hasBias ? node.floats(position++, biasShape) : null };
  };
  const [query, key, value] = [projection([null, null]), projection([null, null]), projection([null, null])];
  const factor = 1 / Math.sqrt(elementAt(query.kernel.shape, 2));
  const scaled = (array: NdArray): NdArray => mapped(array, (x) => x * factor);
  return {
    heads: elementAt(query.kernel.shape, 1),
    query: { kernel: scaled(query.kernel), bias: query.bias && scaled(query.bias) },
    key,
    value,
    result: projection([null]),
  };
}

/** The kernel as a matrix. @param inputs number of its leading axes that are inputs */
function matrix({ kernel, bias }: Projection, inputs: number): Projection {
  const rows = elementCount(kernel.shape.slice(0, inputs));
  const columns = elementCount(kernel.shape.slice(inputs));
  return { kernel: reshaped(kernel, [rows, columns]), bias: bias && reshaped(bias, [columns]) };
}

/** Sequences of the query, the value and the key, which is the value by default. */
function sequences<T>(node: NodeReader, inputs: readonly T[]): readonly [T, T, T] {
  const query = inputAt(node, inputs, 0);
  const value = inputAt(node, inputs, 1);
  return [query, value, inputs[2] ?? value];
}

const multiHeadAttention: SourceOperator = {
  lower: (node, inputs, graph) => {
    const [query, value, key] = sequences(node, inputs);
    const heads = headsOf(node);
    const projected = (x: Value, projection: Projection): Value => {
      const { kernel, bias } = matrix(projection, 1);
      const [batch = 1, steps = 1] = x.shape;
      const flat = emit.dense(graph, x, kernel, bias);
      const size = elementAt(projection.kernel.shape, 2);
      return emit.transpose(graph, emit.reshape(graph, flat, [batch, steps, heads.heads, size]), [0, 2, 1, 3]);
    };
    const scores = emit.matrixProduct(graph, projected(query, heads.query), projected(key, heads.key), {
      transposeB: true,
    });
    const averaged = emit.matrixProduct(graph, emit.softmax(graph, scores), projected(value, heads.value));
    const ordered = emit.transpose(graph, averaged, [0, 2, 1, 3]);
    const [batch = 1, steps = 1, count = 1, size = 1] = ordered.shape;
    const { kernel, bias } = matrix(heads.result, 2);
    return [emit.dense(graph, emit.reshape(graph, ordered, [batch, steps, count * size]), kernel, bias)];
  },
  evaluate: (node, inputs) => {
    const [query, value, key] = sequences(node, inputs);
    const heads = headsOf(node);
    const dense = (x: NdArray, { kernel, bias }: Projection): NdArray => {
      const product = multiplied(x, kernel);
      return bias === null ? product : combined(product, bias, (a, b) => a + b);
    };
    const projected = (x: NdArray, projection: Projection): NdArray => {
      const [batch = 1, steps = 1] = x.shape;
      const size = elementAt(projection.kernel.shape, 2);
      return transposed(reshaped(dense(x, matrix(projection, 1)), [batch, steps, heads.heads, size]), [0, 2, 1, 3]);
    };
    const scores = multiplied(projected(query, heads.query), transposed(projected(key, heads.key), [0, 1, 3, 2]));
    const averaged = multiplied(softmaxOf(scores, 3), projected(value, heads.value));
    const ordered = transposed(averaged, [0, 2, 1, 3]);
    const [batch = 1, steps = 1, count = 1, size = 1] = ordered.shape;
    return [dense(reshaped(ordered, [batch, steps, count * size]), matrix(heads.result, 2))];
  },
};

/** The factor of the scores of an Attention layer. */
function scoreScale(node: NodeReader): number {
  refuseMasks(node);
  if (node.choice('score_mode', ['dot', 'concat'], 'dot') !== 'dot') throw node.refused('its score_mode is concat');
  return node.flag('use_scale', false) ? Number(node.floats(0, []).data[0]) : 1;
}

const attention: SourceOperator = {
  lower: (node, inputs, graph) => {
    const [query, value, key] = sequences(node, inputs);
    const scale = scoreScale(node);
    const products = emit.matrixProduct(graph, query, key, { transposeB: true });
    const scores = scale === 1 ? products : emit.multiply(graph, products, graph.scalar(scale));
    return [emit.matrixProduct(graph, emit.softmax(graph, scores), value)];
  },
  evaluate: (node, inputs) => {
    const [query, value, key] = sequences(node, inputs);
    const scale = scoreScale(node);
    const scores = mapped(multiplied(query, transposed(key, [0, 2, 1])), (x) => x * scale);
    return [multiplied(softmaxOf(scores, 2), value)];
  },
};

/** The letters of an equation like `abc,cd->abd`, sorted by what they are. */
function einsumOf(node: NodeReader, rank: number) {
  const equation = node.text('equation', '').replaceAll(/\s/g, '');
  const [, given = '', weights = '', output = ''] = /^([a-zA-Z.]+),([a-zA-Z]+)->([a-zA-Z.]+)$/.exec(equation) ?? [];
  // An ellipsis stands for the axes that are not named.
  const spare = [...'zyxwvutsrqponmlkjihgfedcba'].filter((letter) => !equation.includes(letter));
  const dots = spare.slice(0, rank - given.replace('...', '').length).join('');
  const [input, result] = [given.replace('...', dots), output.replace('...', dots)];
  const contracted = [...input].filter((letter) => weights.includes(letter));
  const free = [...input].filter((letter) => !weights.includes(letter));
  const added = [...weights].filter((letter) => !input.includes(letter));
  const fits =
    input.length === rank &&
    new Set(input).size === rank &&
    contracted.every((letter) => !result.includes(letter)) &&
    [...free, ...added].every((letter) => result.includes(letter)) &&
    result.length === free.length + added.length;
  if (!fits) throw node.refused(`its equation ${JSON.stringify(equation)} is not a product with a matrix`);
  return { input, weights, result, contracted, free, added };
}

/** A product with a kernel over any axes, as one with a matrix. */
function einsumParts(node: NodeReader, shape: readonly number[]) {
  const { input, weights, result, contracted, free, added } = einsumOf(node, shape.length);
  const kernel = node.floats(0, new Array<null>(weights.length).fill(null));
  const sizes = new Map([...weights].map((letter, d) => [letter, elementAt(kernel.shape, d)]));
  for (const [d, letter] of [...input].entries()) {
    if (sizes.has(letter) && sizes.get(letter) !== shape[d])
      throw node.refused(`its kernel [${kernel.shape.join(', ')}] does not fit its input [${shape.join(', ')}]`);
    sizes.set(letter, elementAt(shape, d));
  }
  const count = (letters: readonly string[]): number =>
    letters.reduce((product, letter) => product * (sizes.get(letter) ?? 1), 1);
  const ordered = transposed(
    kernel,
    [...contracted, ...added].map((letter) => weights.indexOf(letter)),
  );
  const products = [...free, ...added];
  const biasAxes = node.has('bias_axes') ? node.text('bias_axes', '') : '';
  const biasShape = [...result].map((letter) => (biasAxes.includes(letter) ? (sizes.get(letter) ?? 1) : 1));
  const bias = biasAxes === '' ? null : node.floats(1, node.weightShape(1));
  if (bias !== null && elementCount(bias.shape) !== elementCount(biasShape))
    throw node.refused(`its bias [${bias.shape.join(', ')}] does not fit bias_axes ${biasAxes}`);
  return {
    /** Axes of the input: the free ones, then those that are summed. */
    order: [...free, ...contracted].map((letter) => input.indexOf(letter)),
    rows: count(free),
    matrix: reshaped(ordered, [count(contracted), count(added)]),
    shape: products.map((letter) => sizes.get(letter) ?? 1),
    resultOrder: [...result].map((letter) => products.indexOf(letter)),
    bias: bias && reshaped(bias, biasShape),
  };
}

const einsumDense: SourceOperator = {
  lower: (node, inputs, graph) => {
    const x = inputAt(node, inputs, 0);
    const { order, rows, matrix, shape, resultOrder, bias } = einsumParts(node, x.shape);
    const flat = emit.reshape(graph, emit.transpose(graph, x, order), [rows, elementAt(matrix.shape, 0)]);
    const product = emit.reshape(graph, emit.dense(graph, flat, matrix, null), shape);
    const result = emit.transpose(graph, product, resultOrder);
    return [bias === null ? result : emit.add(graph, result, emit.constantOf(graph, bias, 'bias'))];
  },
  evaluate: (node, inputs) => {
    const x = inputAt(node, inputs, 0);
    const { order, rows, matrix, shape, resultOrder, bias } = einsumParts(node, x.shape);
    const flat = reshaped(transposed(x, order), [rows, elementAt(matrix.shape, 0)]);
    const result = transposed(reshaped(multiplied(flat, matrix), shape), resultOrder);
    return [bias === null ? result : combined(result, bias, (a, b) => a + b)];
  },
};

/** The axes that a Dot layer sums over. */
function dotAxes(node: NodeReader, a: readonly number[], b: readonly number[]): readonly [number, number] {
  const [first, second] = node.pair('axes', -1).map((axis, i) => (axis < 0 ? axis + (i === 0 ? a : b).length : axis));
  if (node.flag('normalize', false)) throw node.refused('it has normalize');
  if (
    a.length !== b.length ||
    a.length > 3 ||
    a.length < 2 ||
    first === undefined ||
    second === undefined ||
    first < 1 ||
    second < 1
  )
    throw node.refused(`it combines shapes [${a.join(', ')}] and [${b.join(', ')}]`);
  return [first, second];
}

/** Matrices whose product a Dot layer computes: rows first, vectors as matrices of one row. */
const dot: SourceOperator = {
  lower: (node, inputs, graph) => {
    const [a, b] = [inputAt(node, inputs, 0), inputAt(node, inputs, 1)];
    const [first, second] = dotAxes(node, a.shape, b.shape);
    if (a.shape.length === 2) return [emit.reduce(graph, 'SUM', emit.multiply(graph, a, b), [1], true)];
    return [emit.matrixProduct(graph, a, b, { transposeA: first === 1, transposeB: second === 2 })];
  },
  evaluate: (node, inputs) => {
    const [a, b] = [inputAt(node, inputs, 0), inputAt(node, inputs, 1)];
    const [first, second] = dotAxes(node, a.shape, b.shape);
    if (a.shape.length === 2) {
      const [batch = 1, width = 1] = a.shape;
      return [reshaped(multiplied(reshaped(a, [batch, 1, width]), reshaped(b, [batch, width, 1])), [batch, 1])];
    }
    const turned = (x: NdArray): NdArray => transposed(x, [0, 2, 1]);
    return [multiplied(first === 1 ? turned(a) : a, second === 2 ? turned(b) : b)];
  },
};

export const attentionLayers: OperatorTable = {
  Attention: attention,
  Dot: dot,
  EinsumDense: einsumDense,
  MultiHeadAttention: multiHeadAttention,
};
