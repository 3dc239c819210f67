// The table of operators that the simulator runs. To add an operator, add a file of the same shape and a line here.

import { addN, cumsum } from './accumulate.js';
import { add, sub } from './add.js';
import { argMax, argMin } from './arg-extreme.js';
import { batchMatmul } from './batch-matmul.js';
import { batchToSpaceNd, spaceToBatchNd } from './batch-to-space.js';
import { div, floorDiv, floorMod, logicalAnd, logicalOr, maximum, minimum, pow, squaredDifference } from './binary.js';
import { cast } from './cast.js';
import { equal, greater, greaterEqual, less, lessEqual, notEqual } from './comparisons.js';
import { concatenation } from './concatenation.js';
import { assignVariable, callOnce, ifOperator, readVariable, varHandle, whileOperator } from './control-flow.js';
import { conv2d } from './conv-2d.js';
import { depthwiseConv2d } from './depthwise-conv-2d.js';
import { detectionPostProcess } from './detection-post-process.js';
import { elu } from './elu.js';
import { fullyConnected } from './fully-connected.js';
import { dynamicUpdateSlice, embeddingLookup, gather, gatherNd, oneHot } from './gather.js';
import { hardSwish } from './hard-swish.js';
import { leakyRelu } from './leaky-relu.js';
import { logSoftmax } from './log-softmax.js';
import { unidirectionalSequenceLstm } from './lstm.js';
import { mul } from './mul.js';
import { l2Normalization, l2Pool2d } from './normalize.js';
import type { OperatorFamily } from './operator.js';
import { mirrorPad, pad, padV2 } from './pad.js';
import { averagePool2d, maxPool2d } from './pool-2d.js';
import { prelu } from './prelu.js';
import { dequantize, quantize } from './quantize.js';
import {
  broadcastTo,
  depthToSpace,
  resizeNearestNeighbor,
  reverseV2,
  slice,
  spaceToDepth,
  tile,
  transpose,
} from './rearrange.js';
import { mean, reduceAll, reduceAny, reduceMax, reduceMin, reduceProd, sum } from './reduce.js';
import { relu, relu0To1, relu6, reluN1To1 } from './relu.js';
import { densify, expandDims, reshape, squeeze } from './reshape.js';
import { resizeBilinear } from './resize-bilinear.js';
import { broadcastArgs, fill, range, rank, select, selectV2, zerosLike } from './select.js';
import { pack, shape, stridedSlice } from './shape-ops.js';
import { logistic, tanh } from './sigmoid.js';
import { softmax } from './softmax.js';
import { split, splitV, unpack } from './split.js';
import { svdf } from './svdf.js';
import { topKV2 } from './top-k.js';
import { transposeConv } from './transpose-conv.js';
import {
  abs,
  ceil,
  cos,
  exp,
  floor,
  gelu,
  log,
  logicalNotOperator,
  neg,
  round,
  rsqrt,
  sign,
  sin,
  sqrt,
  square,
} from './unary.js';

const families: readonly OperatorFamily[] = [
  abs,
  add,
  addN,
  argMax,
  argMin,
  assignVariable,
  averagePool2d,
  batchMatmul,
  batchToSpaceNd,
  broadcastArgs,
  broadcastTo,
  callOnce,
  cast,
  ceil,
  concatenation,
  conv2d,
  cos,
  cumsum,
  densify,
  depthToSpace,
  depthwiseConv2d,
  dequantize,
  detectionPostProcess,
  div,
  dynamicUpdateSlice,
  elu,
  embeddingLookup,
  equal,
  exp,
  expandDims,
  fill,
  floor,
  floorDiv,
  floorMod,
  fullyConnected,
  gather,
  gatherNd,
  gelu,
  greater,
  greaterEqual,
  hardSwish,
  ifOperator,
  l2Normalization,
  l2Pool2d,
  leakyRelu,
  less,
  lessEqual,
  log,
  logicalAnd,
  logicalNotOperator,
  logicalOr,
  logistic,
  logSoftmax,
  maximum,
  maxPool2d,
  mean,
  minimum,
  mirrorPad,
  mul,
  neg,
  notEqual,
  oneHot,
  pack,
  pad,
  padV2,
  pow,
  prelu,
  quantize,
  range,
  rank,
  readVariable,
  reduceAll,
  reduceAny,
  reduceMax,
  reduceMin,
  reduceProd,
  relu,
  relu0To1,
  relu6,
  reluN1To1,
  reshape,
  resizeBilinear,
  resizeNearestNeighbor,
  reverseV2,
  round,
  rsqrt,
  select,
  selectV2,
  shape,
  sign,
  sin,
  slice,
  softmax,
  spaceToBatchNd,
  spaceToDepth,
  split,
  splitV,
  sqrt,
  square,
  squaredDifference,
  squeeze,
  stridedSlice,
  sub,
  sum,
  svdf,
  tanh,
  tile,
  topKV2,
  transpose,
  transposeConv,
  unidirectionalSequenceLstm,
  unpack,
  varHandle,
  whileOperator,
  zerosLike,
];

export const operatorFamilies: ReadonlyMap<string, OperatorFamily> = new Map(
  families.map((family) => [family.name, family]),
);
