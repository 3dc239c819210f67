// UNIDIRECTIONAL_SEQUENCE_LSTM. int8 or int16 with int8 weights: gates are int16 with scale 2^-12, their activations
// 2^-15; the cell state is int16 with a power-of-two scale. Integer arithmetic: TFLM, lstm_eval.h; that of TensorFlow
// Lite is in lstm-tflite.ts.

import { quantizeMultiplier } from '../arithmetic/fixed-point.js';
import { clamp, integerLimits } from './activation.js';
import { cellPowerOf, gateProducts, lstmOf, sequence } from './lstm-sequence.js';
import { prepareIntegerTflite } from './lstm-tflite.js';
import {
  byType,
  inputOf,
  type Operand,
  type OperatorContext,
  type OperatorFamily,
  quantizationOf,
  requireType,
} from './operator.js';
import { logisticInt16, tanhInt16 } from './sigmoid.js';

const gateScale = 2 ** -12;
const activationScale = 2 ** -15;

function prepareInteger(context: OperatorContext): () => void {
  return context.arithmetic.runtime === 'tflite' ? prepareIntegerTflite(context) : prepareIntegerTflm(context);
}

function prepareIntegerTflm(context: OperatorContext): () => void {
  const lstm = lstmOf(context);
  const { input, hidden, cell, output, units } = lstm;
  requireType(context, cell, 'int16');
  const wide = input.type === 'int16';
  const { requantize, requantizeWide } = context.arithmetic;
  const scaleOf = (operand: Operand): number => quantizationOf(context, operand).scale;
  /** Products of one operand with a gate's weights, in the gate's scale. */
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
      for (let i = 0; i < length; i++)
        sum += ((values[from + i] as number) - zeroPoint) * (table[unit * length + i] as number);
      return clamp(bring(wide ? sum : sum | 0, multiplier, shift), -32768, 32767);
    };
  };
  const products = gateProducts(lstm, dense16);
  const power = cellPowerOf(context, cell);
  const cellScale = 2 ** power;
  const forgetting = quantizeMultiplier((activationScale * cellScale) / cellScale);
  const updating = quantizeMultiplier((activationScale * activationScale) / cellScale);
  const hiding = quantizeMultiplier((activationScale * activationScale) / scaleOf(hidden));
  const hiddenZero = quantizationOf(context, hidden).zeroPoint;
  const [low, high] = integerLimits(output);
  const clip = Math.trunc(clamp(lstm.cellClip / cellScale, -32768, 32767));
  // The tanh table is indexed in units of 1 / (3 * 2^12).
  const shift = 12 + power;
  const tableInput =
    shift >= 0
      ? (value: number) => value * 3 * 2 ** shift
      : (value: number) => (value * 3 + 2 ** (-shift - 1)) >> -shift;
  return sequence(context, lstm, {
    gate: (name, unit, from, state) =>
      clamp(products[name].input(unit, from) + products[name].recurrent(unit, state), -32768, 32767),
    logistic: (gate) => logisticInt16(gate * 3),
    tanhGate: (gate) => tanhInt16(gate * 3),
    cell: (forget, old, inputGate, update) => {
      const kept = clamp(requantize(forget * old, forgetting.multiplier, forgetting.shift), -32768, 32767);
      const added = clamp(requantize(inputGate * update, updating.multiplier, updating.shift), -32768, 32767);
      const sum = clamp(kept + added, -32768, 32767);
      return clip > 0 ? clamp(sum, -clip, clip) : sum;
    },
    hidden: (cellValue, outputGate) =>
      clamp(
        requantize(tanhInt16(tableInput(cellValue)) * outputGate, hiding.multiplier, hiding.shift) + hiddenZero,
        low,
        high,
      ),
  });
}

function prepareFloat(context: OperatorContext): () => void {
  const lstm = lstmOf(context);
  const { input, hidden, cell, gates, depth, units, cellClip } = lstm;
  requireType(context, cell, 'float32');
  for (const { input: weights, recurrent } of Object.values(gates))
    for (const operand of [weights, recurrent]) requireType(context, operand, 'float32');
  const { fround } = Math;
  const dot = (values: Float32Array, from: number, weights: Operand, unit: number, length: number): number => {
    const table = weights.data as Float32Array;
    let sum = 0;
    for (let i = 0; i < length; i++)
      sum = fround(sum + fround((values[from + i] as number) * (table[unit * length + i] as number)));
    return sum;
  };
  const [values, state] = [input.data, hidden.data] as [Float32Array, Float32Array];
  return sequence(context, lstm, {
    gate: (name, unit, from, stateFrom) => {
      const gate = gates[name];
      const bias = gate.bias === null ? 0 : ((gate.bias.data as Float32Array)[unit] as number);
      return fround(
        fround(dot(values, from, gate.input, unit, depth) + bias) + dot(state, stateFrom, gate.recurrent, unit, units),
      );
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
  prepare: (context) =>
    byType(context, inputOf(context, 0), { float32: prepareFloat, int8: prepareInteger, int16: prepareInteger })(
      context,
    ),
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
