// RELU, RELU6, RELU_N1_TO_1 and RELU_0_TO_1 as operators of their own. int8, int16 RELU requantizes from the input's scale to the output's (TFLM
// activations.cc ReluQuantized); RELU6 only clamps, input and output sharing their scale (Relu6Quantized).

import type { ElementType, OperatorName } from '../../tflite/index.js';
import { quantizeMultiplier, roundHalfAway } from '../arithmetic/fixed-point.js';
import { clamp, clampFloat, integerLimits } from './activation.js';
import { mapElements, sameOperands } from './map.js';
import { elementwiseFamily, inputOf, type OperatorContext, type OperatorFamily, quantizationOf } from './operator.js';
import { sameShape } from './shapes.js';

function reluInteger(context: OperatorContext): () => void {
  const { input, output } = sameOperands(context);
  const qi = quantizationOf(context, input);
  const qo = quantizationOf(context, output);
  const { multiplier, shift } = quantizeMultiplier(qi.scale / qo.scale);
  const [low, high] = integerLimits(output);
  const { requantize } = context.arithmetic;
  return mapElements(context, (value) => {
    const result = qo.zeroPoint + requantize(value - qi.zeroPoint, multiplier, shift);
    return clamp(result, Math.max(low, qo.zeroPoint), high);
  });
}

function relu6Integer(context: OperatorContext): () => void {
  return clampedTo(context, 0, 6);
}

function reluN1To1Integer(context: OperatorContext): () => void {
  return clampedTo(context, -1, 1);
}

/** Input and output share their scale: the limits are quantized. */
function clampedTo(context: OperatorContext, lowest: number, highest: number): () => void {
  const input = inputOf(context, 0);
  const { scale, zeroPoint } = quantizationOf(context, input);
  const [low, high] = integerLimits(input);
  const limit = (real: number): number => clamp(zeroPoint + roundHalfAway(Math.fround(real / scale)), low, high);
  const [from, to] = [limit(lowest), limit(highest)];
  return mapElements(context, (value) => clamp(value, from, to));
}

function family(
  name: OperatorName,
  float: (value: number) => number,
  integers: Partial<Record<ElementType, OperatorFamily['prepare']>>,
  stateBytes?: number,
): OperatorFamily {
  const prepares = { float32: (context: OperatorContext) => mapElements(context, float), ...integers };
  return elementwiseFamily(name, sameShape, prepares, () => (stateBytes === undefined ? {} : { persistent: [stateBytes] }));
}

export const relu = family('RELU', (value) => clampFloat(value, 0, Infinity), { int8: reluInteger, uint8: reluInteger, int16: reluInteger }, 28);
export const relu6 = family('RELU6', (value) => clampFloat(value, 0, 6), { int8: relu6Integer, uint8: relu6Integer, int16: relu6Integer }, 8);
export const reluN1To1 = family('RELU_N1_TO_1', (value) => clampFloat(value, -1, 1), { int8: reluN1To1Integer, uint8: reluN1To1Integer });
export const relu0To1 = family('RELU_0_TO_1', (value) => clampFloat(value, 0, 1), {});
