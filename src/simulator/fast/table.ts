// Elementwise operators on one 8-bit tensor: the plain kernel computes all 256 results once, and a table returns them.

import { AtollError } from '../../base/errors.js';
import { operatorFamilies } from '../operators/index.js';
import { quantizeBlock } from '../operators/map.js';
import { type ElementArray, inputOf, type Operand, outputOf } from '../operators/operator.js';
import { addressesOf, type FastKernel } from './fast-kernel.js';

const values = 256;

/**
 * The same operand with data of its own. The original data is not accessed: it does not exist before the memory is
 * created.
 */
export function detached(
  { index, label, type, scale, zeroPoint, axis }: Operand,
  bytes: Uint8Array,
  shape: readonly number[],
): Operand {
  const data: ElementArray = type === 'int8' ? new Int8Array(bytes.buffer) : bytes;
  return {
    index,
    label,
    type,
    scale,
    zeroPoint,
    axis,
    shape,
    count: bytes.length,
    constant: false,
    variable: false,
    address: null,
    data,
  };
}

/** False if the kernel fails for some input value: then no table is built, and the kernel runs on the actual data. */
export function computesAll(step: () => void): boolean {
  try {
    step();
    return true;
  } catch (error) {
    if (error instanceof AtollError && error.code === 'KERNEL_ENDS') return false;
    throw error;
  }
}

export const isByte = ({ type }: Operand): boolean => type === 'int8' || type === 'uint8';

export const fastTable: FastKernel = (context, memory) => {
  const [input, output] = [inputOf(context, 0), outputOf(context)];
  const addresses = addressesOf(input, output);
  if (addresses === null || !isByte(input) || !isByte(output) || input.count !== output.count) return null;
  const family = operatorFamilies.get(context.name);
  if (family === undefined) return null;
  const table = new Uint8Array(values);
  const all = Uint8Array.from({ length: values }, (_, i) => i);
  const step = family.prepare({
    ...context,
    inputs: [detached(input, all, [values])],
    outputs: [detached(output, table, [values])],
  });
  if (!computesAll(step as () => void)) return null;
  const [from, to] = addresses as [number, number];
  if (table.every((result, value) => result === (value ^ 128)))
    return (kernels) => kernels.flipSigns(from, to, input.count);
  const placed = memory.place(table);
  return (kernels) => kernels.tableOf8(from, to, input.count, placed);
};

/** SIMD blocks and the remaining elements may be rounded differently. */
export const fastQuantize: FastKernel = (context, memory) => {
  const { requantize, requantizeBytes } = context.arithmetic;
  return requantize === requantizeBytes || inputOf(context, 0).count % quantizeBlock === 0
    ? fastTable(context, memory)
    : null;
};
