// Kernel profiles: whose integer arithmetic is reproduced. A profile is a table of primitives; the kernels call them
// and are otherwise the same.

import { multiplyDoubleRounding, multiplyWide } from './fixed-point.js';

export interface Arithmetic {
  /** x * multiplier * 2^(shift - 31), rounded to int32. */
  readonly requantize: (x: number, multiplier: number, shift: number) => number;
  /** The same for accumulators of 64 bits. */
  readonly requantizeWide: (x: number, multiplier: number, shift: number) => number;
  /** Whether the fast kernels, which round twice, compute `requantize`. */
  readonly fast: boolean;
  /** Whether ADD in int32 clamps to its fused activation. */
  readonly clampsInt32Add: boolean;
}

/**
 * The profiles that outside vectors prove; more follow with theirs. tflm-reference is TFLM at commit 90b983c2 (August 2026)
 * without TFLITE_SINGLE_ROUNDING; later versions move some ties of SUB and LEAKY_RELU.
 */
export const kernelProfiles = {
  'tflm-reference': { requantize: multiplyDoubleRounding, requantizeWide: multiplyWide, fast: true, clampsInt32Add: false },
} as const satisfies Record<string, Arithmetic>;

export type KernelProfile = keyof typeof kernelProfiles;

export const defaultKernelProfile: KernelProfile = 'tflm-reference';
