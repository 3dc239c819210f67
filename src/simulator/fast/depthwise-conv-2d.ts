// DEPTHWISE_CONV_2D in int8, int16x8 and float32, with one output channel per input channel and at least 8 of them; or
// with one input channel, which is a convolution.

import type { LinearMemory } from '../kernels/index.js';
import { floatLimits } from '../operators/activation.js';
import { type Depthwise, depthwiseAccumulation, depthwiseOf } from '../operators/depthwise-conv-2d.js';
import type { OperatorContext } from '../operators/operator.js';
import { floatBiasOf } from '../operators/requantize.js';
import type { Window } from '../operators/window.js';
import { addressesOf, type FastKernel, type FastStep } from './fast-kernel.js';
import { placeWindow } from './packed-window.js';
import { depthwisePanels, floatPanels, int8Panels, neighbourPanels, panelChannels } from './panels.js';
import { paddedFilters, wideConstants } from './weights-int16.js';

export const fastDepthwiseConv2d: FastKernel = (context, memory) => {
  const conv = depthwiseOf(context);
  const addresses = addressesOf(conv.input, conv.output);
  if (addresses === null || !conv.filter.constant || context.inputs[2]?.constant === false) return null;
  const isConvolution = conv.window.inputChannels === 1;
  if (!isConvolution && (conv.multiplier !== 1 || conv.channels < panelChannels)) return null;
  const [input, output] = addresses as [number, number];
  if (conv.input.type === 'int8') return int8Step(context, memory, conv, isConvolution, input, output);
  if (conv.input.type === 'int16') return int16Step(context, memory, conv, isConvolution, input, output);
  if (conv.input.type === 'float32') return floatStep(context, memory, conv, isConvolution, input, output);
  return null;
};

function int8Step(
  context: OperatorContext,
  memory: LinearMemory,
  conv: Depthwise,
  isConvolution: boolean,
  input: number,
  output: number,
): FastStep | null {
  const { window, channels } = conv;
  const taps = window.filterHeight * window.filterWidth;
  const { bias, multipliers, inputZero, outputZero, low, high, wide } = depthwiseAccumulation(context, conv);
  if (wide) return null;
  const filter = conv.filter.data as Int8Array;
  const weight = (channel: number, tap: number): number => filter[tap * channels + channel] as number;
  const limits = { zero: outputZero, low, high };
  const weights = {
    weight,
    channels,
    depth: taps,
    bias: bias as Int32Array,
    inputZero,
    multipliers,
    requantize: context.arithmetic.depthwise.requantize,
    limits,
  };
  const geometry = placeWindow(memory, window);
  if (isConvolution) {
    const packed = int8Panels(weights);
    if (packed === null) return null;
    const placed = memory.place(packed);
    memory.needScratch(16 + (64 + 32) * Math.ceil(taps / 8));
    return (kernels, scratch) =>
      kernels.convInt8(
        geometry,
        input,
        output,
        placed,
        scratch,
        taps,
        0,
        1,
        channels,
        0,
        channels,
        inputZero,
        low,
        high,
      );
  }
  const packed = depthwisePanels(weights);
  if (packed === null) return null;
  const headers = memory.place(packed.headers);
  const values = memory.place(packed.values);
  // Address 0 means none: no data is stored there.
  const neighbours = isNeighbourly(window) ? memory.place(neighbourPanels(weight, channels)) : 0;
  memory.needScratch(16 * Math.ceil(taps / 2) + channels);
  return (kernels, scratch) =>
    kernels.depthwiseInt8(geometry, input, output, headers, values, neighbours, scratch, inputZero, low, high);
}

/** Whether the kernel that computes two neighbours at once applies. */
function isNeighbourly({ filterHeight, filterWidth, strideW, dilationH, dilationW }: Window): boolean {
  return filterHeight === 3 && filterWidth === 3 && strideW <= 2 && dilationH === 1 && dilationW === 1;
}

function int16Step(
  context: OperatorContext,
  memory: LinearMemory,
  conv: Depthwise,
  isConvolution: boolean,
  input: number,
  output: number,
): FastStep | null {
  const { window, channels } = conv;
  const taps = window.filterHeight * window.filterWidth;
  const accumulation = depthwiseAccumulation(context, conv);
  const filter = conv.filter.data as Int8Array;
  const filters = {
    weight: (channel: number, tap: number): number => filter[tap * channels + channel] as number,
    channels,
    depth: taps,
  };
  const constants = wideConstants(filters, accumulation, context.arithmetic.depthwise.requantizeWide);
  if (constants === null) return null;
  const geometry = placeWindow(memory, window);
  const constantsAt = memory.place(constants);
  const { low, high } = accumulation;
  if (isConvolution) {
    const weightsAt = memory.place(paddedFilters(filters));
    memory.needScratch(16 + 2 * Math.ceil(taps / 8) * 8);
    return (kernels, scratch) =>
      kernels.convInt16(
        geometry,
        input,
        output,
        weightsAt,
        constantsAt,
        scratch,
        taps,
        0,
        1,
        channels,
        0,
        channels,
        low,
        high,
      );
  }
  const weightsAt = memory.place(filter);
  memory.needScratch(4 * taps + 16 + 32 + 2 * channels);
  return (kernels, scratch) =>
    kernels.depthwiseInt16(geometry, input, output, weightsAt, constantsAt, scratch, low, high);
}

function floatStep(
  context: OperatorContext,
  memory: LinearMemory,
  conv: Depthwise,
  isConvolution: boolean,
  input: number,
  output: number,
): FastStep | null {
  const { window, channels } = conv;
  const taps = window.filterHeight * window.filterWidth;
  if (conv.filter.type !== 'float32' || conv.output.type !== 'float32') return null;
  const bias = floatBiasOf(context, context.inputs[2], channels);
  const [low, high] = floatLimits(context, conv.activation);
  const filter = conv.filter.data as Float32Array;
  const geometry = placeWindow(memory, window);
  const panels = memory.place(
    floatPanels(channels, taps, bias, (channel, tap) => filter[tap * channels + channel] as number),
  );
  if (isConvolution) {
    memory.needScratch(16 + 32 * taps);
    return (kernels, scratch) =>
      kernels.convFloat(geometry, input, output, panels, scratch, taps, 0, 1, channels, 0, channels, low, high);
  }
  memory.needScratch(8 * taps + 16 + 4 * channels);
  return (kernels, scratch) => kernels.depthwiseFloat(geometry, input, output, panels, scratch, low, high);
}
