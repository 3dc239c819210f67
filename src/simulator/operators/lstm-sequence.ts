// The steps of an LSTM without peepholes, projection and layer normalization, for any arithmetic. Inputs by index: 0
// input [batch, time, depth] (time first if time-major), 1-4 input weights and 5-8 recurrent weights of the gates
// input, forget, cell, output, 12-15 biases, 18 hidden state and 19 cell state (variables).

import {
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

export type GateName = 'input' | 'forget' | 'cell' | 'output';

export interface Gate {
  readonly input: Operand;
  readonly recurrent: Operand;
  readonly bias: Operand | null;
}

export interface Lstm {
  readonly input: Operand;
  readonly hidden: Operand;
  readonly cell: Operand;
  readonly output: Operand;
  readonly gates: Readonly<Record<GateName, Gate>>;
  readonly batches: number;
  readonly steps: number;
  readonly depth: number;
  readonly units: number;
  readonly timeMajor: boolean;
  readonly cellClip: number;
  /** The cell gate's activation: tanh, or logistic like the others. */
  readonly cellTanh: boolean;
}

const activationTanh = 4;

export function lstmOf(context: OperatorContext): Lstm {
  const [input, hidden, cell, output] = [
    inputOf(context, 0),
    inputOf(context, 18),
    inputOf(context, 19),
    outputOf(context),
  ];
  const { timeMajor, cellClip, fusedActivationFunction } = optionsOf(context, 'UnidirectionalSequenceLSTMOptions');
  const unsupported = [9, 10, 11, 16, 17, 20, 21, 22, 23].find((index) => context.inputs[index] != null);
  if (unsupported !== undefined)
    throw invalid(context, `input ${unsupported} (peephole, projection or layer normalization) is not supported`);
  if (input.shape.length !== 3) throw invalid(context, `an input of rank ${input.shape.length}`);
  const [first, second, depth] = input.shape as [number, number, number];
  const [batches, steps] = timeMajor ? [second, first] : [first, second];
  const units = hidden.shape[1] ?? 0;
  for (const state of [hidden, cell]) {
    requireShape(context, state, [batches, units]);
    if (!state.variable) throw invalid(context, `tensor ${state.label} must be a variable`);
  }
  requireType(context, output, input.type);
  requireType(context, hidden, input.type);
  const gateOf = (index: number): Gate => {
    const gate = {
      input: inputOf(context, 1 + index),
      recurrent: inputOf(context, 5 + index),
      bias: context.inputs[12 + index] ?? null,
    };
    requireShape(context, gate.input, [units, depth]);
    requireShape(context, gate.recurrent, [units, units]);
    if (gate.bias !== null) requireShape(context, gate.bias, [units]);
    return gate;
  };
  const gates = { input: gateOf(0), forget: gateOf(1), cell: gateOf(2), output: gateOf(3) };
  return {
    input,
    hidden,
    cell,
    output,
    gates,
    batches,
    steps,
    depth,
    units,
    timeMajor,
    cellClip,
    cellTanh: fusedActivationFunction === activationTanh,
  };
}

/**
 * A product of one operand with one unit's weights, in the gate's scale. `from` is the position of the operand's first
 * element.
 */
export type Product = (unit: number, from: number) => number;

export interface GateProducts {
  readonly input: Product;
  readonly recurrent: Product;
}

/** For each gate its product with the input, including the bias, and with the hidden state. */
export function gateProducts(
  { gates, input, hidden, depth, units }: Lstm,
  product: (operand: Operand, weights: Operand, bias: Operand | null, length: number) => Product,
): Readonly<Record<GateName, GateProducts>> {
  const productsOf = ({ input: weights, recurrent, bias }: Gate): GateProducts => ({
    input: product(input, weights, bias, depth),
    recurrent: product(hidden, recurrent, null, units),
  });
  return {
    input: productsOf(gates.input),
    forget: productsOf(gates.forget),
    cell: productsOf(gates.cell),
    output: productsOf(gates.output),
  };
}

/** log2 of the scale of an integer cell state. @throws MODEL_INVALID where the scale is not a power of two */
export function cellPowerOf(context: OperatorContext, cell: Operand): number {
  const { scale } = quantizationOf(context, cell);
  const power = Math.log2(scale);
  if (!Number.isInteger(power)) throw invalid(context, `the cell state has scale ${scale}, which is no power of two`);
  return power;
}

/** The parts that differ between types; all values are stored elements. */
export interface LstmArithmetic {
  /** A gate of one unit before its activation: the sum of its products with input and hidden state. */
  readonly gate: (name: GateName, unit: number, input: number, hidden: number) => number;
  readonly logistic: (gate: number) => number;
  readonly tanhGate: (gate: number) => number;
  /** forget * old cell state + input * cell gate, clipped. */
  readonly cell: (forget: number, old: number, input: number, update: number) => number;
  /** tanh(cell state) * output gate. */
  readonly hidden: (cell: number, output: number) => number;
}

/**
 * Every batch runs its steps independently. `input` and `hidden` of a gate are the positions of their first elements.
 */
export function sequence(
  context: OperatorContext,
  lstm: Lstm,
  { gate, logistic, tanhGate, cell, hidden }: LstmArithmetic,
): () => void {
  const { batches, steps, depth, units, timeMajor, cellTanh } = lstm;
  const [hiddenState, cellState, output] = [lstm.hidden.data, lstm.cell.data, lstm.output.data] as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const activateCell = cellTanh ? tanhGate : logistic;
  const outputs = new Float64Array(units);
  const forget = context.arithmetic.keepsLstmState ? null : stateReset(lstm);
  return () => {
    forget?.();
    for (let b = 0; b < batches; b++) {
      const state = b * units;
      for (let t = 0; t < steps; t++) {
        const row = timeMajor ? t * batches + b : b * steps + t;
        for (let u = 0; u < units; u++) {
          const of = (name: GateName): number => gate(name, u, row * depth, state);
          const keep = logistic(of('forget'));
          const update = activateCell(of('cell'));
          const next = cell(keep, cellState[state + u] as number, logistic(of('input')), update);
          outputs[u] = logistic(of('output'));
          cellState[state + u] = next;
        }
        // The gates of all units read the old hidden state.
        for (let u = 0; u < units; u++) {
          const value = hidden(cellState[state + u] as number, outputs[u] as number);
          hiddenState[state + u] = value;
          output[row * units + u] = value;
        }
      }
    }
  };
}

function stateReset({ hidden, cell }: Lstm): () => void {
  const zero = hidden.type === 'int8' ? (hidden.zeroPoint[0] ?? 0) : 0;
  return () => {
    (hidden.data as Int8Array).fill(zero);
    (cell.data as Int16Array).fill(0);
  };
}
