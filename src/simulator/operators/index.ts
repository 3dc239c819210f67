// The table of operators that the simulator runs. To add one: a file of the same shape, and a line here.

import { add, sub } from './add.js';
import { concatenation } from './concatenation.js';
import { conv2d } from './conv-2d.js';
import { depthwiseConv2d } from './depthwise-conv-2d.js';
import { fullyConnected } from './fully-connected.js';
import { leakyRelu } from './leaky-relu.js';
import { mul } from './mul.js';
import type { OperatorFamily } from './operator.js';
import { pad } from './pad.js';
import { averagePool2d, maxPool2d } from './pool-2d.js';
import { dequantize, quantize } from './quantize.js';
import { relu, relu6 } from './relu.js';
import { expandDims, reshape, squeeze } from './reshape.js';
import { pack, shape, stridedSlice } from './shape-ops.js';
import { logistic, tanh } from './sigmoid.js';
import { softmax } from './softmax.js';

const families: readonly OperatorFamily[] = [
  add,
  averagePool2d,
  concatenation,
  conv2d,
  depthwiseConv2d,
  dequantize,
  expandDims,
  fullyConnected,
  leakyRelu,
  logistic,
  maxPool2d,
  mul,
  pack,
  pad,
  quantize,
  relu,
  relu6,
  reshape,
  shape,
  softmax,
  squeeze,
  stridedSlice,
  sub,
  tanh,
];

export const operatorFamilies: ReadonlyMap<string, OperatorFamily> = new Map(families.map((family) => [family.name, family]));
