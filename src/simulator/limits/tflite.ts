// TensorFlow Lite 2.21: Prepare of each kernel under tensorflow/lite/kernels, quantization_util.cc and kernel_util.cc.

import {
  activation,
  alike,
  bias,
  biasScaleOfProducts,
  broadcastRankAtMost,
  type Condition,
  conversions,
  differenceMultiplierBelowOne,
  differenceMultiplierNotOne,
  exponentFactorAboveOne,
  fixedOutput,
  hardSwishInput,
  inputScale,
  inputTypes,
  intermediates,
  type Limit,
  noActivation,
  noScaleOfOne,
  notListedAsAbsent,
  notType,
  operandType,
  outputsAlike,
  productShiftDefined,
  rankAtMost,
  refused,
  scalesBelow,
  squareMultiplierBelowOne,
  sumMultiplierBelowOne,
  symmetricInt16,
  symmetricWeights,
  unsupported,
  weightSumsFit16,
  where,
  whereInput,
  wrong,
} from './rules.js';

const symmetric = [refused(symmetricInt16)];
/** Above a scale of 1 the kernels shift by negative amounts, which is undefined in C. */
const comparison = [unsupported(broadcastRankAtMost(4)), refused(noScaleOfOne), wrong(scalesBelow(1))];
const alikeAndSymmetric = [refused(alike({ inputs: [0] }), symmetricInt16)];
const broadcasts5 = [unsupported(broadcastRankAtMost(5))];
/**
 * Input scales for which the int16 LOGISTIC and TANH kernels are defined: with smaller ones they shift by more than
 * 31 bits, with larger ones their multiplier does not fit 32 bits.
 */
const curveInput = inputScale({ int16: { above: 2 ** -27, below: 2 ** 31 / (3 * 4096) } });
const blocksTypes = ['float32', 'int8', 'uint8', 'int32', 'int64'];
const reduction = [refused(symmetricInt16)];

export const tfliteLimits: Readonly<Partial<Record<string, readonly Limit[]>>> = {
  ABS: symmetric,
  ADD: [refused(sumMultiplierBelowOne, symmetricInt16)],
  ADD_N: [unsupported(inputTypes('float32', 'int32'))],
  AVERAGE_POOL_2D: [wrong(alike())],
  BATCH_MATMUL: [unsupported(rankAtMost(5)), refused(symmetricInt16)],
  BATCH_TO_SPACE_ND: [unsupported(rankAtMost(4, [0])), refused(alike({ inputs: [0] }), symmetricInt16)],
  BROADCAST_TO: [unsupported(rankAtMost(8))],
  CONCATENATION: [
    unsupported(noActivation),
    refused(where(['int8'], alike()), symmetricInt16),
    wrong(where(['int16'], alike())),
  ],
  CONV_2D: [
    unsupported(notListedAsAbsent(2), bias(2, { int8: ['int32'], uint8: ['int32'], int16: ['int32', 'int64'] }, true)),
    refused(where(['uint8'], biasScaleOfProducts), symmetricInt16, where(['int8', 'int16'], symmetricWeights(1))),
  ],
  DEPTHWISE_CONV_2D: [
    unsupported(notListedAsAbsent(2), bias(2, { int8: ['int32'], uint8: ['int32'], int16: ['int64'] }, true)),
    refused(where(['uint8'], biasScaleOfProducts), symmetricInt16),
    wrong(symmetricWeights(1)),
  ],
  CUMSUM: [unsupported(inputTypes('float32', 'int32', 'int64'))],
  DEPTH_TO_SPACE: [unsupported(inputTypes(...blocksTypes))],
  DEQUANTIZE: symmetric,
  DIV: broadcasts5,
  DYNAMIC_UPDATE_SLICE: [unsupported(notType('uint8', 'it has no kernel for uint8'))],
  EQUAL: comparison,
  EXP: symmetric,
  EXPAND_DIMS: alikeAndSymmetric,
  FILL: [refused(alike({ inputs: [1] }), symmetricInt16)],
  FULLY_CONNECTED: [refused(biasScaleOfProducts, symmetricInt16), wrong(weightSumsFit16)],
  GREATER: comparison,
  GREATER_EQUAL: comparison,
  HARD_SWISH: [wrong(hardSwishInput)],
  L2_NORMALIZATION: [
    unsupported(rankAtMost(4)),
    refused(fixedOutput({ int8: { scale: 1 / 128, zeroPoint: 0 }, uint8: { scale: 1 / 128, zeroPoint: 128 } })),
  ],
  LEAKY_RELU: symmetric,
  LESS: comparison,
  LESS_EQUAL: comparison,
  LOG: symmetric,
  LOGICAL_AND: [unsupported(broadcastRankAtMost(4))],
  LOGICAL_OR: [unsupported(broadcastRankAtMost(4))],
  LOGISTIC: [
    refused(
      fixedOutput({ int8: { scale: 1 / 256 }, uint8: { scale: 1 / 256 }, int16: { scale: 1 / 32768 } }),
      symmetricInt16,
    ),
    wrong(curveInput),
  ],
  LOG_SOFTMAX: [refused(exponentFactorAboveOne)],
  MAXIMUM: broadcasts5,
  MAX_POOL_2D: [wrong(alike())],
  MEAN: reduction,
  MINIMUM: broadcasts5,
  MIRROR_PAD: alikeAndSymmetric,
  MUL: [...symmetric, wrong(productShiftDefined(0, 1))],
  NOT_EQUAL: comparison,
  PACK: [refused(alike())],
  PAD: [unsupported(rankAtMost(5, [0]))],
  PADV2: [unsupported(rankAtMost(5, [0])), wrong(alike())],
  PRELU: [unsupported(broadcastRankAtMost(4))],
  QUANTIZE: [
    unsupported(
      conversions({
        float32: ['uint8', 'int8', 'int16', 'int4'],
        int16: ['int8', 'int16', 'int32'],
        int32: ['int8', 'int16'],
        int8: ['int8', 'uint8'],
        uint8: ['int8', 'uint8'],
      }),
    ),
  ],
  REDUCE_MAX: [refused(alike({ inputs: [0] }))],
  REDUCE_MIN: [refused(alike({ inputs: [0] }))],
  RELU: symmetric,
  RELU6: symmetric,
  SELECT_V2: broadcasts5,
  SLICE: [unsupported(rankAtMost(5, [0])), wrong(alike({ inputs: [0] }))],
  SOFTMAX: [
    unsupported(where(['int16'], rankAtMost(4))),
    refused(whereInput(['int16'], symmetricInt16), exponentFactorAboveOne),
  ],
  SPACE_TO_BATCH_ND: [unsupported(rankAtMost(4, [0])), refused(alike({ inputs: [0] }), symmetricInt16)],
  SPACE_TO_DEPTH: [unsupported(inputTypes(...blocksTypes))],
  SQUARED_DIFFERENCE: [
    unsupported(inputTypes('float32', 'int32', 'int8'), broadcastRankAtMost(4)),
    refused(squareMultiplierBelowOne),
  ],
  STRIDED_SLICE: [unsupported(rankAtMost(5, [0])), wrong(alike({ inputs: [0] }))],
  SUB: [refused(differenceMultiplierNotOne, symmetricInt16), wrong(differenceMultiplierBelowOne)],
  SUM: reduction,
  SVDF: [unsupported(whereInput(['int8'], operandType(4, 'int16')), whereInput(['int8'], activation(1, 'RELU')))],
  TANH: [...symmetric, wrong(curveInput)],
  TILE: [unsupported(inputTypes('float32', 'int8', 'uint8', 'int32', 'int64', 'bool'))],
  TRANSPOSE: [unsupported(rankAtMost(6, [0]))],
  TRANSPOSE_CONV: [
    unsupported(bias(3, { int8: ['int32'], uint8: ['int32'], int16: ['int32', 'int64'] })),
    refused(where(['uint8'], biasScaleOfProductsAfterShape()), symmetricInt16),
    wrong(symmetricWeights(1)),
  ],
  UNIDIRECTIONAL_SEQUENCE_LSTM: [unsupported(inputTypes('float32', 'int8'), whereInput(['int8'], intermediates(5)))],
  UNPACK: [refused(outputsAlike)],
  ZEROS_LIKE: [unsupported(inputTypes('float32', 'int32', 'int64'))],
};

/** The operands of TRANSPOSE_CONV follow the output's shape, in another order. */
function biasScaleOfProductsAfterShape(): Condition {
  return (context) => {
    const [, filter = null, input = null, operand = null] = context.inputs;
    return biasScaleOfProducts({ ...context, inputs: [input, filter, operand] });
  };
}
