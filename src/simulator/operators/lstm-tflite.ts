// UNIDIRECTIONAL_SEQUENCE_LSTM in int8 as TensorFlow Lite computes it: lstm_eval.cc, LstmStepInteger8x8_16, and
// portable_tensor_utils.cc. Unlike TFLM, it computes activations in gemmlowp's fixed point instead of a table, and
// saturates a gate after each of its two products. The fifth intermediate tensor gives the quantization of the hidden
// state.

import { quantizeMultiplier, roundingDivideByPot } from '../arithmetic/fixed-point.js';
import { logistic16, tanh16 } from '../arithmetic/gemmlowp-int16.js';
import { clamp } from './activation.js';
import { cellPowerOf, gateProducts, lstmOf, sequence } from './lstm-sequence.js';
import { invalid, type Operand, type OperatorContext, quantizationOf, requireType } from './operator.js';

const clamp16 = (value: number): number => clamp(value, -32768, 32767);

/** Integer bits of a gate before its activation (Q3.12). */
const gateBits = 3;
const gateScale = 2 ** -12;
/** The kernel instantiates gemmlowp's tanh for up to this many integer bits. */
const maxTanhBits = 6;

export function prepareIntegerTflite(context: OperatorContext): () => void {
  const lstm = lstmOf(context);
  const { input, cell } = lstm;
  requireType(context, input, 'int8');
  requireType(context, cell, 'int16');
  const { requantize } = context.arithmetic;
  const product = (operand: Operand, weights: Operand, bias: Operand | null, length: number) => {
    requireType(context, weights, 'int8');
    if (bias !== null) requireType(context, bias, 'int32');
    const { scale, zeroPoint } = quantizationOf(context, operand);
    const { multiplier, shift } = quantizeMultiplier(
      Math.fround(quantizationOf(context, weights).scale * scale) / gateScale,
    );
    const [values, table, offsets] = [
      operand.data as Int8Array,
      weights.data as Int8Array,
      bias === null ? null : (bias.data as Int32Array),
    ];
    return (unit: number, from: number): number => {
      let sum = offsets?.[unit] ?? 0;
      for (let i = 0; i < length; i++)
        sum += ((values[from + i] as number) - zeroPoint) * (table[unit * length + i] as number);
      return requantize(sum | 0, multiplier, shift);
    };
  };
  const products = gateProducts(lstm, product);
  const cellPower = cellPowerOf(context, cell);
  const cellScale = 2 ** cellPower;
  const cellBits = 15 + cellPower;
  if (cellBits < 0 || cellBits > maxTanhBits)
    throw invalid(context, `the cell state has scale ${cellScale}; it must be 2^-15 to 2^${maxTanhBits - 15}`);
  const hiddenQuantization = context.intermediates[4];
  if (hiddenQuantization === undefined)
    throw invalid(context, 'the quantization of its hidden state (intermediate tensor 4) is missing');
  const hiding = quantizeMultiplier(Math.fround((2 ** -15 / hiddenQuantization.scale) * 2 ** -15));
  const clip = lstm.cellClip > 0 ? Math.trunc(clamp16(Math.fround(lstm.cellClip / cellScale))) : 0;
  return sequence(
    context,
    // The kernel always uses tanh, whatever activation the options specify.
    { ...lstm, cellTanh: true },
    {
      gate: (name, unit, from, state) =>
        clamp16(products[name].recurrent(unit, state) + clamp16(products[name].input(unit, from))),
      logistic: (gate) => logistic16(gate, gateBits),
      tanhGate: (gate) => tanh16(gate, gateBits),
      cell: (forget, old, inputGate, update) => {
        const kept = roundingDivideByPot(forget * old, 15);
        const added = roundingDivideByPot(inputGate * update, 30 + cellPower);
        const sum = clamp16(((kept << 16) >> 16) + ((added << 16) >> 16));
        return clip > 0 ? clamp(sum, -clip, clip) : sum;
      },
      hidden: (cellValue, outputGate) =>
        clamp(
          requantize(outputGate * tanh16(cellValue, cellBits), hiding.multiplier, hiding.shift) +
            hiddenQuantization.zeroPoint,
          -128,
          127,
        ),
    },
  );
}
