// The interface of a file in this folder: a WebAssembly version of an operator that the plain kernels compute too, with
// the same bits.

import type { Kernels, LinearMemory } from '../kernels/index.js';
import type { Operand, OperatorContext } from '../operators/operator.js';

/** Computes the operator. `scratch` is the address of the shared scratch region. */
export type FastStep = (kernels: Kernels, scratch: number) => void;

/**
 * Prepares the kernel's data. Returns null if there is no fast kernel for this case; the plain one is then used. Throws
 * what the plain kernel's preparation throws.
 */
export type FastKernel = (context: OperatorContext, memory: LinearMemory) => FastStep | null;

/** Addresses of computed tensors; null if one of them is a constant. */
export function addressesOf(...operands: readonly Operand[]): number[] | null {
  const addresses = operands.flatMap(({ address }) => (address === null ? [] : [address]));
  return addresses.length === operands.length ? addresses : null;
}
