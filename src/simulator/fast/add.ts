// ADD in int8, of two tensors of the same shape.

import { multiplyDoubleRounding, type QuantizedMultiplier } from '../arithmetic/fixed-point.js';
import { addOf } from '../operators/add.js';
import { inputOf, outputOf } from '../operators/operator.js';
import { addressesOf, type FastKernel } from './fast-kernel.js';

const kernelStep = 8;

export const fastAdd: FastKernel = (context, memory) => {
  const [a, b, output] = [inputOf(context, 0), inputOf(context, 1), outputOf(context)];
  const addresses = addressesOf(a, b, output);
  const alike = a.count === output.count && b.count === output.count;
  if (a.type !== 'int8' || addresses === null || !alike || output.count < kernelStep || context.arithmetic.requantize !== multiplyDoubleRounding) return null;
  const { zeros, first, second, result, low, high, extraBits } = addOf(context);
  const scales = [shifted(first, extraBits), shifted(second, extraBits), shifted(result, 0)];
  if (scales.some((scale) => scale === null) || result.shift > -1) return null;
  const [forA, forB, forOutput] = scales as [Shifted, Shifted, Shifted];
  const placed = memory.place(
    Int32Array.of(
      ...[zeros.a, forA.multiplier, forA.shift],
      ...[zeros.b, forB.multiplier, forB.shift],
      ...[forOutput.multiplier, forOutput.shift, zeros.output, low, high],
      ...[forA.extraBits, forB.extraBits],
    ),
  );
  const [addressA, addressB, addressOutput] = addresses as [number, number, number];
  return (kernels) => kernels.addInt8(placed, addressA, addressB, addressOutput, output.count);
};

interface Shifted {
  readonly multiplier: number;
  readonly shift: number;
  readonly extraBits: number;
}

/** The kernel shifts right by at least 1. A half, which the input of the larger scale is multiplied by, is twice that and shifted. */
function shifted({ multiplier, shift }: QuantizedMultiplier, extraBits: number): Shifted | null {
  if (shift < 0) return { multiplier, shift: -shift, extraBits };
  return shift === 0 && multiplier === 2 ** 30 ? { multiplier, shift: 1, extraBits: extraBits + 1 } : null;
}
