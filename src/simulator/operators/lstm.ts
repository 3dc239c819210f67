// UNIDIRECTIONAL_SEQUENCE_LSTM without peepholes, projection and layer normalization, as TFLM has it (lstm_eval.h). Inputs by position:
// 0 input [batch, time, depth] (time first where time-major), 1-4 weights from the input and 5-8 from the hidden state to the gates input,
// forget, cell, output, 12-15 their biases, 18 hidden state and 19 cell state (variables). int8 or int16 with int8 weights: gates are int16
// of scale 2^-12, their activations of 2^-15; the cell state is int16 with a power of two for a scale.

import { quantizeMultiplier } from '../arithmetic/fixed-point.js';
import { clamp, integerLimits } from './activation.js';
import {
  byType,
  inputOf,
  invalid,
  type Operand,
  type OperatorContext,
  type OperatorFamily,
  optionsOf,
  outputOf,
  quantizationOf,
  requireShape,
  requireType,
} from './operator.js';
import { logisticInt16, tanhInt16 } from './sigmoid.js';

const gateNames = ['input', 'forget', 'cell', 'output'] as const;
type GateName = (typeof gateNames)[number];

interface Gate {
  readonly input: Operand;
  readonly recurrent: Operand;
  readonly bias: Operand | null;
}

interface Lstm {
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
  /** The cell gate's own activation: tanh, or the others' logistic. */
  readonly cellTanh: boolean;
}

const activationTanh = 4;

function lstmOf(context: OperatorContext): Lstm {
  const [input, hidden, cell, output] = [inputOf(context, 0), inputOf(context, 18), inputOf(context, 19), outputOf(context)];
  const { timeMajor, cellClip, fusedActivationFunction } = optionsOf(context, 'UnidirectionalSequenceLSTMOptions');
  const unsupported = [9, 10, 11, 16, 17, 20, 21, 22, 23].find((index) => context.inputs[index] != null);
  if (unsupported !== undefined) throw invalid(context, `input ${unsupported} (peephole, projection or layer normalization) is not supported`);
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
    const gate = { input: inputOf(context, 1 + index), recurrent: inputOf(context, 5 + index), bias: context.inputs[12 + index] ?? null };
    requireShape(context, gate.input, [units, depth]);
    requireShape(context, gate.recurrent, [units, units]);
    if (gate.bias !== null) requireShape(context, gate.bias, [units]);
    return gate;
  };
  const gates = Object.fromEntries(gateNames.map((name, i) => [name, gateOf(i)])) as Record<GateName, Gate>;
  return { input, hidden, cell, output, gates, batches, steps, depth, units, timeMajor, cellClip, cellTanh: fusedActivationFunction === activationTanh };
}

/** What differs between the types; all values are elements as they are stored. */
interface Arithmetics {
  /** A gate of one unit before its activation: the sum of its products with input and hidden state. */
  readonly gate: (name: GateName, unit: number, input: number, hidden: number) => number;
  readonly logistic: (gate: number) => number;
  readonly tanhGate: (gate: number) => number;
  /** forget * old cell state + input * cell gate, clipped. */
  readonly cell: (forget: number, old: number, input: number, update: number) => number;
  /** tanh(cell state) * output gate. */
  readonly hidden: (cell: number, output: number) => number;
}

/** Every batch goes through its steps on its own. `input` and `hidden` of a gate are the positions of their first elements. */
function sequence(context: OperatorContext, lstm: Lstm, { gate, logistic, tanhGate, cell, hidden }: Arithmetics): () => void {
  const { batches, steps, depth, units, timeMajor, cellTanh } = lstm;
  const [hiddenState, cellState, output] = [lstm.hidden.data, lstm.cell.data, lstm.output.data] as [Float32Array, Float32Array, Float32Array];
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

const gateScale = 2 ** -12;
const activationScale = 2 ** -15;

function prepareInteger(context: OperatorContext): () => void {
  const lstm = lstmOf(context);
  const { input, hidden, cell, output, gates, depth, units } = lstm;
  requireType(context, cell, 'int16');
  const wide = input.type === 'int16';
  const { requantize, requantizeWide } = context.arithmetic;
  const scaleOf = (operand: Operand): number => quantizationOf(context, operand).scale;
  /** Products of one operand with a gate's weights, brought to the gate's scale. */
  const dense16 = (operand: Operand, weights: Operand, bias: Operand | null, length: number) => {
    requireType(context, weights, 'int8');
    if (bias !== null) requireType(context, bias, wide ? 'int64' : 'int32');
    const { scale, zeroPoint } = quantizationOf(context, operand);
    const { multiplier, shift } = quantizeMultiplier(Math.fround(scale * scaleOf(weights)) / gateScale);
    const values = operand.data as Int8Array | Int16Array;
    const table = weights.data as Int8Array;
    const offsets = bias === null ? new Float64Array(units) : Float64Array.from(bias.data as Int32Array, Number);
    const bring = wide ? requantizeWide : requantize;
    return (unit: number, from: number): number => {
      let sum = offsets[unit] as number;
      for (let i = 0; i < length; i++) sum += ((values[from + i] as number) - zeroPoint) * (table[unit * length + i] as number);
      return clamp(bring(wide ? sum : sum | 0, multiplier, shift), -32768, 32767);
    };
  };
  const products = Object.fromEntries(
    gateNames.map((name) => {
      const gate = gates[name];
      return [name, { input: dense16(input, gate.input, gate.bias, depth), recurrent: dense16(hidden, gate.recurrent, null, units) }];
    }),
  ) as Record<GateName, { input: (unit: number, from: number) => number; recurrent: (unit: number, from: number) => number }>;

  const cellScale = scaleOf(cell);
  const power = Math.log2(cellScale);
  if (!Number.isInteger(power)) throw invalid(context, `the cell state has scale ${cellScale}, which is no power of two`);
  const forgetting = quantizeMultiplier((activationScale * cellScale) / cellScale);
  const updating = quantizeMultiplier((activationScale * activationScale) / cellScale);
  const hiding = quantizeMultiplier((activationScale * activationScale) / scaleOf(hidden));
  const hiddenZero = quantizationOf(context, hidden).zeroPoint;
  const [low, high] = integerLimits(output);
  const clip = Math.trunc(clamp(lstm.cellClip / cellScale, -32768, 32767));
  // The table of tanh takes units of 1 / (3 * 2^12).
  const shift = 12 + power;
  const tableInput = shift >= 0 ? (value: number) => value * 3 * 2 ** shift : (value: number) => (value * 3 + 2 ** (-shift - 1)) >> -shift;
  return sequence(context, lstm, {
    gate: (name, unit, from, state) => clamp(products[name].input(unit, from) + products[name].recurrent(unit, state), -32768, 32767),
    logistic: (gate) => logisticInt16(gate * 3),
    tanhGate: (gate) => tanhInt16(gate * 3),
    cell: (forget, old, inputGate, update) => {
      const kept = clamp(requantize(forget * old, forgetting.multiplier, forgetting.shift), -32768, 32767);
      const added = clamp(requantize(inputGate * update, updating.multiplier, updating.shift), -32768, 32767);
      const sum = clamp(kept + added, -32768, 32767);
      return clip > 0 ? clamp(sum, -clip, clip) : sum;
    },
    hidden: (cellValue, outputGate) =>
      clamp(requantize(tanhInt16(tableInput(cellValue)) * outputGate, hiding.multiplier, hiding.shift) + hiddenZero, low, high),
  });
}

function prepareFloat(context: OperatorContext): () => void {
  const lstm = lstmOf(context);
  const { input, hidden, cell, gates, depth, units, cellClip } = lstm;
  requireType(context, cell, 'float32');
  const { fround } = Math;
  const dot = (values: Float32Array, from: number, weights: Operand, unit: number, length: number): number => {
    const table = weights.data as Float32Array;
    let sum = 0;
    for (let i = 0; i < length; i++) sum = fround(sum + fround((values[from + i] as number) * (table[unit * length + i] as number)));
    return sum;
  };
  const [values, state] = [input.data, hidden.data] as [Float32Array, Float32Array];
  return sequence(context, lstm, {
    gate: (name, unit, from, stateFrom) => {
      const gate = gates[name];
      const bias = gate.bias === null ? 0 : ((gate.bias.data as Float32Array)[unit] as number);
      return fround(fround(dot(values, from, gate.input, unit, depth) + bias) + dot(state, stateFrom, gate.recurrent, unit, units));
    },
    logistic: (gate) => fround(1 / (1 + Math.exp(-gate))),
    tanhGate: (gate) => fround(Math.tanh(gate)),
    cell: (forget, old, inputGate, update) => {
      const sum = fround(fround(forget * old) + fround(inputGate * update));
      return cellClip > 0 ? clamp(sum, -cellClip, cellClip) : sum;
    },
    hidden: (cellValue, outputGate) => fround(fround(Math.tanh(cellValue)) * outputGate),
  });
}

export const unidirectionalSequenceLstm: OperatorFamily = {
  name: 'UNIDIRECTIONAL_SEQUENCE_LSTM',
  types: ['float32', 'int8', 'int16'],
  shapes: (context) => [inputOf(context, 0).shape.with(-1, lstmOf(context).units)],
  prepare: (context) => byType(context, inputOf(context, 0), { float32: prepareFloat, int8: prepareInteger, int16: prepareInteger })(context),
  work: (context) => {
    const { batches, steps, depth, units } = lstmOf(context);
    return { kind: 'fullyConnected', macs: batches * steps * 4 * units * (depth + units) };
  },
  memory: (context) => {
    const { cell } = lstmOf(context);
    const bytes = cell.count * (cell.type === 'float32' ? 4 : 2);
    return { options: [16, 4], persistent: [688], scratch: [bytes, bytes, bytes, bytes] };
  },
};
