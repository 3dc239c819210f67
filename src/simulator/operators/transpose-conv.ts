// TRANSPOSE_CONV. Inputs: the output's shape, filter [oc, kh, kw, ic], input [n, h, w, ic], bias [oc]. Every input
// element is scattered to the outputs that it influences. int8, int16: TFLite reference_integer_ops::TransposeConv;
// float32: reference_ops::TransposeConv.

import { type Accumulation, accumulationOf, accumulatorOf, type Weights, weightsOf } from './accumulator.js';
import { clampFloat, floatLimits } from './activation.js';
import { quantizeBlock } from './map.js';
import {
  byType,
  inputOf,
  invalid,
  type Operand,
  type OperatorContext,
  type OperatorFamily,
  optionsOf,
  outputOf,
  requireRank,
  requireType,
} from './operator.js';
import { channelMultipliers, floatBiasOf } from './requantize.js';
import { asShape, knownIntegers } from './shapes.js';
import { paddingOf } from './window.js';

interface TransposeConv {
  readonly input: Operand;
  readonly filter: Operand;
  readonly output: Operand;
  readonly channels: number;
  readonly strideH: number;
  readonly strideW: number;
  readonly padTop: number;
  readonly padLeft: number;
  readonly activation: number;
}

function convOf(context: OperatorContext): TransposeConv {
  const [filter, input, output] = [inputOf(context, 1), inputOf(context, 2), outputOf(context)];
  const { padding, strideH, strideW, fusedActivationFunction } = optionsOf(context, 'TransposeConvOptions');
  requireRank(context, filter, 4);
  requireRank(context, input, 4);
  requireRank(context, output, 4);
  const [channels, filterHeight, filterWidth, depth] = filter.shape as [number, number, number, number];
  const [batches, inputHeight, inputWidth, inputDepth] = input.shape as [number, number, number, number];
  const [outputBatches, outputHeight, outputWidth, outputDepth] = output.shape as [number, number, number, number];
  if (depth !== inputDepth || channels !== outputDepth || batches !== outputBatches) {
    throw invalid(
      context,
      `a filter [${filter.shape.join(', ')}] between [${input.shape.join(', ')}] and [${output.shape.join(', ')}]`,
    );
  }
  if (strideH < 1 || strideW < 1) throw invalid(context, 'stride must be at least 1');
  const vertical = paddingOf(outputHeight, filterHeight, strideH, padding);
  const horizontal = paddingOf(outputWidth, filterWidth, strideW, padding);
  if (vertical.output !== inputHeight || horizontal.output !== inputWidth) {
    throw invalid(
      context,
      `an output of ${outputHeight} x ${outputWidth} does not come from ${inputHeight} x ${inputWidth}`,
    );
  }
  return {
    input,
    filter,
    output,
    channels,
    strideH,
    strideW,
    padTop: vertical.pad,
    padLeft: horizontal.pad,
    activation: fusedActivationFunction,
  };
}

/** Sums every output element in the reference kernel's order; `round` is applied to every product and sum. */
function scatter(
  conv: TransposeConv,
  weights: Weights | Float32Array,
  offset: number,
  round: (value: number) => number,
  sums: Float64Array,
): void {
  const { strideH, strideW, padTop, padLeft } = conv;
  const [batches, inputHeight, inputWidth, depth] = conv.input.shape as [number, number, number, number];
  const [channels, filterHeight, filterWidth] = conv.filter.shape as [number, number, number];
  const [, outputHeight, outputWidth] = conv.output.shape as [number, number, number];
  const input = conv.input.data as Int8Array;
  sums.fill(0);
  let from = 0;
  for (let b = 0; b < batches; b++) {
    for (let inY = 0; inY < inputHeight; inY++) {
      for (let inX = 0; inX < inputWidth; inX++) {
        for (let d = 0; d < depth; d++) {
          const value = (input[from++] as number) + offset;
          for (let ky = 0; ky < filterHeight; ky++) {
            const y = inY * strideH - padTop + ky;
            if (y < 0 || y >= outputHeight) continue;
            for (let kx = 0; kx < filterWidth; kx++) {
              const x = inX * strideW - padLeft + kx;
              if (x < 0 || x >= outputWidth) continue;
              const to = ((b * outputHeight + y) * outputWidth + x) * channels;
              for (let c = 0; c < channels; c++) {
                const weight = weights[((c * filterHeight + ky) * filterWidth + kx) * depth + d] as number;
                sums[to + c] = round((sums[to + c] as number) + round(value * weight));
              }
            }
          }
        }
      }
    }
  }
}

function accumulation(context: OperatorContext, conv: TransposeConv): Accumulation {
  const multipliers = channelMultipliers(context, conv.input, conv.filter, conv.output, conv.channels);
  return accumulationOf(context, { ...conv, bias: context.inputs[3] }, multipliers);
}

function prepareInteger(context: OperatorContext): () => void {
  const conv = convOf(context);
  const { depthwise, depthwiseUint8, transposeUint8 } = context.arithmetic;
  const uint8 = conv.input.type === 'uint8';
  const numbers = accumulation(context, conv);
  const { finish, inputOffset } = accumulatorOf(uint8 ? depthwiseUint8 : depthwise, numbers);
  const inBlocks = accumulatorOf({ ...depthwiseUint8, requantize: transposeUint8 }, numbers);
  const blocksEnd = uint8 ? conv.output.count - (conv.output.count % quantizeBlock) : 0;
  const sums = new Float64Array(conv.output.count);
  const to = conv.output.data as Int8Array | Int16Array;
  const { weights, refresh } = weightsOf(context, conv.filter);
  return () => {
    refresh();
    scatter(conv, weights, inputOffset, (value) => value, sums);
    for (let i = 0; i < to.length; i++)
      to[i] = (i < blocksEnd ? inBlocks.finish : finish)(sums[i] as number, i % conv.channels);
  };
}

function prepareFloat(context: OperatorContext): () => void {
  const conv = convOf(context);
  requireType(context, conv.filter, 'float32');
  requireType(context, conv.output, 'float32');
  const bias = floatBiasOf(context, context.inputs[3], conv.channels);
  const [low, high] = floatLimits(context, conv.activation);
  const sums = new Float64Array(conv.output.count);
  const to = conv.output.data as Float32Array;
  return () => {
    scatter(conv, conv.filter.data as Float32Array, 0, Math.fround, sums);
    for (let i = 0; i < to.length; i++)
      to[i] = clampFloat(Math.fround((sums[i] as number) + (bias[i % conv.channels] as number)), low, high);
  };
}

export const transposeConv: OperatorFamily = {
  name: 'TRANSPOSE_CONV',
  types: ['float32', 'int8', 'uint8', 'int16'],
  // TFLM uses the output's shape in the file even if the first input is computed.
  shapes: (context) => asShape(knownIntegers(inputOf(context, 0))),
  prepare: (context) =>
    byType(context, inputOf(context, 2), {
      float32: prepareFloat,
      int8: prepareInteger,
      uint8: prepareInteger,
      int16: prepareInteger,
    })(context),
  work: (context) => {
    const { input, filter } = convOf(context);
    return { kind: 'conv', macs: (input.count * filter.count) / (filter.shape[3] ?? 1) };
  },
  memory: (context) => {
    const { input, output, channels } = convOf(context);
    const integer = input.type !== 'float32';
    const bias = context.inputs[3];
    return {
      options: [16, 4],
      persistent: [76, ...(integer ? [4 * channels, 4 * channels] : [])],
      scratch: [
        ...(integer ? [(input.type === 'int16' ? 8 : 4) * output.count] : []),
        ...(bias?.type === 'int16' ? [8 * bias.count] : []),
      ],
    };
  },
};
