// TensorFlow Lite Micro at 90b983c2: Prepare of each kernel under tensorflow/lite/micro/kernels, quantization_util.cc
// and kernel_util.cc.

import {
  alike,
  bias,
  biasScaleOfProducts,
  constant,
  conversions,
  exponentFactorAboveOne,
  fixedOutput,
  hardSwishInput,
  inputScale,
  inputsAlike,
  inputsAtMost,
  type Limit,
  noActivation,
  notType,
  oneScale,
  perTensor,
  productShiftDefined,
  rankAtMost,
  refused,
  scalesBelow,
  sumMultiplierBelowOne,
  symmetricInt16,
  symmetricWeights,
  unsupported,
  where,
  whereInput,
  wideMultiplierBelow128,
  wrong,
} from './rules.js';

/**
 * The kernels shift by 0 to 31 bits (63 for the input radius of int8) and the int16 multiplier has 15 bits. Scales that
 * lead outside these ranges are undefined behavior in C.
 */
const curveInput = inputScale({
  int8: { above: 2 ** -28, below: 2 ** 36 },
  int16: { above: 2 ** -27, below: 32768 / (3 * 4096) },
});
const comparison = [refused(scalesBelow(1))];
const pool = [refused(alike({ tolerance: 1e-6 }))];
const spaceAndBatch = [unsupported(rankAtMost(4, [0]))];

export const tflmLimits: Readonly<Partial<Record<string, readonly Limit[]>>> = {
  ABS: [refused(symmetricInt16)],
  ADD: [refused(sumMultiplierBelowOne)],
  ADD_N: [refused(inputsAlike, sumMultiplierBelowOne)],
  AVERAGE_POOL_2D: pool,
  BATCH_MATMUL: [unsupported(rankAtMost(5)), refused(symmetricInt16), wrong(wideMultiplierBelow128(0, 1))],
  BATCH_TO_SPACE_ND: spaceAndBatch,
  BROADCAST_TO: [unsupported(rankAtMost(5))],
  CONCATENATION: [
    unsupported(noActivation, inputsAtMost(10), rankAtMost(6)),
    refused(where(['int8'], alike()), symmetricInt16),
    wrong(where(['int16'], alike())),
  ],
  CONV_2D: [wrong(wideMultiplierBelow128(0, 1), symmetricWeights(1))],
  CUMSUM: [refused(sumMultiplierBelowOne)],
  DEPTHWISE_CONV_2D: [wrong(bias(2, { int16: ['int64'] }), wideMultiplierBelow128(0, 1), symmetricWeights(1))],
  DEQUANTIZE: [wrong(oneScale)],
  EQUAL: comparison,
  EXPAND_DIMS: [unsupported(constant(1))],
  FILL: [unsupported(constant(0))],
  FULLY_CONNECTED: [
    unsupported(perTensor(1, 'int4')),
    refused(biasScaleOfProducts),
    wrong(wideMultiplierBelow128(0, 1)),
  ],
  GREATER: [
    unsupported(notType('int16', 'of int16 it compares by scales that it has not set')),
    refused(scalesBelow(1)),
  ],
  GREATER_EQUAL: comparison,
  HARD_SWISH: [wrong(hardSwishInput)],
  L2_NORMALIZATION: [unsupported(rankAtMost(4)), wrong(fixedOutput({ int8: { scale: 1 / 128, zeroPoint: 0 } }))],
  LESS: comparison,
  LESS_EQUAL: comparison,
  LOGISTIC: [
    refused(fixedOutput({ int8: { zeroPoint: -128 } }), symmetricInt16),
    wrong(fixedOutput({ int8: { scale: 1 / 256 } }), curveInput),
  ],
  LOG_SOFTMAX: [refused(exponentFactorAboveOne)],
  MAX_POOL_2D: pool,
  MUL: [refused(symmetricInt16), wrong(productShiftDefined(0, 1))],
  NOT_EQUAL: comparison,
  PAD: [unsupported(rankAtMost(5), constant(1)), wrong(alike({ inputs: [0] }))],
  PADV2: [unsupported(rankAtMost(5), constant(1)), refused(where(['int8'], alike({ inputs: [2] }))), wrong(alike())],
  QUANTIZE: [
    unsupported(
      oneScale,
      conversions({
        float32: ['int8', 'int16'],
        int8: ['int8', 'uint8', 'int16', 'int32'],
        int16: ['int8', 'int16', 'int32'],
        int32: ['int8', 'int16'],
        uint8: ['int8'],
      }),
    ),
  ],
  REDUCE_MAX: [refused(alike({ inputs: [0] }))],
  REDUCE_MIN: [refused(alike({ inputs: [0] }))],
  RELU: [refused(symmetricInt16)],
  RELU6: [wrong(alike())],
  RESIZE_BILINEAR: [unsupported(constant(1)), wrong(alike({ inputs: [0] }))],
  RESIZE_NEAREST_NEIGHBOR: [unsupported(constant(1)), wrong(alike({ inputs: [0] }))],
  SLICE: [unsupported(rankAtMost(5, [0])), wrong(alike({ inputs: [0] }))],
  SOFTMAX: [refused(whereInput(['int16'], symmetricInt16), exponentFactorAboveOne)],
  SPACE_TO_BATCH_ND: spaceAndBatch,
  SPLIT: [unsupported(constant(0))],
  SPLIT_V: [unsupported(constant(2))],
  SQUARED_DIFFERENCE: [refused(symmetricInt16)],
  STRIDED_SLICE: [unsupported(rankAtMost(4, [0]), constant(1, 2, 3)), wrong(alike({ inputs: [0] }))],
  SUB: [refused(sumMultiplierBelowOne), wrong(symmetricInt16)],
  TANH: [refused(symmetricInt16), wrong(fixedOutput({ int8: { scale: 1 / 128, zeroPoint: 0 } }), curveInput)],
  TRANSPOSE: [unsupported(rankAtMost(5, [0]), constant(1)), wrong(alike({ inputs: [0] }))],
  TRANSPOSE_CONV: [wrong(bias(3, { int16: ['int64', 'int16'] }), wideMultiplierBelow128(2, 1), symmetricWeights(1))],
};
