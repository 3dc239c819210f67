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
  if (
    a.type !== 'int8' ||
    addresses === null ||
    !alike ||
    output.count < kernelStep ||
    context.arithmetic.requantize !== multiplyDoubleRounding ||
    context.arithmetic.pairsInBlocks
  )
    return null;
  const { zeros, first, second, result, low, high, extraBits } = addOf(context);
  const operands = [
    { scale: first, zero: zeros.a, address: addresses[0] as number },
    { scale: second, zero: zeros.b, address: addresses[1] as number },
  ];
  const [exact, other] = (isHalf(first) ? operands : operands.toReversed()) as [Side, Side];
  if (!isHalf(exact.scale) || result.shift > -1) return null;
  const scaled = shifted(other.scale, extraBits);
  if (scaled === null) return null;
  const scales = memory.place(
    Int32Array.of(
      ...[exact.zero, extraBits - 1],
      ...[other.zero, scaled.extraBits, scaled.multiplier, scaled.shift],
      ...[result.multiplier, -result.shift, zeros.output, low, high],
    ),
  );
  return (kernels) => kernels.addInt8(scales, exact.address, other.address, addresses[2] as number, output.count);
};

interface Side {
  readonly scale: QuantizedMultiplier;
  readonly zero: number;
  readonly address: number;
}

const isHalf = ({ multiplier, shift }: QuantizedMultiplier): boolean => multiplier === 2 ** 30 && shift === 0;

interface Shifted {
  readonly multiplier: number;
  readonly shift: number;
  readonly extraBits: number;
}

/** The kernel shifts right by at least 1, so a factor of one half is a smaller left shift. */
function shifted(scale: QuantizedMultiplier, extraBits: number): Shifted | null {
  if (scale.shift < 0) return { multiplier: scale.multiplier, shift: -scale.shift, extraBits };
  return isHalf(scale) ? { multiplier: scale.multiplier, shift: 1, extraBits: extraBits + 1 } : null;
}
