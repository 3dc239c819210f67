// MEAN over the spatial dimensions of an int8 tensor with at least 8 channels: the sums are computed here, the rest by
// the plain kernel.

import { constantIntegers } from '../operators/axes.js';
import { inputOf, outputOf } from '../operators/operator.js';
import { quantizedMeanOf } from '../operators/reduce.js';
import { addressesOf, type FastKernel } from './fast-kernel.js';
import { panelChannels } from './panels.js';

export const fastMean: FastKernel = (context, memory) => {
  const [input, output] = [inputOf(context, 0), outputOf(context)];
  const addresses = addressesOf(input, output);
  if (input.type !== 'int8' || input.shape.length !== 4 || addresses === null) return null;
  const [batches, height, width, channels] = input.shape as [number, number, number, number];
  const axes = constantIntegers(context, inputOf(context, 1)).map((axis) => (axis < 0 ? axis + 4 : axis));
  if (channels < panelChannels || new Set(axes).size !== 2 || !axes.includes(1) || !axes.includes(2)) return null;
  const finish = quantizedMeanOf(context);
  const sumsAt = memory.reserve(4 * batches * channels);
  const [from] = addresses as [number];
  let sums: Int32Array | null = null;
  return (kernels) => {
    kernels.channelSumsInt8(from, batches, height * width, channels, sumsAt);
    sums ??= new Int32Array(memory.buffer, sumsAt, batches * channels);
    const to = output.data as Int8Array;
    for (let i = 0; i < to.length; i++) to[i] = finish(sums[i] as number, i);
  };
};
