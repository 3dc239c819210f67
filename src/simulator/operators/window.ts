// Geometry of convolutions and pools over NHWC tensors: output size and padding as TFLite computes them
// (tensorflow/lite/kernels/padding.h).

import { Padding } from '../../formats/tflite/index.js';
import { invalid, type Operand, type OperatorContext, requireRank } from './operator.js';

export interface WindowOptions {
  readonly padding: number;
  readonly strideH: number;
  readonly strideW: number;
  readonly dilationHFactor?: number;
  readonly dilationWFactor?: number;
}

export interface Window {
  readonly batches: number;
  readonly inputHeight: number;
  readonly inputWidth: number;
  readonly inputChannels: number;
  readonly outputHeight: number;
  readonly outputWidth: number;
  readonly filterHeight: number;
  readonly filterWidth: number;
  readonly strideH: number;
  readonly strideW: number;
  readonly dilationH: number;
  readonly dilationW: number;
  readonly padTop: number;
  readonly padLeft: number;
}

/** @throws OPERATOR_INVALID */
export function windowOf(
  context: OperatorContext,
  input: Operand,
  filter: readonly [height: number, width: number],
  options: WindowOptions,
): Window {
  requireRank(context, input, 4);
  const [batches, inputHeight, inputWidth, inputChannels] = input.shape as [number, number, number, number];
  const [filterHeight, filterWidth] = filter;
  const { strideH, strideW, dilationHFactor: dilationH = 1, dilationWFactor: dilationW = 1 } = options;
  if (strideH < 1 || strideW < 1 || dilationH < 1 || dilationW < 1)
    throw invalid(context, 'stride and dilation must be at least 1');
  if (filterHeight < 1 || filterWidth < 1 || inputHeight < 1 || inputWidth < 1)
    throw invalid(context, 'an empty window or input');
  // Positions are 32-bit, here and on the device.
  const farthest = Math.max(
    strideH * inputHeight + dilationH * filterHeight,
    strideW * inputWidth + dilationW * filterWidth,
  );
  if (farthest >= 2 ** 30) throw invalid(context, 'stride or dilation reach too far');
  const same = options.padding === Padding.SAME;
  const vertical = along(inputHeight, filterHeight, strideH, dilationH, same);
  const horizontal = along(inputWidth, filterWidth, strideW, dilationW, same);
  if (vertical.output < 1 || horizontal.output < 1) throw invalid(context, 'its window is larger than its input');
  return {
    batches,
    inputHeight,
    inputWidth,
    inputChannels,
    outputHeight: vertical.output,
    outputWidth: horizontal.output,
    filterHeight,
    filterWidth,
    strideH,
    strideW,
    dilationH,
    dilationW,
    padTop: vertical.pad,
    padLeft: horizontal.pad,
  };
}

/** The shape of the output; pools keep the channels. */
export function windowShape(
  { batches, outputHeight, outputWidth, inputChannels }: Window,
  outputChannels = inputChannels,
): readonly number[] {
  return [batches, outputHeight, outputWidth, outputChannels];
}

/** Along one dimension without dilation: the output size from the options, and the padding before the image. */
export function paddingOf(
  input: number,
  filter: number,
  stride: number,
  padding: number,
): { output: number; pad: number } {
  return along(input, filter, stride, 1, padding === Padding.SAME);
}

function along(
  input: number,
  filter: number,
  stride: number,
  dilation: number,
  same: boolean,
): { output: number; pad: number } {
  const extent = (filter - 1) * dilation + 1;
  const output = same ? Math.ceil(input / stride) : Math.max(0, Math.ceil((input - extent + 1) / stride));
  const pad = Math.max(0, Math.floor(((output - 1) * stride + extent - input) / 2));
  return { output, pad };
}
