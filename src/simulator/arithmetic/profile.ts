// Kernel profiles: the integer arithmetic of a runtime. A profile is a table of primitives; all kernels call them and
// are otherwise the same.

import {
  multiplyDoubleRounding,
  multiplyRoundingUp,
  multiplyWide,
  roundHalfAway,
  roundHalfEven,
  toInt32,
} from './fixed-point.js';

export interface Arithmetic {
  /** The runtime whose kernels and limits these are. */
  readonly runtime: 'tflm' | 'tflite';
  /** x * multiplier * 2^(shift - 31), rounded to int32. */
  readonly requantize: Requantize;
  /** The same for 64-bit accumulators. */
  readonly requantizeWide: Requantize;
  readonly convolution: ChannelArithmetic;
  /** Grouped CONV_2D. */
  readonly groupedConvolution: ChannelArithmetic;
  /** DEPTHWISE_CONV_2D and TRANSPOSE_CONV. */
  readonly depthwise: ChannelArithmetic;
  /** The same for uint8. */
  readonly depthwiseUint8: ChannelArithmetic;
  readonly dense: DenseArithmetic;
  /** int16 FULLY_CONNECTED with a weights zero point other than 0. */
  readonly denseInt16WithZeroPoint: DenseArithmetic;
  /** QUANTIZE from one 8-bit type to another, for whole blocks of 16 elements. */
  readonly requantizeBytes: Requantize;
  /**
   * QUANTIZE from float32: the whole number for an element at an index of a tensor with a number of elements, before
   * the zero point is added.
   */
  readonly quantizeFloat: (scale: number, count: number) => (value: number, index: number) => number;
  /** Final step of 8-bit MEAN over height and width: whether the zero points are applied separately from the sum. */
  readonly meanAddsBias: boolean;
  /** Whether 8-bit SOFTMAX uses a float32 table of exp. */
  readonly softmaxInFloat: boolean;
  /** Rounding of the table values of int16 SOFTMAX: float32 or double. */
  readonly softmaxTable: (value: number) => number;
  /** Whether 8-bit LOGISTIC and TANH use a table computed in float32; otherwise fixed point. */
  readonly curvesInFloat: boolean;
  /** Whether int16 LOGISTIC and TANH with power-of-two input scales use 16-bit fixed point, without a multiplier. */
  readonly curves16InFixedPoint: boolean;
  /** Rounding of products and quotients of scales in MUL, PRELU and int16 SOFTMAX: float32 or double. */
  readonly scaleProduct: (value: number) => number;
  /**
   * Whether RELU6, RELU_N1_TO_1 and RELU_0_TO_1 rescale from the input's quantization to the output's, as RELU does.
   */
  readonly rescalesClampedRelu: boolean;
  /** Rounding of the scale ratios in SUB. */
  readonly subRatio: (ratio: number) => number;
  /** Whether integer ADD and MUL compute whole blocks of elements differently. */
  readonly pairsInBlocks: boolean;
  /** Whether quantized SUM is computed in float32. */
  readonly sumsInFloat: boolean;
  /** uint8 TRANSPOSE_CONV, for whole blocks of 16 elements. */
  readonly transposeUint8: Requantize;
  /** Whether uint8 RESIZE_BILINEAR multiplies the two weights of a neighbour first. */
  readonly resizesByArea: boolean;
  /** Whether ADD in int32 applies its fused activation. */
  readonly clampsInt32Add: boolean;
  /** Whether the state of UNIDIRECTIONAL_SEQUENCE_LSTM persists between invocations. */
  readonly keepsLstmState: boolean;
  /** Result of int16 SOFTMAX for a row of one element: 1, or the result of a missing final clamp. */
  readonly softmaxOfOne: number;
}

export type Requantize = (x: number, multiplier: number, shift: number) => number;

/**
 * For sums of operators with weights. `real` is the value that multiplier and shift approximate; the others give the
 * channel and the number of channels.
 */
export type ChannelRequantize = (
  sum: number,
  multiplier: number,
  shift: number,
  real: number,
  channel: number,
  channels: number,
) => number;

/** For 32-bit and 64-bit accumulators. */
export interface ChannelArithmetic {
  readonly requantize: ChannelRequantize;
  readonly requantizeWide: ChannelRequantize;
}

export interface DenseArithmetic extends ChannelArithmetic {
  /** Whether int16 uses 32-bit sums if no int64 bias needs more. */
  readonly int16In32Bits: boolean;
}

const twice: ChannelArithmetic = { requantize: multiplyDoubleRounding, requantizeWide: multiplyWide };
const inDouble: ChannelRequantize = (sum, _multiplier, _shift, real) => toInt32(roundHalfAway(sum * real));
/** SIMD computes blocks of 8 channels, scalar code the rest. */
const upInBlocks: ChannelRequantize = (sum, multiplier, shift, _real, channel, channels) =>
  (channel < channels - (channels % 8) ? multiplyRoundingUp : multiplyDoubleRounding)(sum, multiplier, shift);

/**
 * optimized_ops::AffineQuantize: blocks of 8 elements are multiplied by the inverse scale in float32 and rounded half
 * to even. The remaining elements are divided in double and rounded half away from zero.
 */
function byInverse(scale: number, count: number): (value: number, index: number) => number {
  const inverse = Math.fround(1 / scale);
  const inBlocks = count - (count % 8);
  return (value, index) =>
    index < inBlocks ? roundHalfEven(Math.fround(value * inverse)) : roundHalfAway(value / scale);
}

const tflm: Arithmetic = {
  runtime: 'tflm',
  requantize: multiplyDoubleRounding,
  requantizeWide: multiplyWide,
  convolution: twice,
  groupedConvolution: twice,
  depthwise: twice,
  depthwiseUint8: twice,
  dense: { ...twice, int16In32Bits: false },
  denseInt16WithZeroPoint: { ...twice, int16In32Bits: false },
  requantizeBytes: multiplyDoubleRounding,
  quantizeFloat: (scale) => (value) => roundHalfAway(Math.fround(value / scale)),
  meanAddsBias: false,
  softmaxInFloat: false,
  softmaxTable: Math.fround,
  curvesInFloat: false,
  curves16InFixedPoint: false,
  scaleProduct: (value) => value,
  rescalesClampedRelu: false,
  subRatio: Math.fround,
  pairsInBlocks: false,
  sumsInFloat: false,
  transposeUint8: multiplyDoubleRounding,
  resizesByArea: false,
  clampsInt32Add: false,
  keepsLstmState: true,
  softmaxOfOne: 32767,
};
const densesInDouble: DenseArithmetic = { requantize: inDouble, requantizeWide: inDouble, int16In32Bits: false };
const tflite: Arithmetic = {
  ...tflm,
  runtime: 'tflite',
  dense: densesInDouble,
  denseInt16WithZeroPoint: densesInDouble,
  softmaxTable: (value) => value,
  curvesInFloat: true,
  scaleProduct: Math.fround,
  rescalesClampedRelu: true,
  subRatio: (ratio) => ratio,
  clampsInt32Add: true,
};

/** The names of the kernel profiles. */
export const kernelProfileNames = ['tflm-reference', 'tflite-reference', 'tflite-optimized', 'cmsis-nn'] as const;
/** Whose integer arithmetic is reproduced. */
export type KernelProfile = (typeof kernelProfileNames)[number];

/**
 * tflm-reference is TFLM at commit 90b983c2 (August 2026) without TFLITE_SINGLE_ROUNDING; later versions change some
 * ties of SUB and LEAKY_RELU. tflite-reference is TensorFlow 2.21 with BUILTIN_REF; tflite-optimized is the same on
 * x86-64 with its builtin kernels and without XNNPACK. cmsis-nn is TFLM with CMSIS-NN at 4ab83cc3, double rounding; it
 * was measured to equal tflm-reference except for the entries here. `check` warns about differences that depend on
 * shapes.
 */
export const kernelProfiles: Readonly<Record<KernelProfile, Arithmetic>> = {
  'tflm-reference': tflm,
  'tflite-reference': tflite,
  'tflite-optimized': {
    ...tflite,
    convolution: { ...twice, requantize: multiplyRoundingUp },
    depthwise: { ...twice, requantize: upInBlocks },
    dense: { requantize: multiplyRoundingUp, requantizeWide: inDouble, int16In32Bits: true },
    requantizeBytes: multiplyRoundingUp,
    quantizeFloat: byInverse,
    meanAddsBias: true,
    softmaxInFloat: true,
    curves16InFixedPoint: true,
    pairsInBlocks: true,
    sumsInFloat: true,
    transposeUint8: multiplyRoundingUp,
    resizesByArea: true,
  },
  'cmsis-nn': { ...tflm, keepsLstmState: false, softmaxOfOne: -32768 },
};

export const defaultKernelProfile: KernelProfile = 'tflm-reference';

export interface ProfileDifference {
  readonly operators: readonly string[];
  /** The element types, or another condition; empty for all. */
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
  const arithmetic = {
    'tflm-reference': tflmReference,
    'tflite-reference': tfliteReference,
    'tflite-optimized': tfliteOptimized,
    'cmsis-nn': cmsisNn,
  };
  return { operators, where, arithmetic, source };
}

/** The differences between the profiles; everything else is identical. For the reference pages. */
export const profileDifferences: readonly ProfileDifference[] = [
  difference(
    ['CONV_2D'],
    'int8, uint8',
    [twiceRounded, twiceRounded, `${upwards}; channels in groups as tflite-reference`, twiceRounded],
    probes,
  ),
  difference(
    ['DEPTHWISE_CONV_2D', 'TRANSPOSE_CONV'],
    'int8',
    [twiceRounded, twiceRounded, `${upwards} in whole blocks of 8 channels`, twiceRounded],
    probes,
  ),
  difference(
    ['FULLY_CONNECTED'],
    'int8',
    [twiceRounded, 'sum times the quotient of the scales in double, ties away from zero', upwards, twiceRounded],
    `${probes}; all 12,000 outputs of the kws model`,
  ),
  difference(
    ['FULLY_CONNECTED'],
    'int16',
    [
      'rounded once, ties upwards',
      'sum times the quotient of the scales in double, ties away from zero',
      'as tflite-reference',
      'rounded once, ties upwards',
    ],
    probes,
  ),
  difference(
    ['QUANTIZE'],
    'between 8-bit types',
    [twiceRounded, twiceRounded, `${upwards} in whole blocks of 16 elements`, twiceRounded],
    probes,
  ),
  difference(
    ['QUANTIZE'],
    'from float32',
    [
      'divided by the scale',
      'divided by the scale',
      'multiplied by its inverse, ties to even in whole blocks of 8 elements',
      'divided by the scale',
    ],
    'measured: TensorFlow 2.21',
  ),
  difference(
    ['MEAN'],
    'int8, uint8, over height and width, dimensions kept',
    [
      'the zero point is taken from the sum',
      'as tflm-reference',
      'one integer stands for both zero points',
      'as tflm-reference',
    ],
    'tensorflow/lite/kernels/internal/optimized/integer_ops/mean.h; vectors of TensorFlow 2.21',
  ),
  difference(
    ['RELU6', 'RELU_N1_TO_1', 'RELU_0_TO_1'],
    'int8, uint8, int16',
    [
      'clamps without rescaling: the scales of input and output must be equal',
      'rescales to the output',
      'rescales to the output',
      'as tflm-reference',
    ],
    'TFLM activations.cc at 90b983c2, tensorflow/lite/kernels/activations.cc; vectors of both',
  ),
  difference(
    ['LOGISTIC', 'TANH'],
    'int8, uint8',
    ['fixed point', 'a table computed in float32', 'a table computed in float32', 'fixed point'],
    'tensorflow/lite/kernels/activations.cc; vectors of TensorFlow 2.21',
  ),
  difference(
    ['ELU'],
    'int8',
    ['exp(x) - 1 in float32', 'expm1(x) in float32', 'expm1(x) in float32', 'as tflm-reference'],
    'TFLM elu.cc, tensorflow/lite/kernels/activations.cc',
  ),
  difference(
    ['MUL', 'PRELU'],
    'int8, uint8, int16',
    ['products and quotients of scales in double', 'in float32', 'in float32', 'in double'],
    'TFLM mul_common.cc and prelu_common.cc, tensorflow/lite/kernels/mul.cc and activations.cc',
  ),
  difference(
    ['SOFTMAX'],
    'int16',
    [
      'tables in float32, product of beta and scale in double',
      'tables in double, product in float32',
      'as tflite-reference',
      'as tflm-reference',
    ],
    'TFLM softmax_common.cc, tensorflow/lite/kernels/activations.cc',
  ),
  difference(
    ['ADD'],
    'int8, uint8, int16',
    [
      'inputs are rounded when brought to the common scale',
      'as tflm-reference',
      'whole blocks of 8 or 16 elements are cut off instead',
      'as tflm-reference',
    ],
    'tensorflow/lite/kernels/internal/optimized/integer_ops/add.h, optimized_ops.h; vectors of TensorFlow 2.21',
  ),
  difference(
    ['MUL'],
    'int8, uint8, results beyond int16',
    ['saturates', 'saturates', 'wraps in whole blocks of 8 or 16 elements', 'saturates'],
    'tensorflow/lite/kernels/internal/optimized/integer_ops/mul.h; vectors of TensorFlow 2.21',
  ),
  difference(
    ['FULLY_CONNECTED'],
    'int16 without a bias of int64',
    ['sums of 64 bits', 'sums of 64 bits', 'sums of 32 bits', 'sums of 64 bits'],
    'tensorflow/lite/kernels/fully_connected.cc; vectors of TensorFlow 2.21',
  ),
  difference(
    ['SUM'],
    'int8, uint8, int16',
    [
      'fixed point',
      'fixed point; TensorFlow itself reads int8 and int16 as uint8 there, which is not reproduced',
      'float32',
      'as tflm-reference',
    ],
    'tensorflow/lite/kernels/reduce.cc; vectors of TensorFlow 2.21 and TFLM',
  ),
  difference(
    ['LOG_SOFTMAX'],
    'int8, uint8',
    ['fixed point', 'fixed point', 'exp from a table in float32', 'fixed point'],
    'tensorflow/lite/kernels/internal/optimized/optimized_ops.h; vectors of TensorFlow 2.21',
  ),
  difference(
    ['RESIZE_BILINEAR'],
    'uint8',
    [
      '-',
      'each neighbour times one weight, then the other',
      'each neighbour times the product of both weights; eightfold enlargement of half-pixel centers is not reproduced',
      '-',
    ],
    'tensorflow/lite/kernels/internal/optimized/resize_bilinear.h; vectors of TensorFlow 2.21',
  ),
  difference(
    ['EQUAL', 'NOT_EQUAL', 'GREATER', 'GREATER_EQUAL', 'LESS', 'LESS_EQUAL'],
    'int8, uint8, scales of 1 and more',
    [
      'refused: TFLM aborts',
      'shifts by negative amounts, as x86-64 has it',
      'as tflite-reference',
      'as tflm-reference',
    ],
    'TFLM comparisons.cc, tensorflow/lite/kernels/comparisons.cc; vectors of TensorFlow 2.21',
  ),
  difference(
    ['BATCH_MATMUL'],
    'a first matrix that is transposed, and broadcast against another number of matrices',
    [
      'the product',
      'TensorFlow reads memory that it has not written; not reproduced',
      'as tflite-reference',
      'the product',
    ],
    'measured: TensorFlow 2.21',
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
    [
      'ratios of scales in float32',
      'ratios of scales in double',
      'ratios of scales in double',
      'ratios of scales in float32',
    ],
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
    ['state lasts', 'state lasts', 'state lasts', 'state is reset by every invocation'],
    'measured: tflite-micro 90b983c2 with CMSIS-NN 4ab83cc3 on emulated Cortex-M4',
  ),
  difference(
    ['SOFTMAX'],
    'int16, rows of one element',
    ['32767', '32767', '32767', '-32768'],
    'measured: tflite-micro 90b983c2 with CMSIS-NN 4ab83cc3',
  ),
  difference(
    ['LOGISTIC', 'TANH'],
    'int16, scales that are powers of two',
    ['a table', 'as tflm-reference', 'fixed point of 16 bits', 'as tflm-reference'],
    'measured: TensorFlow 2.21',
  ),
  difference(
    ['TRANSPOSE_CONV'],
    'uint8',
    ['-', twiceRounded, `${upwards} in whole blocks of 16 elements`, '-'],
    'measured: TensorFlow 2.21',
  ),
  difference(
    ['STRIDED_SLICE'],
    'with ends as offsets',
    [
      'an offset is taken for a position, not reproduced',
      'ends count from the begin',
      'ends count from the begin',
      'as tflm-reference',
    ],
    'TFLM strided_slice_common.cc at 90b983c2; vectors of TensorFlow 2.21',
  ),
];
