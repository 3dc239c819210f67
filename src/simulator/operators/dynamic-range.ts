// Operators with int8 weights and float activations: a run of the input is quantized to int8 when it is needed, sums
// are integers, and each is converted back to float by the scales of the run and of its channel. TFLite:
// NeonAsymmetricQuantizeFloats, NeonSymmetricQuantizeFloats (neon_tensor_utils.cc, also used on x86-64),
// HybridConvPerChannel, EvalHybrid. TFLM has no such kernels.

import { roundHalfAway } from '../arithmetic/fixed-point.js';
import { clamp } from './activation.js';
import { invalid, type Operand, type OperatorContext, requireType } from './operator.js';

export interface QuantizedRun {
  readonly scale: number;
  readonly zeroPoint: number;
}

/** Quantizes `values[from ...]` into the same places of `to`. */
export function quantizeRun(
  values: Float32Array,
  from: number,
  length: number,
  asymmetric: boolean,
  to: Int8Array,
): QuantizedRun {
  let [min, max] = asymmetric ? [0, 0] : [Infinity, -Infinity];
  for (let i = from; i < from + length; i++) {
    const value = values[i] as number;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  const { scale, inverse, zeroPoint, low } = asymmetric
    ? asymmetricParameters(min, max)
    : symmetricParameters(min, max);
  for (let i = from; i < from + length; i++)
    to[i] = clamp(zeroPoint + roundHalfAway(Math.fround((values[i] as number) * inverse)), low, 127);
  return { scale, zeroPoint };
}

interface Parameters extends QuantizedRun {
  readonly inverse: number;
  readonly low: number;
}

function symmetricParameters(min: number, max: number): Parameters {
  const range = Math.max(Math.abs(min), Math.abs(max));
  if (range === 0) return { scale: 1, inverse: 0, zeroPoint: 0, low: -127 };
  return { scale: Math.fround(range / 127), inverse: Math.fround(127 / range), zeroPoint: 0, low: -127 };
}

/** The zero point is computed from the end of the range with the smaller error. */
function asymmetricParameters(min: number, max: number): Parameters {
  if (min === max) return { scale: 1, inverse: 0, zeroPoint: 0, low: -128 };
  const scale = Math.fround(max - min) / 255;
  const [fromMin, fromMax] = [-128 - min / scale, 127 - max / scale];
  const [minError, maxError] = [128 + Math.abs(min / scale), 127 + Math.abs(max / scale)];
  const exact = minError < maxError ? fromMin : fromMax;
  const zeroPoint = exact <= -128 ? -128 : exact >= 127 ? 127 : roundHalfAway(exact);
  return { scale: Math.fround(scale), inverse: Math.fround(1 / Math.fround(scale)), zeroPoint, low: -128 };
}

/** The scales of int8 weights, one for each channel. */
export function weightScales(
  context: OperatorContext,
  filter: Operand,
  output: Operand,
  channels: number,
): Float32Array {
  requireType(context, filter, 'int8');
  requireType(context, output, 'float32');
  const { scale, zeroPoint } = filter;
  if (scale.length !== 1 && scale.length !== channels)
    throw invalid(context, `weights ${filter.label} have ${scale.length} scales for ${channels} channels`);
  if (zeroPoint.some((zero) => zero !== 0))
    throw invalid(context, `weights ${filter.label} have a zero point other than 0`);
  return scale.length === channels ? scale : new Float32Array(channels).fill(scale[0] as number);
}

/** The real value of a sum of products. */
export function realSum(sum: number, weightScale: number, run: QuantizedRun, bias: number): number {
  return Math.fround(Math.fround(Math.fround(sum * weightScale) * run.scale) + bias);
}
