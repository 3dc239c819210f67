// PRELU: x for x >= 0, otherwise x * alpha, with alpha broadcasting. int8, int16 (alpha int8): TFLite
// reference_ops::Prelu.

import { quantizeMultiplier } from '../arithmetic/fixed-point.js';
import { clamp, integerLimits } from './activation.js';
import { elementwise } from './broadcast.js';
import { elementwiseFamily, inputOf, type OperatorContext, outputOf, quantizationOf, requireType } from './operator.js';
import { sameShape } from './shapes.js';

function prepareFloat(context: OperatorContext): () => void {
  const [input, alpha, output] = [inputOf(context, 0), inputOf(context, 1), outputOf(context)];
  requireType(context, alpha, 'float32');
  requireType(context, output, 'float32');
  return elementwise(context, input, alpha, output, (x, a) => (x >= 0 ? x : x * a));
}

function prepareInteger(context: OperatorContext): () => void {
  const [input, alpha, output] = [inputOf(context, 0), inputOf(context, 1), outputOf(context)];
  requireType(context, alpha, input.type === 'uint8' ? 'uint8' : 'int8');
  requireType(context, output, input.type);
  const [qi, qa, qo] = [
    quantizationOf(context, input),
    quantizationOf(context, alpha),
    quantizationOf(context, output),
  ];
  const { requantize, scaleProduct } = context.arithmetic;
  const positive = quantizeMultiplier(scaleProduct(qi.scale / qo.scale));
  const negative = quantizeMultiplier(scaleProduct(scaleProduct(qi.scale * qa.scale) / qo.scale));
  const [low, high] = integerLimits(output);
  return elementwise(context, input, alpha, output, (x, a) => {
    const value = x - qi.zeroPoint;
    const scaled =
      value >= 0
        ? requantize(value, positive.multiplier, positive.shift)
        : requantize(value * (a - qa.zeroPoint), negative.multiplier, negative.shift);
    return clamp(scaled + qo.zeroPoint, low, high);
  });
}

export const prelu = elementwiseFamily(
  'PRELU',
  sameShape,
  { float32: prepareFloat, int8: prepareInteger, uint8: prepareInteger, int16: prepareInteger },
  () => ({
    persistent: [28],
  }),
);
