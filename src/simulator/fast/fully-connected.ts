// FULLY_CONNECTED in int8, int16x8 and float32.

import type { LinearMemory } from '../kernels/index.js';
import { weightsZero } from '../operators/accumulator.js';
import { floatLimits } from '../operators/activation.js';
import { type Dense, denseAccumulation, denseArithmetic, denseOf } from '../operators/fully-connected.js';
import type { OperatorContext } from '../operators/operator.js';
import { floatBiasOf } from '../operators/requantize.js';
import { addressesOf, type FastKernel, type FastStep } from './fast-kernel.js';
import { floatPanels, int8Panels } from './panels.js';
import { paddedFilters, wideConstants } from './weights-int16.js';

export const fastFullyConnected: FastKernel = (context, memory) => {
  const dense = denseOf(context);
  const addresses = addressesOf(dense.input, dense.output);
  if (addresses === null || !dense.filter.constant || context.inputs[2]?.constant === false) return null;
  if (dense.input.type !== 'float32' && weightsZero(context, dense.filter) !== 0) return null;
  const [input, output] = addresses as [number, number];
  if (dense.input.type === 'int8') return int8Step(context, memory, dense, input, output);
  if (dense.input.type === 'int16') return int16Step(context, memory, dense, input, output);
  if (dense.input.type === 'float32') return floatStep(context, memory, dense, input, output);
  return null;
};

function int8Step(
  context: OperatorContext,
  memory: LinearMemory,
  dense: Dense,
  input: number,
  output: number,
): FastStep | null {
  const { rows, depth, units } = dense;
  const { bias, multipliers, inputZero, outputZero, low, high, wide } = denseAccumulation(context, dense);
  if (wide) return null;
  const filter = dense.filter.data as Int8Array;
  const packed = int8Panels({
    weight: (unit, i) => filter[unit * depth + i] as number,
    channels: units,
    depth,
    bias: bias as Int32Array,
    inputZero,
    multipliers,
    requantize: denseArithmetic(context, dense).requantize,
    limits: { zero: outputZero, low, high },
  });
  if (packed === null) return null;
  const placed = memory.place(packed);
  memory.needScratch(64 * Math.ceil(depth / 8));
  return (kernels, scratch) => kernels.denseInt8(input, output, placed, scratch, rows, depth, units, low, high);
}

function int16Step(
  context: OperatorContext,
  memory: LinearMemory,
  dense: Dense,
  input: number,
  output: number,
): FastStep | null {
  const { rows, depth, units } = dense;
  const accumulation = denseAccumulation(context, dense);
  const filter = dense.filter.data as Int8Array;
  const filters = {
    weight: (unit: number, i: number): number => filter[unit * depth + i] as number,
    channels: units,
    depth,
  };
  const constants = wideConstants(filters, accumulation, denseArithmetic(context, dense).requantizeWide);
  if (constants === null) return null;
  const [weightsAt, constantsAt] = [memory.place(paddedFilters(filters)), memory.place(constants)];
  memory.needScratch(2 * Math.ceil(depth / 8) * 8);
  const { low, high } = accumulation;
  return (kernels, scratch) =>
    kernels.denseInt16(input, output, weightsAt, constantsAt, scratch, rows, depth, units, low, high);
}

function floatStep(
  context: OperatorContext,
  memory: LinearMemory,
  dense: Dense,
  input: number,
  output: number,
): FastStep | null {
  const { rows, depth, units } = dense;
  if (dense.filter.type !== 'float32' || dense.output.type !== 'float32') return null;
  const bias = floatBiasOf(context, context.inputs[2], units);
  const [low, high] = floatLimits(context, dense.activation);
  const filter = dense.filter.data as Float32Array;
  const panels = memory.place(floatPanels(units, depth, bias, (unit, i) => filter[unit * depth + i] as number));
  memory.needScratch(16 * depth);
  return (kernels, scratch) => kernels.denseFloat(input, output, panels, scratch, rows, depth, units, low, high);
}
