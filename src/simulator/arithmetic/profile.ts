// Kernel profiles: whose integer arithmetic is reproduced. A profile is a table of primitives; the kernels call them
// and are otherwise the same.

import { multiplyDoubleRounding } from './fixed-point.js';

export interface Arithmetic {
  /** x * multiplier * 2^(shift - 31), rounded to int32. */
  readonly requantize: (x: number, multiplier: number, shift: number) => number;
}

/** The profiles that outside vectors prove; more follow with theirs. */
export const kernelProfiles = {
  'tflm-reference': { requantize: multiplyDoubleRounding },
} as const satisfies Record<string, Arithmetic>;

export type KernelProfile = keyof typeof kernelProfiles;

export const defaultKernelProfile: KernelProfile = 'tflm-reference';
