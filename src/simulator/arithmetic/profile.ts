// Kernel profiles: whose integer arithmetic is reproduced. A profile is a table of primitives; the kernels call them
// and are otherwise the same.

import { multiplyDoubleRounding, multiplyRoundingUp, multiplyWide, roundHalfAway, roundHalfEven } from './fixed-point.js';

export interface Arithmetic {
  /** x * multiplier * 2^(shift - 31), rounded to int32. */
  readonly requantize: Requantize;
  /** The same for accumulators of 64 bits. */
  readonly requantizeWide: Requantize;
  readonly convolution: ChannelArithmetic;
  /** DEPTHWISE_CONV_2D and TRANSPOSE_CONV. */
  readonly depthwise: ChannelArithmetic;
  /** The same in uint8. */
  readonly depthwiseUint8: ChannelArithmetic;
  readonly dense: ChannelArithmetic;
  /** QUANTIZE from one 8-bit type to another, in whole blocks of 16 elements. */
  readonly requantizeBytes: Requantize;
  /** QUANTIZE from float32: the whole number that a value at an index, of so many, becomes before the zero point is added. */
  readonly quantizeFloat: (scale: number, count: number) => (value: number, index: number) => number;
  /** How 8-bit MEAN over height and width ends: the zero points apart from the sum, where true. */
  readonly meanAddsBias: boolean;
  /** 8-bit SOFTMAX from a table of exp in float32, where true. */
  readonly softmaxInFloat: boolean;
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

/** For sums of operators with weights. `real` is what multiplier and shift approximate; the rest says which channel it is, of how many. */
export type ChannelRequantize = (sum: number, multiplier: number, shift: number, real: number, channel: number, channels: number) => number;

/** For accumulators of 32 and of 64 bits. */
export interface ChannelArithmetic {
  readonly requantize: ChannelRequantize;
  readonly requantizeWide: ChannelRequantize;
}

const twice: ChannelArithmetic = { requantize: multiplyDoubleRounding, requantizeWide: multiplyWide };
const inDouble: ChannelRequantize = (sum, _multiplier, _shift, real) => roundHalfAway(sum * real);
/** SIMD does blocks of 8 channels, scalar code the rest. */
const upInBlocks: ChannelRequantize = (sum, multiplier, shift, _real, channel, channels) =>
  (channel < channels - (channels % 8) ? multiplyRoundingUp : multiplyDoubleRounding)(sum, multiplier, shift);

/** Blocks of 8 elements are rounded to even. */
function byInverse(scale: number, count: number): (value: number, index: number) => number {
  const inverse = Math.fround(1 / scale);
  const inBlocks = count - (count % 8);
  return (value, index) => (index < inBlocks ? roundHalfEven : roundHalfAway)(Math.fround(value * inverse));
}

const tflm: Arithmetic = {
  requantize: multiplyDoubleRounding,
  requantizeWide: multiplyWide,
  convolution: twice,
  depthwise: twice,
  depthwiseUint8: twice,
  dense: twice,
  requantizeBytes: multiplyDoubleRounding,
  quantizeFloat: (scale) => (value) => roundHalfAway(Math.fround(value / scale)),
  meanAddsBias: false,
  softmaxInFloat: false,
  subRatio: Math.fround,
  clampsInt32Add: false,
  keepsLstmState: true,
  softmaxOfOne: 32767,
};
const tflite: Arithmetic = {
  ...tflm,
  dense: { requantize: inDouble, requantizeWide: inDouble },
  subRatio: (ratio) => ratio,
  clampsInt32Add: true,
};

/**
 * tflm-reference is TFLM at commit 90b983c2 (August 2026) without TFLITE_SINGLE_ROUNDING; later versions move some ties of SUB
 * and LEAKY_RELU. tflite-reference is TensorFlow 2.21 with BUILTIN_REF, tflite-optimized the same on x86-64 with its builtin kernels and
 * without XNNPACK. cmsis-nn is TFLM with CMSIS-NN at 4ab83cc3, double rounding, which was measured to be tflm-reference but for what stands
 * here; `check` warns of differences that depend on shapes.
 */
export const kernelProfiles = {
  'tflm-reference': tflm,
  'tflite-reference': tflite,
  'tflite-optimized': {
    ...tflite,
    convolution: { ...twice, requantize: multiplyRoundingUp },
    depthwise: { ...twice, requantize: upInBlocks },
    dense: { requantize: multiplyRoundingUp, requantizeWide: inDouble },
    requantizeBytes: multiplyRoundingUp,
    quantizeFloat: byInverse,
    meanAddsBias: true,
    softmaxInFloat: true,
  },
  'cmsis-nn': { ...tflm, keepsLstmState: false, softmaxOfOne: -32768 },
} as const satisfies Record<string, Arithmetic>;

export type KernelProfile = keyof typeof kernelProfiles;

export const defaultKernelProfile: KernelProfile = 'tflm-reference';

export interface ProfileDifference {
  readonly operators: readonly string[];
  /** The element types, or what else, it is about; empty for all. */
  readonly where: string;
  readonly arithmetic: Readonly<Record<KernelProfile, string>>;
  readonly source: string;
}

const twiceRounded = 'rounded twice, the second time ties away from zero';
const upwards = 'rounded twice, the second time ties upwards';
const probes = 'measured: sums halfway between two results, test/fixtures/operators/cases/ties.js';

type Row = readonly [tflmReference: string, tfliteReference: string, tfliteOptimized: string, cmsisNn: string];

function difference(operators: readonly string[], where: string, row: Row, source: string): ProfileDifference {
  const [tflmReference, tfliteReference, tfliteOptimized, cmsisNn] = row;
  const arithmetic = { 'tflm-reference': tflmReference, 'tflite-reference': tfliteReference, 'tflite-optimized': tfliteOptimized, 'cmsis-nn': cmsisNn };
  return { operators, where, arithmetic, source };
}

/** Where the profiles' arithmetic differs; everywhere else it is one and the same. For the reference pages. */
export const profileDifferences: readonly ProfileDifference[] = [
  difference(['CONV_2D'], 'int8, uint8', [twiceRounded, twiceRounded, upwards, twiceRounded], probes),
  difference(['DEPTHWISE_CONV_2D', 'TRANSPOSE_CONV'], 'int8', [twiceRounded, twiceRounded, `${upwards} in whole blocks of 8 channels`, twiceRounded], probes),
  difference(
    ['FULLY_CONNECTED'],
    'int8',
    [twiceRounded, 'sum times the quotient of the scales in double, ties away from zero', upwards, twiceRounded],
    `${probes}; all 12,000 outputs of the kws model`,
  ),
  difference(
    ['FULLY_CONNECTED'],
    'int16',
    ['rounded once, ties upwards', 'sum times the quotient of the scales in double, ties away from zero', 'as tflite-reference', 'rounded once, ties upwards'],
    probes,
  ),
  difference(['QUANTIZE'], 'between 8-bit types', [twiceRounded, twiceRounded, `${upwards} in whole blocks of 16 elements`, twiceRounded], probes),
  difference(
    ['QUANTIZE'],
    'from float32',
    ['divided by the scale', 'divided by the scale', 'multiplied by its inverse, ties to even in whole blocks of 8 elements', 'divided by the scale'],
    'measured: TensorFlow 2.21',
  ),
  difference(
    ['MEAN'],
    'int8, uint8, over height and width, dimensions kept',
    ['the zero point is taken from the sum', 'as tflm-reference', 'one integer stands for both zero points', 'as tflm-reference'],
    'tensorflow/lite/kernels/internal/optimized/integer_ops/mean.h; vectors of TensorFlow 2.21',
  ),
  difference(
    ['SOFTMAX'],
    'int8, uint8',
    ['fixed point', 'fixed point', 'exp from a table in float32', 'fixed point'],
    'tensorflow/lite/kernels/internal/optimized/optimized_ops.h; vectors of TensorFlow 2.21',
  ),
  difference(
    ['SUB'],
    'int8, int16',
    ['ratios of scales in float32', 'ratios of scales in double', 'ratios of scales in double', 'ratios of scales in float32'],
    'TFLM sub_common.cc at 90b983c2; vectors of TensorFlow 2.21',
  ),
  difference(
    ['ADD'],
    'int32',
    ['no fused activation', 'fused activation', 'fused activation', 'no fused activation'],
    'TFLM add.cc; vectors of TensorFlow 2.21',
  ),
  difference(
    ['UNIDIRECTIONAL_SEQUENCE_LSTM'],
    '',
    ['state lasts', 'state lasts (float32 only is proven)', 'state lasts (float32 only is proven)', 'state is reset by every invocation'],
    'measured: tflite-micro 90b983c2 with CMSIS-NN 4ab83cc3 on emulated Cortex-M4',
  ),
  difference(['SOFTMAX'], 'int16, rows of one element', ['32767', '32767', '32767', '-32768'], 'measured: tflite-micro 90b983c2 with CMSIS-NN 4ab83cc3'),
  difference(
    ['LOGISTIC', 'TANH'],
    'int16, scales that are powers of two',
    ['a table', 'as tflm-reference', 'fixed point of 16 bits, not reproduced', 'as tflm-reference'],
    'measured: TensorFlow 2.21',
  ),
  difference(['TRANSPOSE_CONV'], 'uint8', ['-', twiceRounded, 'upwards in whole blocks of 16 elements, not reproduced', '-'], 'measured: TensorFlow 2.21'),
  difference(
    ['STRIDED_SLICE'],
    'with ends as offsets',
    ['an offset is taken for a position, not reproduced', 'ends count from the begin', 'ends count from the begin', 'as tflm-reference'],
    'TFLM strided_slice_common.cc at 90b983c2; vectors of TensorFlow 2.21',
  ),
];
