// LEAKY_RELU. int8, uint8, int16: TFLite reference_ops::QuantizeLeakyRelu, with one multiplier on each side of 0; the
// product of input scale and alpha is rounded to float32 before the division.

import { quantizeMultiplier } from '../arithmetic/fixed-point.js';
import { clamp, integerLimits } from './activation.js';
import { mapElements, sameOperands } from './map.js';
import { elementwiseFamily, type OperatorContext, optionsOf, quantizationOf } from './operator.js';
import { sameShape } from './shapes.js';

function prepareInteger(context: OperatorContext): () => void {
  const { input, output } = sameOperands(context);
  const { alpha } = optionsOf(context, 'LeakyReluOptions');
  const from = quantizationOf(context, input);
  const to = quantizationOf(context, output);
  const identity = quantizeMultiplier(Math.fround(from.scale / to.scale));
  const slope = Math.fround(Math.fround(from.scale * alpha) / to.scale);
  const negative = quantizeMultiplier(Math.abs(slope));
  const sign = Math.sign(slope);
  const [low, high] = integerLimits(output);
  const { requantize } = context.arithmetic;
  const values = input.data as Int16Array;
  const out = output.data as Int16Array;
  return () => {
    for (let i = 0; i < out.length; i++) {
      const value = (values[i] as number) - from.zeroPoint;
      const scaled =
        value >= 0
          ? requantize(value, identity.multiplier, identity.shift)
          : sign * requantize(value, negative.multiplier, negative.shift);
      out[i] = clamp(scaled + to.zeroPoint, low, high);
    }
  };
}

function prepareFloat(context: OperatorContext): () => void {
  const { alpha } = optionsOf(context, 'LeakyReluOptions');
  return mapElements(context, (value) => (value > 0 ? value : value * alpha));
}

export const leakyRelu = elementwiseFamily(
  'LEAKY_RELU',
  sameShape,
  { float32: prepareFloat, int8: prepareInteger, uint8: prepareInteger, int16: prepareInteger },
  () => ({
    options: [4, 4],
    persistent: [24],
  }),
);
