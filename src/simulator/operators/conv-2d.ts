// CONV_2D. Input [n, h, w, ic], filter [oc, kh, kw, ic / groups], bias [oc], output [n, oh, ow, oc]. int8, int16:
// TFLite reference_integer_ops::ConvPerChannel; float32: reference_ops::Conv; float32 with int8 weights:
// dynamic-range.ts.

import { alignUp } from '../../base/alignment.js';
import type { ChannelArithmetic } from '../arithmetic/profile.js';
import { type Accumulation, accumulationOf, accumulatorOf, dotInt32, weightsOf } from './accumulator.js';
import { clampFloat, floatLimits } from './activation.js';
import { quantizeRun, realSum, weightScales } from './dynamic-range.js';
import { espNnConvScratch } from './esp-nn.js';
import {
  byType,
  inputOf,
  invalid,
  type Operand,
  type OperatorContext,
  type OperatorFamily,
  type OperatorMemory,
  optionsOf,
  outputOf,
  type RuntimeKernels,
  requireRank,
  requireType,
} from './operator.js';
import { gatherPatch } from './patch.js';
import { channelMultipliers, floatBiasOf } from './requantize.js';
import { type Window, windowOf, windowShape } from './window.js';

export interface Conv {
  readonly input: Operand;
  readonly filter: Operand;
  readonly output: Operand;
  readonly window: Window;
  readonly channels: number;
  readonly groups: number;
  /** Length of a filter: kh * kw * ic / groups. */
  readonly depth: number;
  readonly activation: number;
}

export function convOf(context: OperatorContext): Conv {
  const input = inputOf(context, 0);
  const filter = inputOf(context, 1);
  const output = outputOf(context);
  const options = optionsOf(context, 'Conv2DOptions');
  requireRank(context, filter, 4);
  const [channels, height, width, filterChannels] = filter.shape as [number, number, number, number];
  const window = windowOf(context, input, [height, width], options);
  const groups = window.inputChannels / filterChannels;
  if (!Number.isInteger(groups) || groups < 1)
    throw invalid(context, `${window.inputChannels} input channels do not divide into filters of ${filterChannels}`);
  if (channels % groups !== 0) throw invalid(context, `${channels} filters do not divide into ${groups} groups`);
  return {
    input,
    filter,
    output,
    window,
    channels,
    groups,
    depth: height * width * filterChannels,
    activation: options.fusedActivationFunction,
  };
}

export function convAccumulation(context: OperatorContext, conv: Conv): Accumulation {
  const { quantizedBiasType } = optionsOf(context, 'Conv2DOptions');
  const multipliers = channelMultipliers(context, conv.input, conv.filter, conv.output, conv.channels);
  return accumulationOf(context, { ...conv, bias: context.inputs[2], quantizedBiasType }, multipliers);
}

export function convArithmetic({ arithmetic }: OperatorContext, { groups }: Conv): ChannelArithmetic {
  return groups > 1 ? arithmetic.groupedConvolution : arithmetic.convolution;
}

function prepareInteger(context: OperatorContext): () => void {
  const conv = convOf(context);
  const { input, filter, output, window, channels, groups, depth } = conv;
  const { dot, finish, inputOffset } = accumulatorOf(convArithmetic(context, conv), convAccumulation(context, conv));
  const { weights, refresh } = weightsOf(context, filter);
  const out = output.data as Int8Array | Int16Array;
  const row = new Int32Array(depth);
  const perGroup = channels / groups;
  const groupChannels = window.inputChannels / groups;
  return () => {
    refresh();
    let to = 0;
    for (let b = 0; b < window.batches; b++) {
      for (let y = 0; y < window.outputHeight; y++) {
        for (let x = 0; x < window.outputWidth; x++) {
          for (let g = 0; g < groups; g++) {
            gatherPatch(row, input.data, window, b, y, x, g * groupChannels, groupChannels, inputOffset);
            for (let c = g * perGroup; c < (g + 1) * perGroup; c++)
              out[to++] = finish(dot(row, weights, c * depth, depth), c);
          }
        }
      }
    }
  };
}

function prepareDynamicRange(context: OperatorContext): () => void {
  const { input, filter, output, window, channels, groups, depth, activation } = convOf(context);
  const scales = weightScales(context, filter, output, channels);
  const bias = floatBiasOf(context, context.inputs[2], channels);
  const [low, high] = floatLimits(context, activation);
  const weights = filter.data as Int8Array;
  const out = output.data as Float32Array;
  const quantized = new Int8Array(input.count);
  const row = new Int32Array(depth);
  const perGroup = channels / groups;
  const groupChannels = window.inputChannels / groups;
  const perBatch = input.count / window.batches;
  return () => {
    let to = 0;
    for (let b = 0; b < window.batches; b++) {
      const run = quantizeRun(input.data as Float32Array, b * perBatch, perBatch, filter.scale.length > 1, quantized);
      for (let y = 0; y < window.outputHeight; y++) {
        for (let x = 0; x < window.outputWidth; x++) {
          for (let g = 0; g < groups; g++) {
            gatherPatch(row, quantized, window, b, y, x, g * groupChannels, groupChannels, -run.zeroPoint);
            for (let c = g * perGroup; c < (g + 1) * perGroup; c++) {
              const sum = dotInt32(row, weights, c * depth, depth);
              out[to++] = clampFloat(realSum(sum, scales[c] as number, run, bias[c] as number), low, high);
            }
          }
        }
      }
    }
  };
}

function prepareFloat(context: OperatorContext): () => void {
  const { input, filter, output, window, channels, groups, depth, activation } = convOf(context);
  if (filter.type === 'int8') return prepareDynamicRange(context);
  requireType(context, filter, 'float32');
  requireType(context, output, 'float32');
  const bias = floatBiasOf(context, context.inputs[2], channels);
  const [low, high] = floatLimits(context, activation);
  const weights = filter.data as Float32Array;
  const out = output.data as Float32Array;
  const row = new Float32Array(depth);
  const perGroup = channels / groups;
  const groupChannels = window.inputChannels / groups;
  return () => {
    let to = 0;
    for (let b = 0; b < window.batches; b++) {
      for (let y = 0; y < window.outputHeight; y++) {
        for (let x = 0; x < window.outputWidth; x++) {
          for (let g = 0; g < groups; g++) {
            gatherPatch(row, input.data, window, b, y, x, g * groupChannels, groupChannels, 0);
            for (let c = g * perGroup; c < (g + 1) * perGroup; c++) {
              const sum = Math.fround(dotFloat(row, weights, c * depth, depth) + (bias[c] as number));
              out[to++] = clampFloat(sum, low, high);
            }
          }
        }
      }
    }
  };
}

/** In float32 and in the order of the elements, like the reference kernels. */
export function dotFloat(row: Float32Array, weights: Float32Array, from: number, length: number): number {
  let sum = 0;
  for (let i = 0; i < length; i++)
    sum = Math.fround(sum + Math.fround((row[i] as number) * (weights[from + i] as number)));
  return sum;
}

/**
 * CMSIS-NN's convolution scratch: none for 1x1 without padding, otherwise two columns of int16 or four of int8
 * (arm_convolve_get_buffer_sizes_s8.c).
 */
function cmsisScratch({ window, depth, input, output }: Conv, simd: RuntimeKernels['simd']): readonly number[] {
  if (input.type !== 'int8') return [];
  const pointwise =
    window.filterHeight === 1 &&
    window.filterWidth === 1 &&
    window.padTop === 0 &&
    window.padLeft === 0 &&
    window.dilationH === 1 &&
    window.dilationW === 1;
  if (pointwise) return [];
  if (simd !== 'mve') return [4 * alignUp(depth, 4)];
  const row =
    window.inputHeight === 1 && window.filterHeight === 1 && (window.strideW * window.inputChannels) % 4 === 0;
  if (!row) return [4 * alignUp(depth, 16)];
  const columns = output.shape[2] ?? 0;
  const padRight = Math.max(
    0,
    (columns - 1) * window.strideW + window.filterWidth - window.inputWidth - window.padLeft,
  );
  const block = window.filterWidth * window.inputChannels;
  return [
    Math.max(
      block + window.padLeft * window.inputChannels,
      block - window.inputChannels + padRight * window.inputChannels,
    ),
  ];
}

function scratchOf(conv: Conv, { library, simd }: RuntimeKernels): readonly number[] {
  if (library === 'cmsis-nn') return cmsisScratch(conv, simd);
  return library === 'esp-nn' && conv.input.type === 'int8' ? espNnConvScratch(conv, simd) : [];
}

export const conv2d: OperatorFamily = {
  name: 'CONV_2D',
  types: ['float32', 'int8', 'uint8', 'int16'],
  shapes: (context) => {
    const { window, channels } = convOf(context);
    return [windowShape(window, channels)];
  },
  prepare: (context) =>
    byType(context, inputOf(context, 0), {
      float32: prepareFloat,
      int8: prepareInteger,
      uint8: prepareInteger,
      int16: prepareInteger,
    })(context),
  work: (context) => {
    const { window, channels, depth } = convOf(context);
    return { kind: 'conv', macs: window.batches * window.outputHeight * window.outputWidth * channels * depth };
  },
  memory: (context, kernels): OperatorMemory => {
    const conv = convOf(context);
    const perChannel = 4 * conv.channels;
    return {
      options: [28, 4],
      persistent: [kernels.library === 'reference' ? 56 : 60, perChannel, perChannel],
      scratch: scratchOf(conv, kernels),
    };
  },
};
