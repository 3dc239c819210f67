// CONV_2D in int8, int16x8 and float32.

import type { LinearMemory } from '../kernels/index.js';
import { floatLimits } from '../operators/activation.js';
import { type Conv, convAccumulation, convArithmetic, convOf } from '../operators/conv-2d.js';
import type { OperatorContext } from '../operators/operator.js';
import { floatBiasOf } from '../operators/requantize.js';
import { addressesOf, type FastKernel, type FastStep } from './fast-kernel.js';
import { placeWindow } from './packed-window.js';
import { floatPanels, int8Panels } from './panels.js';
import { paddedFilters, wideConstants } from './weights-int16.js';

export const fastConv2d: FastKernel = (context, memory) => {
  const conv = convOf(context);
  const addresses = addressesOf(conv.input, conv.output);
  if (addresses === null || !conv.filter.constant || context.inputs[2]?.constant === false) return null;
  const [input, output] = addresses as [number, number];
  const groups = Array.from({ length: conv.groups }, (_, group) => groupOf(conv, group));
  if (conv.input.type === 'int8') return int8Step(context, memory, conv, groups, input, output);
  if (conv.input.type === 'int16') return int16Step(context, memory, conv, groups, input, output);
  if (conv.input.type === 'float32') return floatStep(context, memory, conv, groups, input, output);
  return null;
};

interface Group {
  readonly firstInput: number;
  readonly firstOutput: number;
}

function groupOf(conv: Conv, group: number): Group {
  return {
    firstInput: (group * conv.window.inputChannels) / conv.groups,
    firstOutput: (group * conv.channels) / conv.groups,
  };
}

function int8Step(
  context: OperatorContext,
  memory: LinearMemory,
  conv: Conv,
  groups: readonly Group[],
  input: number,
  output: number,
): FastStep | null {
  const { window, depth, channels } = conv;
  const { bias, multipliers, inputZero, outputZero, low, high, wide } = convAccumulation(context, conv);
  if (wide) return null;
  const filter = conv.filter.data as Int8Array;
  const perGroup = channels / conv.groups;
  const panels = groups.map(({ firstOutput }) =>
    int8Panels({
      weight: (channel, i) => filter[(firstOutput + channel) * depth + i] as number,
      channels: perGroup,
      depth,
      bias: bias.subarray(firstOutput) as Int32Array,
      inputZero,
      multipliers: {
        multiplier: multipliers.multiplier.subarray(firstOutput),
        shift: multipliers.shift.subarray(firstOutput),
        real: multipliers.real.subarray(firstOutput),
      },
      requantize: convArithmetic(context, conv).requantize,
      limits: { zero: outputZero, low, high },
    }),
  );
  if (panels.some((packed) => packed === null)) return null;
  const geometry = placeWindow(memory, window);
  const placed = panels.map((packed) => memory.place(packed as Uint8Array));
  memory.needScratch(16 + (64 + 32) * Math.ceil(depth / 8));
  const groupChannels = window.inputChannels / conv.groups;
  const calls = groups.map(({ firstInput, firstOutput }, g) => ({
    operands: [geometry, input, output, placed[g] as number],
    counts: [depth, firstInput, groupChannels, channels, firstOutput, perGroup, inputZero, low, high],
  }));
  return (kernels, scratch) => {
    for (const { operands, counts } of calls) kernels.convInt8(...operands, scratch, ...counts);
  };
}

function int16Step(
  context: OperatorContext,
  memory: LinearMemory,
  conv: Conv,
  groups: readonly Group[],
  input: number,
  output: number,
): FastStep | null {
  const { window, depth, channels } = conv;
  const accumulation = convAccumulation(context, conv);
  const filter = conv.filter.data as Int8Array;
  const filters = {
    weight: (channel: number, i: number): number => filter[channel * depth + i] as number,
    channels,
    depth,
  };
  const constants = wideConstants(filters, accumulation, convArithmetic(context, conv).requantizeWide);
  if (constants === null) return null;
  const geometry = placeWindow(memory, window);
  const [weightsAt, constantsAt] = [memory.place(paddedFilters(filters)), memory.place(constants)];
  const padded = Math.ceil(depth / 8) * 8;
  memory.needScratch(16 + 2 * padded);
  const [perGroup, groupChannels] = [channels / conv.groups, window.inputChannels / conv.groups];
  const { low, high } = accumulation;
  const calls = groups.map(({ firstInput, firstOutput }) => ({
    operands: [geometry, input, output, weightsAt + firstOutput * padded, constantsAt + 16 * firstOutput],
    counts: [depth, firstInput, groupChannels, channels, firstOutput, perGroup, low, high],
  }));
  return (kernels, scratch) => {
    for (const { operands, counts } of calls) kernels.convInt16(...operands, scratch, ...counts);
  };
}

function floatStep(
  context: OperatorContext,
  memory: LinearMemory,
  conv: Conv,
  groups: readonly Group[],
  input: number,
  output: number,
): FastStep | null {
  const { window, depth, channels } = conv;
  if (conv.filter.type !== 'float32' || conv.output.type !== 'float32') return null;
  const bias = floatBiasOf(context, context.inputs[2], channels);
  const [low, high] = floatLimits(context, conv.activation);
  const filter = conv.filter.data as Float32Array;
  const perGroup = channels / conv.groups;
  const geometry = placeWindow(memory, window);
  const placed = groups.map(({ firstOutput }) =>
    memory.place(
      floatPanels(
        perGroup,
        depth,
        bias.subarray(firstOutput),
        (channel, i) => filter[(firstOutput + channel) * depth + i] as number,
      ),
    ),
  );
  memory.needScratch(16 + 32 * depth);
  const groupChannels = window.inputChannels / conv.groups;
  return (kernels, scratch) => {
    groups.forEach(({ firstInput, firstOutput }, g) => {
      kernels.convFloat(
        geometry,
        input,
        output,
        placed[g] as number,
        scratch,
        depth,
        firstInput,
        groupChannels,
        channels,
        firstOutput,
        perGroup,
        low,
        high,
      );
    });
  };
}
