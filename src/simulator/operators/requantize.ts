// Multipliers that rescale an accumulator of an operator with weights to the output.

import { weightsAxis } from '../../formats/tflite/index.js';
import { quantizeMultiplier } from '../arithmetic/fixed-point.js';
import { invalid, type Operand, type OperatorContext, quantizationOf } from './operator.js';

export interface ChannelMultipliers {
  readonly multiplier: Int32Array;
  readonly shift: Int32Array;
  /** The real value that the two approximate. */
  readonly real: Float64Array;
}

/**
 * One multiplier per output channel; a per-tensor filter has one scale for all (TFLite
 * PopulateConvolutionQuantizationParams).
 */
export function channelMultipliers(
  context: OperatorContext,
  input: Operand,
  filter: Operand,
  output: Operand,
  channels: number,
): ChannelMultipliers {
  if (filter.scale.length !== 1 && filter.scale.length !== channels) {
    throw invalid(context, `tensor ${filter.label} has ${filter.scale.length} scales for ${channels} channels`);
  }
  const axis = weightsAxis[context.name] ?? 0;
  if (filter.scale.length > 1 && filter.axis !== axis) {
    throw invalid(context, `tensor ${filter.label} is quantized along dimension ${filter.axis}, not ${axis}`);
  }
  const inputScale = quantizationOf(context, input).scale;
  const outputScale = quantizationOf(context, output).scale;
  // uint8 uses the older form with one multiplier, from a product in float32 (TFLite GetQuantizedConvolutionMultipler).
  const product = input.type === 'uint8' ? Math.fround : (value: number): number => value;
  const multiplier = new Int32Array(channels);
  const shift = new Int32Array(channels);
  const real = new Float64Array(channels);
  for (let c = 0; c < channels; c++) {
    const filterScale = filter.scale[filter.scale.length === 1 ? 0 : c] as number;
    if (!(filterScale >= 0 && filterScale < Infinity))
      throw invalid(context, `tensor ${filter.label} has scale ${filterScale} in channel ${c}`);
    real[c] = product(inputScale * filterScale) / outputScale;
    const quantized = quantizeMultiplier(real[c] as number);
    multiplier[c] = quantized.multiplier;
    shift[c] = quantized.shift;
  }
  return { multiplier, shift, real };
}

export function floatBiasOf(
  context: OperatorContext,
  bias: Operand | null | undefined,
  channels: number,
): Float32Array {
  if (bias === null || bias === undefined) return new Float32Array(channels);
  if (!(bias.data instanceof Float32Array) || bias.data.length !== channels) {
    throw invalid(context, `bias ${bias.label} must be ${channels} values of float32`);
  }
  return bias.data;
}
