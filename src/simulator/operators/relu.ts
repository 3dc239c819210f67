// RELU, RELU6, RELU_N1_TO_1 and RELU_0_TO_1 as separate operators. Integers: RELU rescales from the input's
// quantization to the output's (TFLM activations.cc ReluQuantized). The others do that in TFLite (activations.cc
// QuantizedReluX), whereas TFLM's RELU6 only clamps, in the input's quantization.

import type { ElementType, OperatorName } from '../../formats/tflite/index.js';
import { quantizeMultiplier, roundHalfAway, toInt32 } from '../arithmetic/fixed-point.js';
import { clampFloat, integerLimits } from './activation.js';
import { mapElements, sameOperands } from './map.js';
import {
  elementwiseFamily,
  type Operand,
  type OperatorContext,
  type OperatorFamily,
  quantizationOf,
} from './operator.js';
import { sameShape } from './shapes.js';

const { fround } = Math;

interface Limits {
  readonly low: number;
  readonly high: number;
}

function prepareInteger(context: OperatorContext, limits: Limits): () => void {
  return limits.high === Infinity || context.arithmetic.rescalesClampedRelu
    ? rescaled(context, limits)
    : clamped(context, limits);
}

/** The quotient of the scales is rounded to float32 before it becomes a multiplier. */
function rescaled(context: OperatorContext, limits: Limits): () => void {
  const { input, output } = sameOperands(context);
  const from = quantizationOf(context, input);
  const to = quantizationOf(context, output);
  const { multiplier, shift } = quantizeMultiplier(fround(from.scale / to.scale));
  const [low, high] = quantizedLimits(context, output, limits);
  const { requantize } = context.arithmetic;
  return mapElements(context, (value) =>
    Math.min(high, Math.max(low, to.zeroPoint + requantize(value - from.zeroPoint, multiplier, shift))),
  );
}

/** Input and output have the same scale. */
function clamped(context: OperatorContext, limits: Limits): () => void {
  const { input } = sameOperands(context);
  const [low, high] = quantizedLimits(context, input, limits);
  const [lowest] = integerLimits(input);
  const top = Math.max(lowest, high);
  // Upper limit first, as in the kernel: if a limit overflowed int32, the upper one may be below the lower one.
  return mapElements(context, (value) => (value > top ? top : value < low ? low : value));
}

function quantizedLimits(context: OperatorContext, operand: Operand, { low, high }: Limits): readonly [number, number] {
  const { scale, zeroPoint } = quantizationOf(context, operand);
  const [lowest, highest] = integerLimits(operand);
  const quantized = (real: number): number => (zeroPoint + toInt32(roundHalfAway(fround(real / scale)))) | 0;
  return [Math.max(lowest, quantized(low)), high === Infinity ? highest : Math.min(highest, quantized(high))];
}

function family(
  name: OperatorName,
  limits: Limits,
  types: readonly ElementType[],
  stateBytes?: number,
): OperatorFamily {
  const prepares = {
    float32: (context: OperatorContext) => mapElements(context, (value) => clampFloat(value, limits.low, limits.high)),
    ...Object.fromEntries(types.map((type) => [type, (context: OperatorContext) => prepareInteger(context, limits)])),
  };
  return elementwiseFamily(name, sameShape, prepares, () =>
    stateBytes === undefined ? {} : { persistent: [stateBytes] },
  );
}

export const relu = family('RELU', { low: 0, high: Infinity }, ['int8', 'uint8', 'int16'], 28);
export const relu6 = family('RELU6', { low: 0, high: 6 }, ['int8', 'uint8', 'int16'], 8);
export const reluN1To1 = family('RELU_N1_TO_1', { low: -1, high: 1 }, ['int8', 'uint8']);
export const relu0To1 = family('RELU_0_TO_1', { low: 0, high: 1 }, ['int8', 'uint8']);
