// AVERAGE_POOL_2D and MAX_POOL_2D over NHWC tensors. The average divides by the elements inside the image, rounding
// half away from zero (TFLite reference_integer_ops::AveragePool); quantized input and output share their scale.

import type { OperatorName } from '../../formats/tflite/index.js';
import { clamp, clampFloat, float32Max, floatLimits, quantizedLimits } from './activation.js';
import {
  elementwiseFamily,
  inputOf,
  type Operand,
  type OperatorContext,
  type OperatorFamily,
  optionsOf,
  outputOf,
  requireType,
  type ShapeRule,
} from './operator.js';
import { type Window, windowOf, windowShape } from './window.js';

interface Pool {
  readonly input: Operand;
  readonly output: Operand;
  readonly window: Window;
  readonly activation: number;
}

export function poolOf(context: OperatorContext): Pool {
  const input = inputOf(context, 0);
  const output = outputOf(context);
  const options = optionsOf(context, 'Pool2DOptions');
  requireType(context, output, input.type);
  const window = windowOf(context, input, [options.filterHeight, options.filterWidth], options);
  return { input, output, window, activation: options.fusedActivationFunction };
}

export const poolShape: ShapeRule = (context) => [windowShape(poolOf(context).window)];

/** Folds the elements of each window inside the image; the final step receives their count. */
function poolWith(
  pool: Pool,
  first: number,
  fold: (acc: number, value: number) => number,
  finish: (acc: number, count: number) => number,
): () => void {
  const { input, output, window } = pool;
  const { batches, inputHeight, inputWidth, inputChannels, outputHeight, outputWidth, filterHeight, filterWidth } =
    window;
  const from = input.data as Float32Array;
  const to = output.data as Float32Array;
  return () => {
    let at = 0;
    for (let b = 0; b < batches; b++) {
      for (let y = 0; y < outputHeight; y++) {
        const top = Math.max(0, y * window.strideH - window.padTop);
        const bottom = Math.min(inputHeight, y * window.strideH - window.padTop + filterHeight);
        for (let x = 0; x < outputWidth; x++) {
          const left = Math.max(0, x * window.strideW - window.padLeft);
          const right = Math.min(inputWidth, x * window.strideW - window.padLeft + filterWidth);
          for (let c = 0; c < inputChannels; c++) {
            let acc = first;
            for (let inY = top; inY < bottom; inY++) {
              const rowStart = (b * inputHeight + inY) * inputWidth;
              for (let inX = left; inX < right; inX++)
                acc = fold(acc, from[(rowStart + inX) * inputChannels + c] as number);
            }
            to[at++] = finish(acc, (bottom - top) * (right - left));
          }
        }
      }
    }
  };
}

const sum = (acc: number, value: number): number => acc + value;
const floatSum = (acc: number, value: number): number => Math.fround(acc + value);
/** C++'s std::max(acc, value): ignores a NaN value. */
const largest = (acc: number, value: number): number => (acc < value ? value : acc);

function prepareAverageInteger(context: OperatorContext): () => void {
  const pool = poolOf(context);
  const [low, high] = quantizedLimits(context, pool.output, pool.activation);
  return poolWith(pool, 0, sum, (acc, count) => {
    const half = Math.trunc(count / 2);
    return clamp(Math.trunc((acc > 0 ? acc + half : acc - half) / count), low, high);
  });
}

function prepareAverageFloat(context: OperatorContext): () => void {
  const pool = poolOf(context);
  const [low, high] = floatLimits(context, pool.activation);
  return poolWith(pool, 0, floatSum, (acc, count) => clampFloat(Math.fround(acc / count), low, high));
}

function prepareMaxInteger(context: OperatorContext): () => void {
  const pool = poolOf(context);
  const [low, high] = quantizedLimits(context, pool.output, pool.activation);
  return poolWith(pool, -Infinity, largest, (acc) => clamp(acc, low, high));
}

function prepareMaxFloat(context: OperatorContext): () => void {
  const pool = poolOf(context);
  const [low, high] = floatLimits(context, pool.activation);
  // The runtimes start with the lowest finite float32.
  return poolWith(pool, -float32Max, largest, (acc) => clampFloat(acc, low, high));
}

function poolFamily(
  name: OperatorName,
  prepareInteger: OperatorFamily['prepare'],
  prepareFloat: OperatorFamily['prepare'],
  average: boolean,
): OperatorFamily {
  return elementwiseFamily(
    name,
    poolShape,
    { float32: prepareFloat, int8: prepareInteger, uint8: prepareInteger, int16: prepareInteger },
    (context, kernels) => ({
      options: [40, 4],
      persistent: [kernels.library === 'cmsis-nn' ? 36 : 32],
      scratch:
        average && kernels.library === 'cmsis-nn' && kernels.simd === 'dsp' && inputOf(context, 0).type === 'int8'
          ? [4 * (inputOf(context, 0).shape[3] ?? 0)]
          : [],
    }),
  );
}

export const averagePool2d = poolFamily('AVERAGE_POOL_2D', prepareAverageInteger, prepareAverageFloat, true);
export const maxPool2d = poolFamily('MAX_POOL_2D', prepareMaxInteger, prepareMaxFloat, false);
