// L2_NORMALIZATION over the last dimension and L2_POOL_2D. int8 (output scale 1/128, zero point 0): TFLite
// reference_integer_ops::L2Normalization.

import { inverseSquareRoot } from '../arithmetic/inverse-square-root.js';
import { clamp, clampFloat, floatLimits, integerLimits } from './activation.js';
import { rowsOf } from './map.js';
import { elementwiseFamily, invalid, type OperatorContext, optionsOf, quantizationOf } from './operator.js';
import { poolOf, poolShape } from './pool-2d.js';
import { sameShape } from './shapes.js';

const { fround } = Math;

function plainRowsOf(context: OperatorContext) {
  if (optionsOf(context, 'L2NormOptions').fusedActivationFunction !== 0) throw invalid(context, 'a fused activation');
  return rowsOf(context);
}

function prepareFloat(context: OperatorContext): () => void {
  const { input, output, depth, rows } = plainRowsOf(context);
  const from = input.data as Float32Array;
  const to = output.data as Float32Array;
  return () => {
    for (let r = 0; r < rows; r++) {
      let sum = 0;
      for (let i = r * depth; i < (r + 1) * depth; i++) sum = fround(sum + fround((from[i] as number) ** 2));
      const norm = Math.max(fround(Math.sqrt(sum)), fround(1e-6));
      for (let i = r * depth; i < (r + 1) * depth; i++) to[i] = (from[i] as number) / norm;
    }
  };
}

function prepare8(context: OperatorContext): () => void {
  const { input, output, depth, rows } = plainRowsOf(context);
  const { zeroPoint } = quantizationOf(context, input);
  const from = input.data as Int8Array;
  const to = output.data as Int8Array;
  const [low, high] = integerLimits(output);
  const zero = low + 128;
  // The output is in units of 1/128: int8 shifts, uint8 multiplies (TFLite l2normalization.h).
  const [factor, extraShift] = input.type === 'uint8' ? [128, 0] : [1, 7];
  const { requantize } = context.arithmetic;
  return () => {
    for (let r = 0; r < rows; r++) {
      let sum = 0;
      for (let i = r * depth; i < (r + 1) * depth; i++) sum = (sum + ((from[i] as number) - zeroPoint) ** 2) | 0;
      const { multiplier, shift } = inverseSquareRoot(sum);
      for (let i = r * depth; i < (r + 1) * depth; i++) {
        to[i] = clamp(
          requantize(((from[i] as number) - zeroPoint) * factor, multiplier, shift + extraShift) + zero,
          low,
          high,
        );
      }
    }
  };
}

function prepareL2Pool(context: OperatorContext): () => void {
  const { input, output, window, activation } = poolOf(context);
  const [low, high] = floatLimits(context, activation);
  const { batches, inputHeight, inputWidth, inputChannels, outputHeight, outputWidth } = window;
  const from = input.data as Float32Array;
  const to = output.data as Float32Array;
  return () => {
    let at = 0;
    for (let b = 0; b < batches; b++) {
      for (let y = 0; y < outputHeight; y++) {
        const top = y * window.strideH - window.padTop;
        for (let x = 0; x < outputWidth; x++) {
          const left = x * window.strideW - window.padLeft;
          for (let c = 0; c < inputChannels; c++) {
            let [sum, count] = [0, 0];
            for (let inY = Math.max(0, top); inY < Math.min(inputHeight, top + window.filterHeight); inY++) {
              for (let inX = Math.max(0, left); inX < Math.min(inputWidth, left + window.filterWidth); inX++) {
                sum = fround(
                  sum + fround((from[((b * inputHeight + inY) * inputWidth + inX) * inputChannels + c] as number) ** 2),
                );
                count += 1;
              }
            }
            to[at++] = clampFloat(fround(Math.sqrt(fround(sum / count))), low, high);
          }
        }
      }
    }
  };
}

export const l2Normalization = elementwiseFamily(
  'L2_NORMALIZATION',
  sameShape,
  { float32: prepareFloat, int8: prepare8, uint8: prepare8 },
  () => ({
    options: [1, 1],
    persistent: [4],
  }),
);

export const l2Pool2d = elementwiseFamily('L2_POOL_2D', poolShape, { float32: prepareL2Pool }, () => ({
  options: [40, 4],
}));
