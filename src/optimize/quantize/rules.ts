// How each operator is quantized, following TFLite's published quantization specification. An operator without a rule,
// or without a version for a type, has no form in that type. Versions:
// tensorflow/compiler/mlir/lite/tools/versioning/op_version.cc.

import type { BuiltinOptions, OperatorName } from '../../formats/tflite/index.js';
import type { IntegerType } from './number-format.js';

export interface FixedQuantization {
  readonly scale: number;
  readonly zeroPoint: number;
}

/** The inputs of an operator with weights; `axis` is the output channel dimension of the weights. */
export interface WeightsRule {
  readonly data: number;
  readonly weights: number;
  readonly axis: number;
  readonly bias: number;
  /** Whether each channel has its own scale; `by-choice` if runtimes differ. */
  readonly perChannel: 'always' | 'by-choice';
  /** Version of the form with int8 weights, per channel, and float activations. */
  readonly dynamicRange?: number;
}

export interface QuantizationRule {
  /** Version of the operator for each tensor type. */
  readonly versions: Readonly<Partial<Record<IntegerType, number>>>;
  readonly weights?: WeightsRule;
  /** Inputs and outputs must share scale and zero point. */
  readonly sameScale?: boolean;
  /** Minimum output scale that kernels support, by the largest input scale. */
  readonly outputFloor?: Readonly<Partial<Record<IntegerType, (largest: number) => number>>>;
  /** Smallest input scale that the kernels support, computed from the operator's options. */
  readonly inputFloor?: Readonly<Partial<Record<IntegerType, (options: BuiltinOptions | null) => number>>>;
  /** The operator fixes the quantization of its output. */
  readonly fixedOutput?: Readonly<Partial<Record<IntegerType, FixedQuantization>>>;
}

function own(int8: number, int16?: number): QuantizationRule {
  return { versions: { int8, ...(int16 === undefined ? {} : { int16 }) } };
}

/** Moves or selects values. */
function same(int8: number, int16?: number): QuantizationRule {
  return { ...own(int8, int16), sameScale: true };
}

function fixed(
  int8: readonly [version: number, scale: number, zeroPoint: number],
  int16Version?: number,
): QuantizationRule {
  const [version, scale, zeroPoint] = int8;
  return {
    ...own(version, int16Version),
    fixedOutput: { int8: { scale, zeroPoint }, int16: { scale: 1 / 32768, zeroPoint: 0 } },
  };
}

/** The multiplier of a sum must stay below 1: twice the larger input scale, with 20 extra bits in int8, 15 in int16. */
const ofSum = {
  int8: (largest: number): number => largest / 2 ** 19,
  int16: (largest: number): number => largest / 2 ** 14,
};

function weighted(int8: number, int16: number, weights: WeightsRule): QuantizationRule {
  return { ...own(int8, int16), weights };
}

/** Slightly above a power of two: the kernels require a larger scale. */
const above = (power: number): number => 1.0001 * 2 ** power;
/** LOGISTIC and TANH: smallest input scale for which the left shift stays within 31 bits. */
const curveFloor = { int8: (): number => above(-28), int16: (): number => above(-27) };
/** SOFTMAX: the multiplier from the input scale to steps of 2^-26 must be above 1. */
const exponentFloor = (options: BuiltinOptions | null): number =>
  above(-26) / (options?.kind === 'SoftmaxOptions' ? options.beta : 1);

export const quantizationRules: ReadonlyMap<OperatorName, QuantizationRule> = new Map<OperatorName, QuantizationRule>([
  ['ABS', own(2, 3)],
  ['ADD', { ...own(2, 3), outputFloor: ofSum }],
  ['ARG_MAX', own(2)],
  ['ARG_MIN', own(2)],
  ['AVERAGE_POOL_2D', same(2, 3)],
  ['BATCH_MATMUL', own(2, 3)],
  ['BATCH_TO_SPACE_ND', same(2, 4)],
  ['BROADCAST_TO', same(3, 3)],
  ['CONCATENATION', same(2, 3)],
  ['CONV_2D', weighted(3, 4, { data: 0, weights: 1, axis: 0, bias: 2, perChannel: 'always', dynamicRange: 5 })],
  [
    'DEPTHWISE_CONV_2D',
    weighted(3, 5, { data: 0, weights: 1, axis: 3, bias: 2, perChannel: 'always', dynamicRange: 6 }),
  ],
  ['DEPTH_TO_SPACE', same(2)],
  ['DYNAMIC_UPDATE_SLICE', same(1, 4)],
  ['ELU', own(1)],
  ['EQUAL', own(2, 5)],
  ['EXPAND_DIMS', same(1, 1)],
  // Microcontroller runtimes support per-channel weights here only recently.
  [
    'FULLY_CONNECTED',
    weighted(4, 7, { data: 0, weights: 1, axis: 0, bias: 2, perChannel: 'by-choice', dynamicRange: 12 }),
  ],
  ['GATHER', same(2, 4)],
  ['GATHER_ND', same(1, 3)],
  ['GREATER', own(2)],
  ['GREATER_EQUAL', own(2, 3)],
  ['HARD_SWISH', { ...own(1), outputFloor: { int8: (largest) => largest / 128 } }],
  ['L2_NORMALIZATION', fixed([2, 1 / 128, 0])],
  ['LEAKY_RELU', own(2, 2)],
  ['LESS', own(2, 3)],
  ['LESS_EQUAL', own(2)],
  ['LOGISTIC', { ...fixed([2, 1 / 256, -128], 3), inputFloor: curveFloor }],
  ['LOG_SOFTMAX', { ...fixed([2, 16 / 256, 127]), inputFloor: { int8: exponentFloor } }],
  ['MAXIMUM', same(2, 4)],
  ['MAX_POOL_2D', same(2, 3)],
  ['MEAN', own(2, 3)],
  ['MINIMUM', same(2, 4)],
  ['MIRROR_PAD', same(2, 3)],
  ['MUL', own(2, 4)],
  ['NOT_EQUAL', own(2, 4)],
  ['PACK', same(2, 3)],
  ['PAD', same(2, 3)],
  ['PADV2', same(2, 3)],
  ['PRELU', own(1)],
  ['REDUCE_MAX', same(2, 3)],
  ['REDUCE_MIN', same(2, 3)],
  ['RELU', own(2, 3)],
  // TFLM's kernel only clamps.
  ['RELU6', same(2, 3)],
  ['RESHAPE', same(1, 1)],
  ['RESIZE_BILINEAR', same(2, 4)],
  ['RESIZE_NEAREST_NEIGHBOR', same(2, 4)],
  ['REVERSE_V2', same(3)],
  ['RSQRT', own(2)],
  ['SELECT', same(2, 2)],
  ['SELECT_V2', same(1, 1)],
  ['SLICE', same(2, 4)],
  ['SOFTMAX', { ...fixed([2, 1 / 256, -128], 3), inputFloor: { int8: exponentFloor } }],
  ['SPACE_TO_BATCH_ND', same(2, 4)],
  ['SPACE_TO_DEPTH', same(2)],
  ['SPLIT', same(2, 4)],
  ['SPLIT_V', same(2)],
  ['SQUARED_DIFFERENCE', { ...own(2), outputFloor: { int8: (largest) => (2 * largest) ** 2 / 2 ** 14 } }],
  ['SQUEEZE', same(1, 1)],
  ['STRIDED_SLICE', same(2, 4)],
  ['SUB', { ...own(2, 5), outputFloor: ofSum }],
  ['SUM', own(2)],
  ['TANH', { ...fixed([2, 1 / 128, 0], 3), inputFloor: curveFloor }],
  ['TILE', same(3)],
  ['TOPK_V2', same(2, 3)],
  ['TRANSPOSE', same(2, 5)],
  ['TRANSPOSE_CONV', weighted(3, 4, { data: 2, weights: 1, axis: 0, bias: 3, perChannel: 'always' })],
  ['UNPACK', same(2, 4)],
]);
