// Kernel profiles: whose integer arithmetic is reproduced. A profile is a table of primitives; the kernels call them
// and are otherwise the same.

import { multiplyDoubleRounding, multiplySingleRounding, multiplyWide } from './fixed-point.js';

export interface Arithmetic {
  /** x * multiplier * 2^(shift - 31), rounded to int32. */
  readonly requantize: Requantize;
  /** The same for accumulators of 64 bits. */
  readonly requantizeWide: Requantize;
  /** FULLY_CONNECTED, for accumulators of 32 and 64 bits. */
  readonly dense: { readonly requantize: Requantize; readonly requantizeWide: Requantize };
  /** What is kept of the ratios of the scales in SUB. */
  readonly subRatio: (ratio: number) => number;
  /** Whether ADD in int32 clamps to its fused activation. */
  readonly clampsInt32Add: boolean;
  /** Whether the state of UNIDIRECTIONAL_SEQUENCE_LSTM lasts from one invocation to the next. */
  readonly keepsLstmState: boolean;
  /** What an int16 SOFTMAX gives for a row of one element: 1, or what its missing last clamp makes of that. */
  readonly softmaxOfOne: number;
}

export type Requantize = (x: number, multiplier: number, shift: number) => number;

const twice = { requantize: multiplyDoubleRounding, requantizeWide: multiplyWide };
const tflm = { ...twice, dense: twice, subRatio: Math.fround, clampsInt32Add: false, keepsLstmState: true, softmaxOfOne: 32767 };
const tflite = {
  ...twice,
  dense: { requantize: multiplySingleRounding, requantizeWide: multiplySingleRounding },
  subRatio: (ratio: number): number => ratio,
  clampsInt32Add: true,
  keepsLstmState: true,
  softmaxOfOne: 32767,
};

/**
 * tflm-reference is TFLM at commit 90b983c2 (August 2026) without TFLITE_SINGLE_ROUNDING; later versions move some ties of SUB
 * and LEAKY_RELU. tflite-reference is TensorFlow 2.21 with BUILTIN_REF. cmsis-nn is TFLM with CMSIS-NN at 4ab83cc3, double rounding, which
 * was measured to be tflm-reference but for what stands here; `check` warns of differences that depend on shapes.
 */
export const kernelProfiles = {
  'tflm-reference': tflm,
  'tflite-reference': tflite,
  'cmsis-nn': { ...tflm, keepsLstmState: false, softmaxOfOne: -32768 },
} as const satisfies Record<string, Arithmetic>;

export type KernelProfile = keyof typeof kernelProfiles;

export const defaultKernelProfile: KernelProfile = 'tflm-reference';
