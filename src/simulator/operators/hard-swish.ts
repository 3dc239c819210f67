// HARD_SWISH: x * min(max(x + 3, 0), 6) / 6. int8: TFLite reference_ops::HardSwish, in int16 with two multipliers of 16
// bits.

import { quantizeMultiplier, roundingDivideByPot } from '../arithmetic/fixed-point.js';
import { clamp } from './activation.js';
import { mapElements, mapTable } from './map.js';
import { elementwiseFamily, inputOf, invalid, type OperatorContext, outputOf, quantizationOf } from './operator.js';
import { sameShape } from './shapes.js';

const { fround } = Math;

/** Converts to int16, saturating, rounding half up. */
function multiplier16(multiplier: number): number {
  return multiplier >= 2147450880 ? 32767 : (multiplier + 32768) >> 16;
}

const int16 = (value: number): number => (value << 16) >> 16;
const saturate16 = (value: number): number => clamp(value, -32768, 32767);

/** gemmlowp's SaturatingRoundingDoublingHighMul in 16 bits: the nudged product is divided towards zero. */
function roundingHighMul16(a: number, b: number): number {
  if (a === -32768 && b === -32768) return 32767;
  const product = a * b;
  return Math.trunc((product + (product >= 0 ? 16384 : -16383)) / 32768);
}

/** gemmlowp's RoundingDivideByPOT in 16 bits, whose mask has no more than these. */
function roundingDivideByPot16(x: number, exponent: number): number {
  return exponent > 15 ? (x >> Math.min(31, exponent)) + (x >= 0 ? 1 : 0) : roundingDivideByPot(x, exponent);
}

function prepareQuantized(context: OperatorContext): () => void {
  const from = quantizationOf(context, inputOf(context, 0));
  const to = quantizationOf(context, outputOf(context));
  const fineScale = fround(fround(1 / 128) * from.scale);
  const output = quantizeMultiplier(fround(fineScale / to.scale));
  const relu = quantizeMultiplier(fround(fineScale / fround(3 / 32768)));
  if (output.shift > 0) throw invalid(context, 'the output scale is less than 1/128 of the input scale');
  const outputMultiplier = multiplier16(output.multiplier);
  const reluMultiplier = multiplier16(relu.multiplier);
  return mapTable(context, (value) => {
    const fine = int16((value - from.zeroPoint) * 128);
    const scaled = roundingHighMul16(fine, outputMultiplier);
    let gate = relu.shift > 0 ? saturate16(fine * 2 ** (relu.shift - 1)) : fine;
    gate = roundingHighMul16(gate, reluMultiplier);
    if (relu.shift > 0) gate = saturate16(gate * 2);
    if (relu.shift < 0) gate = roundingDivideByPot16(gate, -relu.shift);
    gate = (gate + 32768) >> 1;
    const product = gate === -32768 && scaled === -32768 ? 32767 : Math.trunc((gate * scaled) / 32768);
    return int16(roundingDivideByPot16(product, -output.shift) + to.zeroPoint);
  });
}

const prepareFloat = (context: OperatorContext): (() => void) =>
  mapElements(context, (x) => fround(x * Math.min(6, Math.max(0, fround(x + 3)))) / 6);

export const hardSwish = elementwiseFamily(
  'HARD_SWISH',
  sameShape,
  { float32: prepareFloat, int8: prepareQuantized, uint8: prepareQuantized },
  () => ({
    persistent: [20],
  }),
);
