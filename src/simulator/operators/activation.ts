// Limits of a fused activation, in real and in quantized values (TFLite kernel_util.cc).

import { ActivationFunctionType } from '../../formats/tflite/index.js';
import { roundHalfAway } from '../arithmetic/fixed-point.js';
import { invalid, type Operand, type OperatorContext, quantizationOf } from './operator.js';

/** The largest finite float32. */
export const float32Max = (2 - 2 ** -23) * 2 ** 127;

/** [min, max] of the real output; without an activation those of float32, to which the kernels clamp infinities. */
export function floatLimits(context: OperatorContext, activation: number): readonly [number, number] {
  switch (activation) {
    case ActivationFunctionType.NONE:
      return [-float32Max, float32Max];
    case ActivationFunctionType.RELU:
      return [0, float32Max];
    case ActivationFunctionType.RELU6:
      return [0, 6];
    case ActivationFunctionType.RELU_N1_TO_1:
      return [-1, 1];
    default:
      throw invalid(context, `fused activation ${activation} is not supported`);
  }
}

/**
 * [min, max] of the quantized output: the type's limits, restricted by the activation's, which are rounded in float32.
 */
export function quantizedLimits(
  context: OperatorContext,
  output: Operand,
  activation: number,
): readonly [number, number] {
  const [low, high] = floatLimits(context, activation);
  const [typeMin, typeMax] = integerLimits(output);
  const { scale, zeroPoint } = quantizationOf(context, output);
  const quantize = (real: number): number => {
    const whole = roundHalfAway(Math.fround(Math.fround(real) / scale));
    if (Math.abs(whole) > 2 ** 31)
      throw invalid(context, `the limits of its activation leave 32 bits at an output scale of ${scale}`);
    return zeroPoint + whole;
  };
  return [
    low === -float32Max ? typeMin : Math.max(typeMin, quantize(low)),
    high === float32Max ? typeMax : Math.min(typeMax, quantize(high)),
  ];
}

export function integerLimits(operand: Operand): readonly [number, number] {
  switch (operand.type) {
    case 'uint8':
      return [0, 255];
    case 'int16':
      return [-32768, 32767];
    case 'int32':
      return [-2147483648, 2147483647];
    default:
      return [-128, 127];
  }
}

export function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}

/** As in the reference kernels: NaN stays NaN, and -0 stays -0 at a limit of 0. */
export function clampFloat(value: number, low: number, high: number): number {
  return value < low ? low : value > high ? high : value;
}
