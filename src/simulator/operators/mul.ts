// MUL with broadcasting (TFLite reference_integer_ops::MulElementwise).

import { quantizeMultiplier } from '../arithmetic/fixed-point.js';
import { clamp, floatLimits, quantizedLimits } from './activation.js';
import { elementwise } from './broadcast.js';
import { type IntegerMul, mulBlocks } from './in-blocks.js';
import {
  elementwiseFamily,
  inputOf,
  type OperatorContext,
  optionsOf,
  outputOf,
  quantizationOf,
  requireType,
} from './operator.js';
import { broadcastShape } from './shapes.js';

export function mulOf(context: OperatorContext): IntegerMul {
  const [a, b, output] = [inputOf(context, 0), inputOf(context, 1), outputOf(context)];
  requireType(context, b, a.type);
  requireType(context, output, a.type);
  const qa = quantizationOf(context, a, true);
  const qb = quantizationOf(context, b, true);
  const qo = quantizationOf(context, output);
  const { scaleProduct } = context.arithmetic;
  const [low, high] = quantizedLimits(context, output, optionsOf(context, 'MulOptions').fusedActivationFunction);
  return {
    zeros: { a: qa.zeroPoint, b: qb.zeroPoint, output: qo.zeroPoint },
    result: quantizeMultiplier(scaleProduct(scaleProduct(qa.scale * qb.scale) / qo.scale)),
    low,
    high,
  };
}

function prepareInteger(context: OperatorContext): () => void {
  const numbers = mulOf(context);
  const { zeros, result, low, high } = numbers;
  const { requantize, pairsInBlocks } = context.arithmetic;
  const [a, b] = [inputOf(context, 0), inputOf(context, 1)];
  const blocks = pairsInBlocks ? mulBlocks(a, b, numbers) : null;
  return elementwise(context, a, b, outputOf(context), (x, y, index) => {
    if (blocks?.has(index)) return blocks.combine(x, y);
    return clamp(requantize((x - zeros.a) * (y - zeros.b), result.multiplier, result.shift) + zeros.output, low, high);
  });
}

function prepareFloat(context: OperatorContext): () => void {
  const [low, high] = floatLimits(context, optionsOf(context, 'MulOptions').fusedActivationFunction);
  requireType(context, inputOf(context, 1), 'float32');
  requireType(context, outputOf(context), 'float32');
  return elementwise(context, inputOf(context, 0), inputOf(context, 1), outputOf(context), (x, y) =>
    clamp(x * y, low, high),
  );
}

function prepareInt32(context: OperatorContext): () => void {
  const [low, high] = floatLimits(context, optionsOf(context, 'MulOptions').fusedActivationFunction);
  requireType(context, inputOf(context, 1), 'int32');
  requireType(context, outputOf(context), 'int32');
  return elementwise(context, inputOf(context, 0), inputOf(context, 1), outputOf(context), (x, y) =>
    clamp(Math.imul(x, y), low, high),
  );
}

export const mul = elementwiseFamily(
  'MUL',
  broadcastShape(0, 1),
  { float32: prepareFloat, int8: prepareInteger, uint8: prepareInteger, int16: prepareInteger, int32: prepareInt32 },
  () => ({ options: [1, 1], persistent: [36] }),
);
