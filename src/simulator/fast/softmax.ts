// SOFTMAX in int8, in fixed point.

import { inputOf, outputOf } from '../operators/operator.js';
import { exponentialsOf } from '../operators/softmax.js';
import { addressesOf, type FastKernel } from './fast-kernel.js';

/** With more elements the last shift may exceed 31 bits, which gemmlowp does not define. */
const maxRowLength = 511;

export const fastSoftmax: FastKernel = (context, memory) => {
  const [input, output] = [inputOf(context, 0), outputOf(context)];
  const addresses = addressesOf(input, output);
  const depth = input.shape.at(-1) ?? 0;
  if (
    input.type !== 'int8' ||
    output.type !== 'int8' ||
    addresses === null ||
    context.arithmetic.softmaxInFloat ||
    depth > maxRowLength
  )
    return null;
  const { exponentials, rounded } = exponentialsOf(context);
  const tables = memory.place(Int32Array.of(...exponentials, ...rounded));
  const [from, to] = addresses as [number, number];
  return (kernels) => kernels.softmaxInt8(from, to, input.count / depth, depth, tables);
};
