// DEPTHWISE_CONV_2D. Input [n, h, w, ic], filter [1, kh, kw, ic * multiplier], output [n, oh, ow, ic * multiplier].
// int8, int16: TFLite reference_integer_ops::DepthwiseConvPerChannel; float32: reference_ops::DepthwiseConv; float32
// with int8 weights: dynamic-range.ts.

import { type Accumulation, accumulationOf, accumulatorOf, type Weights, weightsOf } from './accumulator.js';
import { clampFloat, floatLimits } from './activation.js';
import { type QuantizedRun, quantizeRun, realSum, weightScales } from './dynamic-range.js';
import { espNnDepthwiseScratch } from './esp-nn.js';
import {
  byType,
  type ElementArray,
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
import { channelMultipliers, floatBiasOf } from './requantize.js';
import { type Window, windowOf, windowShape } from './window.js';

export interface Depthwise {
  readonly input: Operand;
  readonly filter: Operand;
  readonly output: Operand;
  readonly window: Window;
  readonly channels: number;
  readonly multiplier: number;
  readonly activation: number;
}

export function depthwiseOf(context: OperatorContext): Depthwise {
  const input = inputOf(context, 0);
  const filter = inputOf(context, 1);
  const output = outputOf(context);
  const options = optionsOf(context, 'DepthwiseConv2DOptions');
  requireRank(context, filter, 4);
  const [one, height, width, channels] = filter.shape as [number, number, number, number];
  const window = windowOf(context, input, [height, width], options);
  const multiplier = channels / window.inputChannels;
  if (one !== 1 || !Number.isInteger(multiplier) || multiplier < 1) {
    throw invalid(context, `a filter of shape [${filter.shape.join(', ')}] for ${window.inputChannels} channels`);
  }
  return { input, filter, output, window, channels, multiplier, activation: options.fusedActivationFunction };
}

/**
 * Sums one output channel at one position. `offsetOf` a batch is added to every input; `round` is applied to every
 * product and sum: identity for integers, float32 for floats.
 */
function summation(
  conv: Depthwise,
  input: ElementArray,
  weights: Weights | Float32Array,
  offsetOf: (batch: number) => number,
  round: (value: number) => number,
): (batch: number, y: number, x: number, channel: number) => number {
  const { window, channels, multiplier } = conv;
  const { inputHeight, inputWidth, inputChannels, filterHeight, filterWidth, dilationH, dilationW } = window;
  return (batch, y, x, channel) => {
    const inputChannel = multiplier === 1 ? channel : Math.floor(channel / multiplier);
    const top = y * window.strideH - window.padTop;
    const left = x * window.strideW - window.padLeft;
    const offset = offsetOf(batch);
    let sum = 0;
    for (let ky = 0; ky < filterHeight; ky++) {
      const inY = top + ky * dilationH;
      if (inY < 0 || inY >= inputHeight) continue;
      for (let kx = 0; kx < filterWidth; kx++) {
        const inX = left + kx * dilationW;
        if (inX < 0 || inX >= inputWidth) continue;
        const value =
          (input[((batch * inputHeight + inY) * inputWidth + inX) * inputChannels + inputChannel] as number) + offset;
        sum = round(sum + round(value * (weights[(ky * filterWidth + kx) * channels + channel] as number)));
      }
    }
    return sum;
  };
}

export function depthwiseAccumulation(context: OperatorContext, conv: Depthwise): Accumulation {
  const multipliers = channelMultipliers(context, conv.input, conv.filter, conv.output, conv.channels);
  return accumulationOf(context, { ...conv, bias: context.inputs[2] }, multipliers);
}

function prepareInteger(context: OperatorContext): () => void {
  const conv = depthwiseOf(context);
  const { depthwise, depthwiseUint8 } = context.arithmetic;
  const { finish, inputOffset } = accumulatorOf(
    conv.input.type === 'uint8' ? depthwiseUint8 : depthwise,
    depthwiseAccumulation(context, conv),
  );
  const out = conv.output.data as Int8Array | Int16Array;
  const { weights, refresh } = weightsOf(context, conv.filter);
  const sumOf = summation(
    conv,
    conv.input.data,
    weights,
    () => inputOffset,
    (value) => value,
  );
  return () => {
    refresh();
    forEachOutput(conv.window, conv.channels, (b, y, x, c, to) => {
      out[to] = finish(sumOf(b, y, x, c), c);
    });
  };
}

function prepareDynamicRange(context: OperatorContext, conv: Depthwise): () => void {
  const { input, filter, output, window, channels } = conv;
  // TFLite reads a scale for each channel, even if there is only one.
  if (filter.scale.length !== channels)
    throw invalid(context, `weights ${filter.label} need a scale for each of ${channels} channels`);
  const scales = weightScales(context, filter, output, channels);
  const bias = floatBiasOf(context, context.inputs[2], channels);
  const [low, high] = floatLimits(context, conv.activation);
  const out = output.data as Float32Array;
  const quantized = new Int8Array(input.count);
  const perBatch = input.count / window.batches;
  let runs: readonly QuantizedRun[] = [];
  const runOf = (batch: number): QuantizedRun => runs[batch] as QuantizedRun;
  const sumOf = summation(
    conv,
    quantized,
    filter.data as Int8Array,
    (batch) => -runOf(batch).zeroPoint,
    (value) => value,
  );
  return () => {
    runs = Array.from({ length: window.batches }, (_, b) =>
      quantizeRun(input.data as Float32Array, b * perBatch, perBatch, true, quantized),
    );
    forEachOutput(window, channels, (b, y, x, c, to) => {
      out[to] = clampFloat(realSum(sumOf(b, y, x, c), scales[c] as number, runOf(b), bias[c] as number), low, high);
    });
  };
}

function prepareFloat(context: OperatorContext): () => void {
  const conv = depthwiseOf(context);
  if (conv.filter.type === 'int8') return prepareDynamicRange(context, conv);
  requireType(context, conv.filter, 'float32');
  requireType(context, conv.output, 'float32');
  const bias = floatBiasOf(context, context.inputs[2], conv.channels);
  const [low, high] = floatLimits(context, conv.activation);
  const out = conv.output.data as Float32Array;
  const sumOf = summation(conv, conv.input.data, conv.filter.data as Float32Array, () => 0, Math.fround);
  return () =>
    forEachOutput(conv.window, conv.channels, (b, y, x, c, to) => {
      const sum = Math.fround(sumOf(b, y, x, c) + (bias[c] as number));
      out[to] = clampFloat(sum, low, high);
    });
}

function forEachOutput(
  window: Window,
  channels: number,
  visit: (batch: number, y: number, x: number, channel: number, index: number) => void,
): void {
  let to = 0;
  for (let b = 0; b < window.batches; b++) {
    for (let y = 0; y < window.outputHeight; y++) {
      for (let x = 0; x < window.outputWidth; x++) {
        for (let c = 0; c < channels; c++) visit(b, y, x, c, to++);
      }
    }
  }
}

/** CMSIS-NN's depthwise scratch (arm_depthwise_conv_get_buffer_sizes_s8.c). */
function cmsisScratch(
  { window, channels, multiplier, input }: Depthwise,
  simd: RuntimeKernels['simd'],
): readonly number[] {
  if (input.type !== 'int8' || multiplier !== 1 || window.dilationH !== 1 || window.dilationW !== 1) return [];
  const taps = window.filterHeight * window.filterWidth;
  if (simd === 'mve') return [4 * 124 * taps];
  const special3x3 = window.filterHeight === 3 && window.filterWidth === 3 && window.padTop <= 1 && window.padLeft <= 1;
  return simd === 'dsp' && !special3x3 ? [2 * channels * taps] : [];
}

function scratchOf(conv: Depthwise, { library, simd }: RuntimeKernels): readonly number[] {
  if (library === 'cmsis-nn') return cmsisScratch(conv, simd);
  return library === 'esp-nn' && conv.input.type === 'int8' ? espNnDepthwiseScratch(conv, conv.multiplier, simd) : [];
}

export const depthwiseConv2d: OperatorFamily = {
  name: 'DEPTHWISE_CONV_2D',
  types: ['float32', 'int8', 'uint8', 'int16'],
  shapes: (context) => {
    const { window, channels } = depthwiseOf(context);
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
    const { window, channels } = depthwiseOf(context);
    return {
      kind: 'depthwise',
      macs:
        window.batches * window.outputHeight * window.outputWidth * channels * window.filterHeight * window.filterWidth,
    };
  },
  memory: (context, kernels): OperatorMemory => {
    const conv = depthwiseOf(context);
    const perChannel = 4 * conv.channels;
    return {
      options: [28, 4],
      persistent: [kernels.library === 'reference' ? 56 : 60, perChannel, perChannel],
      scratch: scratchOf(conv, kernels),
    };
  },
};
