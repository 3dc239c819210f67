// Scratch sizes of ESP-NN's kernels at d45b843c (esp_nn_get_*_scratch_size in src/convolution, src/softmax). For
// convolutions only the kernels for the ESP32-S3's vector unit (PIE) need any; they copy inputs and filters into it,
// padded and aligned.

import { alignUp } from '../../base/alignment.js';
import type { RuntimeKernels } from './operator.js';
import type { Window } from './window.js';

/** Window of an int8 convolution, with its channels. */
interface Convolution {
  readonly window: Window;
  readonly channels: number;
}

/** Columns and rows that a window reads beyond the right and lower edge, with the library's margin. */
function beyond(outputs: number, stride: number, filter: number, inputs: number): number {
  return Math.max(0, outputs * stride + filter - 1 - inputs);
}

export function espNnConvScratch({ window, channels }: Convolution, simd: RuntimeKernels['simd']): readonly number[] {
  if (simd !== 'pie') return [];
  const {
    inputHeight,
    inputWidth,
    inputChannels,
    filterHeight,
    filterWidth,
    padTop,
    padLeft,
    strideH,
    strideW,
    outputHeight,
    outputWidth,
  } = window;
  const margin = 64;
  const pixels = inputHeight * inputWidth;
  const padded = padTop !== 0 || padLeft !== 0;
  if (filterHeight === 1 && filterWidth === 1 && !padded && strideH === 1 && strideW === 1) {
    const depth = alignUp(inputChannels, 8);
    return [(inputChannels % 8 === 0 ? 0 : pixels * depth) + depth * channels + (pixels < 8 ? 0 : 16 * depth) + margin];
  }
  const row = filterWidth * inputChannels;
  if (row < 16 && row * filterHeight >= 16) {
    const column = alignUp(row * filterHeight, 16);
    return [4 * channels + 16 + channels * column + 16 + column + margin];
  }
  const input = padded ? (inputWidth + 2 * padLeft) * (inputHeight + 2 * padTop) * inputChannels : 0;
  const filter = filterWidth * filterHeight * alignUp(inputChannels, 16) * channels;
  const alignedFilter = alignUp(row, 16) * filterHeight * channels;
  const right = beyond(outputWidth, strideW, filterWidth, inputWidth);
  const bottom = beyond(outputHeight, strideH, filterHeight, inputHeight);
  const edges = right > 0 || bottom > 0 ? (inputWidth + right) * (inputHeight + bottom) * inputChannels : 0;
  return [input + filter + alignedFilter + edges + margin + 4 * channels];
}

/** @param multiplier output channels per input channel */
export function espNnDepthwiseScratch(
  { window, channels }: Convolution,
  multiplier: number,
  simd: RuntimeKernels['simd'],
): readonly number[] {
  if (simd !== 'pie') return [];
  const {
    inputHeight,
    inputWidth,
    inputChannels,
    filterHeight,
    filterWidth,
    padTop,
    padLeft,
    strideH,
    strideW,
    outputHeight,
    outputWidth,
  } = window;
  const taps = filterHeight * filterWidth;
  const filter = taps * channels;
  const input = inputHeight * inputWidth * inputChannels;
  if (multiplier === 1 && inputChannels % 8 === 0) {
    if (taps !== 9 || filterHeight !== 3) {
      const whole = 2 * (filter + input);
      return [whole <= 48 * 1024 ? whole + 32 : 2 * filter + 2 * inputWidth * filterHeight * inputChannels + 32];
    }
    if (inputChannels === 8) return [2 * (filter + input) + 32];
    const padded = padLeft !== 0 || padTop !== 0;
    if (inputChannels % 16 === 0) {
      const wide = inputWidth + (padded ? 2 * padLeft : outputWidth * strideW + 2 - inputWidth);
      const high = inputHeight + (padded ? 2 * padTop : outputHeight * strideH + 2 - inputHeight);
      if (wide === inputWidth && high === inputHeight) return [filter + 16];
      const whole = wide * high * inputChannels;
      return [filter + (whole <= 40 * 1024 ? whole : wide * filterHeight * inputChannels) + 16];
    }
    const depth = alignUp(inputChannels, 16);
    const wide = inputWidth + 2 * padLeft + beyond(outputWidth, strideW, 3, inputWidth);
    const high = inputHeight + 2 * padTop + beyond(outputHeight, strideH, 3, inputHeight);
    return [9 * depth + wide * high * depth + outputWidth * outputHeight * depth + 64];
  }
  if (multiplier === 1 && inputChannels > 3) {
    const depth = alignUp(inputChannels, 8);
    let bytes = alignUp(2 * taps * depth, 16);
    bytes = alignUp(bytes + 2 * inputHeight * inputWidth * depth, 16);
    bytes = alignUp(bytes + outputHeight * outputWidth * depth, 16);
    return [bytes + 12 * depth + 16];
  }
  return multiplier % 4 === 0 ? [2 * (filter + input) + 32] : [32];
}
