// How each operator is quantized to int8, after TFLite's published quantization specification. An operator without a
// rule has no int8 form here.

import type { OperatorName } from '../tflite/index.js';

export interface FixedQuantization {
  readonly scale: number;
  readonly zeroPoint: number;
}

export interface QuantizationRule {
  /** Version of the operator that takes int8 tensors. */
  readonly version: number;
  /** The weights: which input, which of its dimensions counts output channels, and whether each channel has its own scale. */
  readonly weights?: { readonly input: number; readonly axis: number; readonly perChannel: boolean };
  readonly bias?: number;
  /** Inputs and output must share scale and zero point. */
  readonly sameScale?: boolean;
  /** The output's quantization is fixed by the operator, whatever its range. */
  readonly fixedOutput?: FixedQuantization;
}

export const quantizationRules: ReadonlyMap<OperatorName, QuantizationRule> = new Map<OperatorName, QuantizationRule>([
  ['ADD', { version: 2 }],
  ['AVERAGE_POOL_2D', { version: 2, sameScale: true }],
  ['CONCATENATION', { version: 2, sameScale: true }],
  ['CONV_2D', { version: 3, weights: { input: 1, axis: 0, perChannel: true }, bias: 2 }],
  ['DEPTHWISE_CONV_2D', { version: 3, weights: { input: 1, axis: 3, perChannel: true }, bias: 2 }],
  ['EXPAND_DIMS', { version: 1, sameScale: true }],
  // Per tensor: microcontroller runtimes took per-channel weights here only lately.
  ['FULLY_CONNECTED', { version: 4, weights: { input: 1, axis: 0, perChannel: false }, bias: 2 }],
  ['LEAKY_RELU', { version: 2 }],
  ['LOGISTIC', { version: 2, fixedOutput: { scale: 1 / 256, zeroPoint: -128 } }],
  ['MAX_POOL_2D', { version: 2, sameScale: true }],
  ['MUL', { version: 2 }],
  ['PACK', { version: 2, sameScale: true }],
  ['PAD', { version: 2, sameScale: true }],
  ['RELU', { version: 2 }],
  // TFLM's kernel only clamps.
  ['RELU6', { version: 2, sameScale: true }],
  ['RESHAPE', { version: 1, sameScale: true }],
  ['SOFTMAX', { version: 2, fixedOutput: { scale: 1 / 256, zeroPoint: -128 } }],
  ['SQUEEZE', { version: 2, sameScale: true }],
  ['STRIDED_SLICE', { version: 2, sameScale: true }],
  ['SUB', { version: 2 }],
  ['TANH', { version: 2, fixedOutput: { scale: 1 / 128, zeroPoint: 0 } }],
]);
