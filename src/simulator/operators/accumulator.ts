// How integer operators with weights sum and rescale: int8 uses 32-bit accumulators, int16 64-bit ones (32-bit with an
// int32 bias).

import { TensorType } from '../../formats/tflite/index.js';
import type { ChannelArithmetic } from '../arithmetic/profile.js';
import { clamp, quantizedLimits } from './activation.js';
import { invalid, type Operand, type OperatorContext, quantizationOf, requireType } from './operator.js';
import type { ChannelMultipliers } from './requantize.js';

export interface Accumulator {
  /** Sum of row[i] * weights[from + i]. */
  readonly dot: (row: Int32Array, weights: Weights, from: number, length: number) => number;
  /** The output element of a channel, from its sum: bias, rescaling, zero point, activation. */
  readonly finish: (sum: number, channel: number) => number;
  readonly inputOffset: number;
}

/** Weights minus their zero point. */
export type Weights = Int8Array | Int16Array;

/**
 * The weights of an integer operator minus their zero point, if its kernels apply it.
 * @returns refresh: call before each run, since weights may be computed
 */
export function weightsOf(
  context: OperatorContext,
  filter: Operand,
): { readonly weights: Weights; readonly refresh: () => void } {
  const zeroPoint = weightsZero(context, filter);
  const data = filter.data as Int8Array;
  if (zeroPoint === 0) return { weights: data, refresh: () => undefined };
  const weights = new Int16Array(data.length);
  const refresh = (): void => {
    for (let i = 0; i < weights.length; i++) weights[i] = (data[i] as number) - zeroPoint;
  };
  if (!filter.constant) return { weights, refresh };
  refresh();
  return { weights, refresh: () => undefined };
}

/**
 * The zero point that kernels apply to weights: for uint8, and for per-tensor FULLY_CONNECTED (fully_connected.cc).
 * Others ignore it.
 */
export function weightsZero(context: OperatorContext, filter: Operand): number {
  const heeded = filter.type === 'uint8' || (context.name === 'FULLY_CONNECTED' && filter.scale.length === 1);
  return heeded ? quantizationOf(context, filter).zeroPoint : 0;
}

interface Operation {
  readonly input: Operand;
  readonly filter: Operand;
  readonly output: Operand;
  readonly bias: Operand | null | undefined;
  readonly channels: number;
  readonly activation: number;
  /** Type of an absent bias in the options (int16 only); 64 bits unless INT32. */
  readonly quantizedBiasType?: number;
  /** Whether int16 without a bias uses 32-bit sums. */
  readonly int16In32Bits?: boolean;
}

/** The rescaling of an output channel's sum; the parameters of an Accumulator. */
export interface Accumulation {
  readonly wide: boolean;
  readonly bias: Int32Array | Float64Array;
  readonly multipliers: ChannelMultipliers;
  readonly inputZero: number;
  readonly outputZero: number;
  readonly low: number;
  readonly high: number;
}

/** @throws OPERATOR_INVALID if types, bias or quantization do not match */
export function accumulationOf(
  context: OperatorContext,
  operation: Operation,
  multipliers: ChannelMultipliers,
): Accumulation {
  const { input, filter, output, bias, channels, activation, quantizedBiasType, int16In32Bits = false } = operation;
  // int4 weights are unpacked when the model is bound.
  if (!(filter.type === 'int4' && input.type === 'int8'))
    requireType(context, filter, input.type === 'uint8' ? 'uint8' : 'int8');
  requireType(context, output, input.type);
  const wide =
    input.type === 'int16' &&
    (bias == null ? quantizedBiasType !== TensorType.INT32 && !int16In32Bits : bias.type !== 'int32');
  const [low, high] = quantizedLimits(context, output, activation);
  return {
    wide,
    bias: biasOf(context, bias, channels, wide),
    multipliers,
    inputZero: quantizationOf(context, input).zeroPoint,
    outputZero: quantizationOf(context, output).zeroPoint,
    low,
    high,
  };
}

export function accumulatorOf(
  { requantize, requantizeWide }: ChannelArithmetic,
  accumulation: Accumulation,
): Accumulator {
  const { wide, bias, inputZero, outputZero, low, high } = accumulation;
  const { multiplier, shift, real } = accumulation.multipliers;
  const at = (values: Int32Array | Float64Array, channel: number): number => values[channel] as number;
  const { length } = multiplier;
  return {
    dot: wide ? dotWide : dotInt32,
    finish: wide
      ? (sum, c) =>
          clamp(
            (requantizeWide(sum + at(bias, c), at(multiplier, c), at(shift, c), at(real, c), c, length) + outputZero) |
              0,
            low,
            high,
          )
      : (sum, c) =>
          clamp(
            (requantize((sum + at(bias, c)) | 0, at(multiplier, c), at(shift, c), at(real, c), c, length) +
              outputZero) |
              0,
            low,
            high,
          ),
    inputOffset: -inputZero,
  };
}

/** The bias, or zeros: int32, or int64 as doubles, which can represent every accumulator value. */
function biasOf(
  context: OperatorContext,
  bias: Operand | null | undefined,
  channels: number,
  wide: boolean,
): Int32Array | Float64Array {
  if (bias == null) return new Int32Array(channels);
  if (bias.data.length !== channels)
    throw invalid(context, `bias ${bias.label} has ${bias.data.length} values for ${channels} channels`);
  if (wide && (bias.data instanceof BigInt64Array || bias.data instanceof Int16Array))
    return Float64Array.from(bias.data as ArrayLike<number>, Number);
  if (!wide && bias.data instanceof Int32Array) return bias.data;
  throw invalid(context, `bias ${bias.label} is ${bias.type}, not ${wide ? 'int64' : 'int32'}`);
}

/** Wraps in 32 bits, like the kernels' accumulators. */
export function dotInt32(row: Int32Array, weights: Weights, from: number, length: number): number {
  let sum = 0;
  for (let i = 0; i < length; i++) sum = (sum + (row[i] as number) * (weights[from + i] as number)) | 0;
  return sum;
}

/** Exact up to 2^53: more than 2^29 products of int16 and int8. */
function dotWide(row: Int32Array, weights: Weights, from: number, length: number): number {
  let sum = 0;
  for (let i = 0; i < length; i++) sum += (row[i] as number) * (weights[from + i] as number);
  return sum;
}
