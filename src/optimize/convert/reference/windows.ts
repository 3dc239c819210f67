// Convolutions and pools of the reference interpreter, channels last: [batch, height, width, channels].

import { elementAt } from '../../../base/checked.js';
import { floats, type NdArray } from './arrays.js';

/** How a window moves over an image: pairs are for height and width. */
export interface WindowSteps {
  readonly kernel: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
  /** Rows above and columns left of the image that the first windows cover. */
  readonly before: readonly [number, number];
  /** Height and width of the result. */
  readonly output: readonly [number, number];
}

/**
 * @param weights [kernelHeight, kernelWidth, inputChannels / groups, outputChannels]
 * @param bias one per output channel, or null
 */
export function convolved(
  image: NdArray,
  weights: NdArray,
  bias: NdArray | null,
  { kernel, strides, dilations, before, output }: WindowSteps,
  groups = 1,
): NdArray {
  const [batches, height, width, channels] = image.shape as [number, number, number, number];
  const outputChannels = elementAt(weights.shape, 3);
  const groupInputs = channels / groups;
  const groupOutputs = outputChannels / groups;
  const result = floats([batches, output[0], output[1], outputChannels]);
  const [from, factors, to] = [image.data as Float32Array, weights.data as Float32Array, result.data as Float32Array];
  const sums = new Float64Array(outputChannels);
  let at = 0;
  for (let b = 0; b < batches; b++)
    for (let y = 0; y < output[0]; y++)
      for (let x = 0; x < output[1]; x++) {
        if (bias === null) sums.fill(0);
        else sums.set(bias.data as Float32Array);
        for (let ky = 0; ky < kernel[0]; ky++) {
          const row = y * strides[0] - before[0] + ky * dilations[0];
          if (row < 0 || row >= height) continue;
          for (let kx = 0; kx < kernel[1]; kx++) {
            const column = x * strides[1] - before[1] + kx * dilations[1];
            if (column < 0 || column >= width) continue;
            const pixel = ((b * height + row) * width + column) * channels;
            const tap = (ky * kernel[1] + kx) * groupInputs * outputChannels;
            for (let c = 0; c < channels; c++) {
              const value = from[pixel + c] as number;
              const group = Math.floor(c / groupInputs);
              const start = tap + (c % groupInputs) * outputChannels;
              const end = (group + 1) * groupOutputs;
              for (let o = group * groupOutputs; o < end; o++)
                sums[o] = (sums[o] as number) + value * (factors[start + o] as number);
            }
          }
        }
        to.set(sums, at);
        at += outputChannels;
      }
  return result;
}

/**
 * The transpose of a convolution: each input pixel adds the kernel, times its value, to the output.
 * @param weights [kernelHeight, kernelWidth, inputChannels, outputChannels / groups]
 * @param before rows and columns cut off at the start of the output
 */
export function convolvedTransposed(
  image: NdArray,
  weights: NdArray,
  bias: NdArray | null,
  { kernel, strides, dilations, before, output }: WindowSteps,
  groups = 1,
): NdArray {
  const [batches, height, width, channels] = image.shape as [number, number, number, number];
  const groupInputs = channels / groups;
  const groupOutputs = elementAt(weights.shape, 3);
  const outputChannels = groupOutputs * groups;
  const sums = new Float64Array(batches * output[0] * output[1] * outputChannels);
  const [from, factors] = [image.data as Float32Array, weights.data as Float32Array];
  for (let b = 0; b < batches; b++)
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        for (let ky = 0; ky < kernel[0]; ky++) {
          const row = y * strides[0] - before[0] + ky * dilations[0];
          if (row < 0 || row >= output[0]) continue;
          for (let kx = 0; kx < kernel[1]; kx++) {
            const column = x * strides[1] - before[1] + kx * dilations[1];
            if (column < 0 || column >= output[1]) continue;
            const target = ((b * output[0] + row) * output[1] + column) * outputChannels;
            for (let c = 0; c < channels; c++) {
              const value = from[((b * height + y) * width + x) * channels + c] as number;
              const start = ((ky * kernel[1] + kx) * channels + c) * groupOutputs;
              const first = target + Math.floor(c / groupInputs) * groupOutputs;
              for (let o = 0; o < groupOutputs; o++)
                sums[first + o] = (sums[first + o] as number) + value * (factors[start + o] as number);
            }
          }
        }
  if (bias !== null)
    for (let i = 0; i < sums.length; i++) sums[i] = (sums[i] as number) + (bias.data[i % outputChannels] as number);
  return floats([batches, output[0], output[1], outputChannels], Float32Array.from(sums));
}

/** What a pool makes of the values of a window. */
export type PoolKind = 'max' | 'average' | 'average-with-padding';

/** The average is over the pixels inside the image, or over the whole window. */
export function pooled(
  image: NdArray,
  kind: PoolKind,
  { kernel, strides, dilations, before, output }: WindowSteps,
): NdArray {
  const [batches, height, width, channels] = image.shape as [number, number, number, number];
  const result = floats([batches, output[0], output[1], channels]);
  const [from, to] = [image.data as Float32Array, result.data as Float32Array];
  let at = 0;
  for (let b = 0; b < batches; b++)
    for (let y = 0; y < output[0]; y++)
      for (let x = 0; x < output[1]; x++)
        for (let c = 0; c < channels; c++) {
          let [sum, largest, count] = [0, -Infinity, 0];
          for (let ky = 0; ky < kernel[0]; ky++)
            for (let kx = 0; kx < kernel[1]; kx++) {
              const row = y * strides[0] - before[0] + ky * dilations[0];
              const column = x * strides[1] - before[1] + kx * dilations[1];
              if (row < 0 || row >= height || column < 0 || column >= width) continue;
              const value = from[((b * height + row) * width + column) * channels + c] as number;
              sum += value;
              largest = Math.max(largest, value);
              count += 1;
            }
          to[at++] = kind === 'max' ? largest : sum / (kind === 'average' ? count : kernel[0] * kernel[1]);
        }
  return result;
}
