// SOFTMAX in int8, in fixed point.

import { inputOf, outputOf } from '../operators/operator.js';
import { exponentialsOf } from '../operators/softmax.js';
import { addressesOf, type FastKernel } from './fast-kernel.js';

/** A row's sum of exponentials, each at most 2^19, must fit 31 bits. */
const longestRow = 4095;

export const fastSoftmax: FastKernel = (context, memory) => {
  const [input, output] = [inputOf(context, 0), outputOf(context)];
  const addresses = addressesOf(input, output);
  const depth = input.shape.at(-1) ?? 0;
  if (input.type !== 'int8' || output.type !== 'int8' || addresses === null || context.arithmetic.softmaxInFloat || depth > longestRow) return null;
  const { exponentials, rounded } = exponentialsOf(context);
  const tables = memory.place(Int32Array.of(...exponentials, ...rounded));
  const [from, to] = addresses as [number, number];
  return (kernels) => kernels.softmaxInt8(from, to, input.count / depth, depth, tables);
};
