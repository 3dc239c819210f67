// FULLY_CONNECTED. Input [..., depth] read as rows, filter [units, depth], bias [units], output rows of `units`. int8,
// int16: TFLite reference_integer_ops::FullyConnected and FullyConnectedPerChannel, as TFLM calls them; float32 with
// int8 weights: dynamic-range.ts.

import { elementCount } from '../../formats/tflite/index.js';
import { quantizeMultiplier } from '../arithmetic/fixed-point.js';
import type { DenseArithmetic } from '../arithmetic/profile.js';
import { type Accumulation, accumulationOf, accumulatorOf, dotInt32, weightsOf } from './accumulator.js';
import { clampFloat, floatLimits } from './activation.js';
import { dotFloat } from './conv-2d.js';
import { quantizeRun, realSum, weightScales } from './dynamic-range.js';
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
  quantizationOf,
  requireRank,
  requireType,
} from './operator.js';
import { type ChannelMultipliers, channelMultipliers, floatBiasOf } from './requantize.js';

export interface Dense {
  readonly input: Operand;
  readonly filter: Operand;
  readonly output: Operand;
  readonly rows: number;
  readonly units: number;
  readonly depth: number;
  readonly activation: number;
}

export function denseOf(context: OperatorContext): Dense {
  const input = inputOf(context, 0);
  const filter = inputOf(context, 1);
  const output = outputOf(context);
  const options = optionsOf(context, 'FullyConnectedOptions');
  if (options.weightsFormat !== 0) throw invalid(context, 'shuffled weights are not supported');
  requireRank(context, filter, 2);
  const [units, depth] = filter.shape as [number, number];
  const rows = elementCount(input.shape) / depth;
  if (!Number.isInteger(rows))
    throw invalid(context, `an input of shape [${input.shape.join(', ')}] does not divide into rows of ${depth}`);
  return { input, filter, output, rows, units, depth, activation: options.fusedActivationFunction };
}

/**
 * With one scale for the whole filter, TFLite multiplies the two scales in float32 (GetQuantizedConvolutionMultipler).
 */
function multipliers(context: OperatorContext, { input, filter, output, units }: Dense): ChannelMultipliers {
  if (filter.scale.length !== 1) return channelMultipliers(context, input, filter, output, units);
  const [inputScale, filterScale, outputScale] = [
    quantizationOf(context, input).scale,
    filter.scale[0] as number,
    quantizationOf(context, output).scale,
  ];
  const { multiplier, shift } = quantizeMultiplier(Math.fround(inputScale * filterScale) / outputScale);
  return {
    multiplier: new Int32Array(units).fill(multiplier),
    shift: new Int32Array(units).fill(shift),
    real: new Float64Array(units).fill((inputScale * filterScale) / outputScale),
  };
}

export function denseAccumulation(context: OperatorContext, dense: Dense): Accumulation {
  const { quantizedBiasType } = optionsOf(context, 'FullyConnectedOptions');
  const { int16In32Bits } = denseArithmetic(context, dense);
  const operation = { ...dense, channels: dense.units, bias: context.inputs[2], quantizedBiasType, int16In32Bits };
  return accumulationOf(context, operation, multipliers(context, dense));
}

export function denseArithmetic({ arithmetic }: OperatorContext, { input, filter }: Dense): DenseArithmetic {
  const shifted = input.type === 'int16' && filter.zeroPoint.some((zero) => zero !== 0);
  return shifted ? arithmetic.denseInt16WithZeroPoint : arithmetic.dense;
}

function prepareInteger(context: OperatorContext): () => void {
  const dense = denseOf(context);
  const { input, filter, output, rows, units, depth } = dense;
  const { dot, finish, inputOffset } = accumulatorOf(
    denseArithmetic(context, dense),
    denseAccumulation(context, dense),
  );
  const values = input.data as Int8Array | Int16Array;
  const { weights, refresh } = weightsOf(context, filter);
  const out = output.data as Int8Array | Int16Array;
  const row = new Int32Array(depth);
  return () => {
    refresh();
    for (let r = 0; r < rows; r++) {
      for (let i = 0; i < depth; i++) row[i] = (values[r * depth + i] as number) + inputOffset;
      for (let u = 0; u < units; u++) out[r * units + u] = finish(dot(row, weights, u * depth, depth), u);
    }
  };
}

function prepareDynamicRange(context: OperatorContext): () => void {
  const { input, filter, output, rows, units, depth, activation } = denseOf(context);
  const scales = weightScales(context, filter, output, units);
  const bias = floatBiasOf(context, context.inputs[2], units);
  const [low, high] = floatLimits(context, activation);
  const { asymmetricQuantizeInputs } = optionsOf(context, 'FullyConnectedOptions');
  const weights = filter.data as Int8Array;
  const out = output.data as Float32Array;
  const quantized = new Int8Array(input.count);
  const row = new Int32Array(depth);
  return () => {
    for (let r = 0; r < rows; r++) {
      const run = quantizeRun(input.data as Float32Array, r * depth, depth, asymmetricQuantizeInputs, quantized);
      for (let i = 0; i < depth; i++) row[i] = (quantized[r * depth + i] as number) - run.zeroPoint;
      for (let u = 0; u < units; u++) {
        const sum = dotInt32(row, weights, u * depth, depth);
        out[r * units + u] = clampFloat(realSum(sum, scales[u] as number, run, bias[u] as number), low, high);
      }
    }
  };
}

function prepareFloat(context: OperatorContext): () => void {
  const { input, filter, output, rows, units, depth, activation } = denseOf(context);
  if (filter.type === 'int8') return prepareDynamicRange(context);
  requireType(context, filter, 'float32');
  requireType(context, output, 'float32');
  const bias = floatBiasOf(context, context.inputs[2], units);
  const [low, high] = floatLimits(context, activation);
  const values = input.data as Float32Array;
  const weights = filter.data as Float32Array;
  const out = output.data as Float32Array;
  return () => {
    for (let r = 0; r < rows; r++) {
      const row = values.subarray(r * depth, (r + 1) * depth);
      for (let u = 0; u < units; u++) {
        const sum = Math.fround(dotFloat(row, weights, u * depth, depth) + (bias[u] as number));
        out[r * units + u] = clampFloat(sum, low, high);
      }
    }
  };
}

export const fullyConnected: OperatorFamily = {
  name: 'FULLY_CONNECTED',
  types: ['float32', 'int8', 'uint8', 'int16'],
  shapes: (context) => {
    const { input, rows, units, depth } = denseOf(context);
    if (!optionsOf(context, 'FullyConnectedOptions').keepNumDims) return [[rows, units]];
    if (input.shape.at(-1) !== depth)
      throw invalid(context, `an input of shape [${input.shape.join(', ')}] for filters of ${depth}`);
    return [input.shape.with(-1, units)];
  },
  // Older files do not set keepNumDims and yet keep the dimensions.
  takesStoredShape: true,
  prepare: (context) =>
    byType(context, inputOf(context, 0), {
      float32: prepareFloat,
      int8: prepareInteger,
      uint8: prepareInteger,
      int16: prepareInteger,
    })(context),
  work: (context) => {
    const { rows, units, depth } = denseOf(context);
    return { kind: 'fullyConnected', macs: rows * units * depth };
  },
  memory: (context, kernels): OperatorMemory => {
    const { filter, input, units } = denseOf(context);
    const cmsisNn = kernels.library === 'cmsis-nn';
    const perChannel = filter.scale.length > 1 ? [4 * units, 4 * units] : [];
    const kernelSums = cmsisNn && kernels.simd === 'mve' && input.type === 'int8' ? [4 * units] : [];
    return { options: [5, 1], persistent: [cmsisNn ? 72 : 48, ...perChannel, ...kernelSums] };
  },
};
