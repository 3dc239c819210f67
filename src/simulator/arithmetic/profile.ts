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

export interface ProfileDifference {
  readonly operator: string;
  readonly arithmetic: Readonly<Record<KernelProfile, string>>;
  readonly source: string;
}

const doubleRounding = 'double rounding';

/** Where the profiles' arithmetic differs; everywhere else it is one and the same. For the reference pages. */
export const profileDifferences: readonly ProfileDifference[] = [
  {
    operator: 'FULLY_CONNECTED',
    arithmetic: { 'tflm-reference': doubleRounding, 'tflite-reference': 'single rounding, ties upwards, also of 64-bit sums', 'cmsis-nn': doubleRounding },
    source: 'measured: TensorFlow 2.21 BUILTIN_REF, all 12,000 outputs of the kws model',
  },
  {
    operator: 'SUB int8, int16',
    arithmetic: {
      'tflm-reference': 'ratios of scales in float32',
      'tflite-reference': 'ratios of scales in double',
      'cmsis-nn': 'ratios of scales in float32',
    },
    source: 'TFLM sub_common.cc at 90b983c2; vectors of TensorFlow 2.21',
  },
  {
    operator: 'ADD int32',
    arithmetic: { 'tflm-reference': 'no fused activation', 'tflite-reference': 'fused activation', 'cmsis-nn': 'no fused activation' },
    source: 'TFLM add.cc; vectors of TensorFlow 2.21',
  },
  {
    operator: 'UNIDIRECTIONAL_SEQUENCE_LSTM',
    arithmetic: {
      'tflm-reference': 'state lasts',
      'tflite-reference': 'state lasts (float32 only is proven)',
      'cmsis-nn': 'state is reset by every invocation',
    },
    source: 'measured: tflite-micro 90b983c2 with CMSIS-NN 4ab83cc3 on emulated Cortex-M4',
  },
  {
    operator: 'SOFTMAX int16, rows of one element',
    arithmetic: { 'tflm-reference': '32767', 'tflite-reference': '32767', 'cmsis-nn': '-32768' },
    source: 'measured: tflite-micro 90b983c2 with CMSIS-NN 4ab83cc3',
  },
];
