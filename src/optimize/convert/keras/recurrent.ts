// Recurrent layers of Keras. A plain LSTM is one operator of the model; other cells, and LSTMs with other activations,
// are unrolled: one set of operators for each step.

import { elementAt } from '../../../base/checked.js';
import { ActivationFunctionType } from '../../../formats/tflite/index.js';
import * as emit from '../emit.js';
import type { GraphBuilder, Value } from '../graph-builder.js';
import { inputAt, type NodeReader } from '../node-reader.js';
import {
  combined,
  floats,
  joined,
  mapped,
  multiplied,
  type NdArray,
  reshaped,
  slicedAxis,
  transposed,
} from '../reference/arrays.js';
import type { OperatorTable, SourceOperator } from '../source-operator.js';
import { type Activation, activationOf } from './activations.js';

/** Weights of a cell, its gates side by side: kernel [inputs, gates], recurrent kernel [units, gates], bias [gates]. */
interface Cell {
  readonly units: number;
  readonly kernel: NdArray;
  readonly recurrent: NdArray;
  readonly bias: NdArray | null;
  /** Bias of the recurrent product, if it has one of its own. */
  readonly recurrentBias: NdArray | null;
}

/** The computation of a kind of cell, with values of the model or with arrays. */
interface Arithmetic<T> {
  readonly add: (a: T, b: T) => T;
  readonly subtract: (a: T, b: T) => T;
  readonly multiply: (a: T, b: T) => T;
  readonly activate: (activation: Activation, x: T) => T;
  /** Product with part of the recurrent kernel, and its bias. @param gates all of them, or one */
  readonly recur: (state: T, gate: number | null) => T;
  readonly split: (gates: T, count: number) => readonly T[];
}

interface CellKind {
  readonly gates: number;
  /** Whether the last result of the products with the input and with the state are combined by the cell itself. */
  readonly states: number;
  /** @param products of the input with the kernel, one for each gate */
  readonly step: <T>(
    node: NodeReader,
    arithmetic: Arithmetic<T>,
    products: readonly T[],
    states: readonly T[],
  ) => readonly T[];
}

const lstm: CellKind = {
  gates: 4,
  states: 2,
  step: <T>(
    node: NodeReader,
    { add, multiply, activate, recur, split }: Arithmetic<T>,
    products: readonly T[],
    states: readonly T[],
  ) => {
    const [xi, xf, xc, xo] = products as [T, T, T, T];
    const [h, c] = states as [T, T];
    const [activation, gate] = [
      activationOf(node, 'activation', 'tanh'),
      activationOf(node, 'recurrent_activation', 'sigmoid'),
    ];
    const [hi, hf, hc, ho] = split(recur(h, null), 4) as [T, T, T, T];
    const input = activate(gate, add(xi, hi));
    const forget = activate(gate, add(xf, hf));
    const candidate = activate(activation, add(xc, hc));
    const output = activate(gate, add(xo, ho));
    const cell = add(multiply(forget, c), multiply(input, candidate));
    return [multiply(output, activate(activation, cell)), cell];
  },
};

const gru: CellKind = {
  gates: 3,
  states: 1,
  step: <T>(
    node: NodeReader,
    { add, subtract, multiply, activate, recur, split }: Arithmetic<T>,
    products: readonly T[],
    states: readonly T[],
  ) => {
    const [xz, xr, xh] = products as [T, T, T];
    const [h] = states as [T];
    const [activation, gate] = [
      activationOf(node, 'activation', 'tanh'),
      activationOf(node, 'recurrent_activation', 'sigmoid'),
    ];
    // reset_after: the reset gate scales the product, so that all products are one.
    const isAfter = node.flag('reset_after', hasTwoBiases(node));
    const [hz, hr, hh] = isAfter ? (split(recur(h, null), 3) as [T, T, T]) : [recur(h, 0), recur(h, 1), null];
    const update = activate(gate, add(xz, hz));
    const reset = activate(gate, add(xr, hr));
    const past = hh === null ? recur(multiply(reset, h), 2) : multiply(reset, hh);
    const candidate = activate(activation, add(xh, past));
    // z * h + (1 - z) * candidate
    return [add(candidate, multiply(update, subtract(h, candidate)))];
  },
};

const simple: CellKind = {
  gates: 1,
  states: 1,
  step: <T>(
    node: NodeReader,
    { add, activate, recur }: Arithmetic<T>,
    products: readonly T[],
    states: readonly T[],
  ) => {
    const [x] = products as [T];
    const [h] = states as [T];
    return [activate(activationOf(node, 'activation', 'tanh'), add(x, recur(h, null)))];
  },
};

/** Only cells that reset after the product have a second bias. Without any bias that is the default since Keras 2. */
function hasTwoBiases(node: NodeReader): boolean {
  return node.node.weights.length > 2 ? node.weightShape(2).length === 2 : node.version >= 2;
}

function cellOf(node: NodeReader, inputs: number, kind: CellKind): Cell {
  const kernel = node.floats(0, [inputs, null]);
  const width = elementAt(kernel.shape, 1);
  const units = width / kind.gates;
  const recurrent = node.floats(1, [units, width]);
  if (!node.flag('use_bias', true)) return { units, kernel, recurrent, bias: null, recurrentBias: null };
  if (node.weightShape(2).length === 1)
    return { units, kernel, recurrent, bias: node.floats(2, [width]), recurrentBias: null };
  const both = node.floats(2, [2, width]);
  const row = (i: number): NdArray => reshaped(slicedAxis(both, 0, i, 1), [width]);
  return { units, kernel, recurrent, bias: row(0), recurrentBias: row(1) };
}

/** Part of the gates of an array whose last axis holds all of them. */
function gateOf(array: NdArray, gate: number | null, units: number): NdArray {
  return gate === null ? array : slicedAxis(array, array.shape.length - 1, gate * units, units);
}

/** @throws CONVERT_LAYER for sequences of an unexpected form */
function sequenceShape(node: NodeReader, shape: readonly number[]): readonly [number, number, number] {
  const [batch, steps, width] = shape;
  if (shape.length !== 3 || batch === undefined || steps === undefined || width === undefined)
    throw node.refused(`its input has the shape [${shape.join(', ')}], with ${shape.length} dimensions instead of 3`);
  for (const name of ['stateful', 'time_major', 'return_state'])
    if (node.flag(name, false)) throw node.refused(`it has ${name}`);
  return [batch, steps, width];
}

function valueArithmetic(graph: GraphBuilder, { recurrent, recurrentBias, units }: Cell): Arithmetic<Value> {
  return {
    add: (a, b) => emit.add(graph, a, b),
    subtract: (a, b) => emit.subtract(graph, a, b),
    multiply: (a, b) => emit.multiply(graph, a, b),
    activate: (activation, x) => activation.lower(graph, x),
    recur: (state, gate) =>
      emit.dense(graph, state, gateOf(recurrent, gate, units), recurrentBias && gateOf(recurrentBias, gate, units)),
    split: (gates, count) => emit.split(graph, gates, 1, count),
  };
}

function arrayArithmetic({ recurrent, recurrentBias, units }: Cell): Arithmetic<NdArray> {
  const sum = (a: NdArray, b: NdArray): NdArray => combined(a, b, (x, y) => x + y);
  return {
    add: sum,
    subtract: (a, b) => combined(a, b, (x, y) => x - y),
    multiply: (a, b) => combined(a, b, (x, y) => x * y),
    activate: (activation, x) => activation.evaluate(x),
    recur: (state, gate) => {
      const product = multiplied(state, gateOf(recurrent, gate, units));
      return recurrentBias === null ? product : sum(product, gateOf(recurrentBias, gate, units));
    },
    split: (gates, count) => Array.from({ length: count }, (_, i) => slicedAxis(gates, 1, i * units, units)),
  };
}

function unrolled(node: NodeReader, input: Value, graph: GraphBuilder, kind: CellKind): Value {
  const [batch, steps, width] = sequenceShape(node, input.shape);
  if (steps > graph.maxUnrolled)
    throw node.refused(`its sequence has ${steps} steps; up to ${graph.maxUnrolled} are unrolled`);
  const cell = cellOf(node, width, kind);
  const arithmetic = valueArithmetic(graph, cell);
  const products = emit.dense(graph, input, cell.kernel, cell.bias);
  const zeros = graph.floats([batch, cell.units], new Float32Array(batch * cell.units), 'state');
  let states: readonly Value[] = new Array<Value>(kind.states).fill(zeros);
  const results: Value[] = [];
  for (let i = 0; i < steps; i++) {
    const at = node.flag('go_backwards', false) ? steps - 1 - i : i;
    const ranges = emit.wholeRanges(products.shape);
    ranges[1] = { begin: at, end: at + 1, step: 1, drop: true };
    const now = emit.slice(graph, products, ranges);
    const gates = kind.gates === 1 ? [now] : emit.split(graph, now, 1, kind.gates);
    states = kind.step(node, arithmetic, gates, states);
    results.push(elementAt(states, 0));
  }
  if (!node.flag('return_sequences', false)) return elementAt(results, steps - 1);
  return graph.add('PACK', results, { options: { kind: 'PackOptions', valuesCount: steps, axis: 1 } });
}

function evaluated(node: NodeReader, input: NdArray, kind: CellKind): NdArray {
  const [batch, steps, width] = sequenceShape(node, input.shape);
  const cell = cellOf(node, width, kind);
  const arithmetic = arrayArithmetic(cell);
  const product = multiplied(input, cell.kernel);
  const products = cell.bias === null ? product : arithmetic.add(product, cell.bias);
  let states: readonly NdArray[] = new Array<NdArray>(kind.states).fill(floats([batch, cell.units]));
  const results: NdArray[] = [];
  for (let i = 0; i < steps; i++) {
    const at = node.flag('go_backwards', false) ? steps - 1 - i : i;
    const now = reshaped(slicedAxis(products, 1, at, 1), [batch, cell.units * kind.gates]);
    states = kind.step(node, arithmetic, arithmetic.split(now, kind.gates), states);
    results.push(elementAt(states, 0));
  }
  if (!node.flag('return_sequences', false)) return elementAt(results, steps - 1);
  return joined(
    results.map((one) => reshaped(one, [batch, 1, cell.units])),
    1,
  );
}

/** Whether the operator UNIDIRECTIONAL_SEQUENCE_LSTM computes a layer: its activations are fixed. */
function isPlainLstm(node: NodeReader): boolean {
  return node.text('activation', 'tanh') === 'tanh' && node.text('recurrent_activation', 'sigmoid') === 'sigmoid';
}

/** Inputs by position: tensorflow/lite/kernels/lstm_shared.h. */
function sequenceLstm(node: NodeReader, input: Value, graph: GraphBuilder): Value {
  const [batch, steps, width] = sequenceShape(node, input.shape);
  const { units, kernel, recurrent, bias } = cellOf(node, width, lstm);
  const ordered = node.flag('go_backwards', false) ? emit.reverse(graph, input, 1) : input;
  const gates = [0, 1, 2, 3];
  const weights = (matrix: NdArray, name: string): Value[] =>
    gates.map((gate) => emit.constantOf(graph, transposed(gateOf(matrix, gate, units), [1, 0]), name));
  const biases = gates.map((gate) => emit.constantOf(graph, gateOf(bias ?? floats([4 * units]), gate, units), 'bias'));
  const absent = (count: number): null[] => new Array<null>(count).fill(null);
  const sequence = graph.add(
    'UNIDIRECTIONAL_SEQUENCE_LSTM',
    [
      ordered,
      ...weights(kernel, 'kernel'),
      ...weights(recurrent, 'recurrent_kernel'),
      ...absent(3),
      ...biases,
      ...absent(2),
      graph.variable([batch, units], 'output_state'),
      graph.variable([batch, units], 'cell_state'),
      ...absent(4),
    ],
    {
      options: {
        kind: 'UnidirectionalSequenceLSTMOptions',
        fusedActivationFunction: ActivationFunctionType.TANH,
        cellClip: 0,
        projClip: 0,
        timeMajor: false,
        asymmetricQuantizeInputs: false,
        diagonalRecurrentTensors: false,
      },
    },
  );
  if (node.flag('return_sequences', false)) return sequence;
  const ranges = emit.wholeRanges(sequence.shape);
  ranges[1] = { begin: steps - 1, end: steps, step: 1, drop: true };
  return emit.slice(graph, sequence, ranges);
}

function recurrentLayer(kind: CellKind): SourceOperator {
  return {
    lower: (node, inputs, graph) => {
      const input = inputAt(node, inputs, 0);
      if (inputs.length > 1) throw node.refused('it has an initial state');
      return [
        kind === lstm && isPlainLstm(node) ? sequenceLstm(node, input, graph) : unrolled(node, input, graph, kind),
      ];
    },
    evaluate: (node, inputs) => [evaluated(node, inputAt(node, inputs, 0), kind)],
  };
}

const layers: OperatorTable = {
  LSTM: recurrentLayer(lstm),
  GRU: recurrentLayer(gru),
  SimpleRNN: recurrentLayer(simple),
};

/** A layer that another holds: its class, configuration and weights. */
export function heldLayer(node: NodeReader, name: string, weights: NodeReader['node']['weights']): NodeReader {
  const value = node.value(name);
  const { class_name: className, config } = (value ?? {}) as { class_name?: unknown; config?: unknown };
  if (typeof className !== 'string' || typeof config !== 'object' || config === null)
    throw node.invalid(name, value ?? null);
  return node.held(className, config as NodeReader['node']['attributes'], weights);
}

/** The layers that a bidirectional layer runs forwards and backwards. */
function bothWays(node: NodeReader): readonly [NodeReader, NodeReader] {
  const { weights } = node.node;
  const half = weights.length / 2;
  const forward = heldLayer(node, node.has('forward_layer') ? 'forward_layer' : 'layer', weights.slice(0, half));
  if (node.has('backward_layer')) return [forward, heldLayer(node, 'backward_layer', weights.slice(half))];
  const backwards = { ...forward.node.attributes, go_backwards: !forward.flag('go_backwards', false) };
  return [forward, node.held(forward.operator, backwards, weights.slice(half))];
}

type MergeMode = 'concat' | 'sum' | 'mul' | 'ave';

function mergeMode(node: NodeReader): MergeMode {
  return node.choice('merge_mode', ['concat', 'sum', 'mul', 'ave'], 'concat');
}

function layerOf(node: NodeReader): SourceOperator {
  const layer = Object.hasOwn(layers, node.operator) ? layers[node.operator] : undefined;
  if (layer === undefined) throw node.refused(`it holds a layer of class ${node.operator}`);
  return layer;
}

const bidirectional: SourceOperator = {
  lower: (node, inputs, graph) => {
    const [forward, backward] = bothWays(node);
    const a = elementAt(layerOf(forward).lower(forward, inputs, graph), 0);
    const last = elementAt(layerOf(backward).lower(backward, inputs, graph), 0);
    const b = backward.flag('return_sequences', false) ? emit.reverse(graph, last, 1) : last;
    switch (mergeMode(node)) {
      case 'concat':
        return [emit.concatenate(graph, [a, b], -1)];
      case 'sum':
        return [emit.add(graph, a, b)];
      case 'mul':
        return [emit.multiply(graph, a, b)];
      case 'ave':
        return [emit.multiply(graph, emit.add(graph, a, b), graph.scalar(0.5))];
    }
  },
  evaluate: (node, inputs) => {
    const [forward, backward] = bothWays(node);
    const a = elementAt(layerOf(forward).evaluate(forward, inputs), 0);
    const last = elementAt(layerOf(backward).evaluate(backward, inputs), 0);
    const b = backward.flag('return_sequences', false) ? slicedAxisBackwards(last) : last;
    const sum = (): NdArray => combined(a, b, (x, y) => x + y);
    switch (mergeMode(node)) {
      case 'concat':
        return [joined([a, b], a.shape.length - 1)];
      case 'sum':
        return [sum()];
      case 'mul':
        return [combined(a, b, (x, y) => x * y)];
      case 'ave':
        return [mapped(sum(), (x) => x / 2)];
    }
  },
};

/** The steps of a sequence in the other order. */
function slicedAxisBackwards(sequence: NdArray): NdArray {
  const steps = elementAt(sequence.shape, 1);
  return slicedAxis(sequence, 1, steps - 1, steps, -1);
}

export const recurrentLayers: OperatorTable = { ...layers, Bidirectional: bidirectional };
