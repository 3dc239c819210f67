// The table of operators that have kernels in WebAssembly. To add one: a file of the same shape, and a line here.

import { fastAdd } from './add.js';
import { fastConv2d } from './conv-2d.js';
import { fastDepthwiseConv2d } from './depthwise-conv-2d.js';
import type { FastKernel } from './fast-kernel.js';
import { fastFullyConnected } from './fully-connected.js';
import { fastMean } from './mean.js';
import { fastPairs } from './pairs.js';
import { fastPool2d } from './pool-2d.js';
import { fastResizeBilinear } from './resize-bilinear.js';
import { fastSoftmax } from './softmax.js';
import { fastQuantize, fastTable } from './table.js';

const ofOneByte = [
  'ABS',
  'ELU',
  'HARD_SWISH',
  'LEAKY_RELU',
  'LOGISTIC',
  'RELU',
  'RELU6',
  'RELU_N1_TO_1',
  'TANH',
] as const;

const ofTwoBytes = ['DIV', 'MAXIMUM', 'MINIMUM', 'MUL', 'PRELU', 'SQUARED_DIFFERENCE', 'SUB'] as const;

export const fastKernels: ReadonlyMap<string, FastKernel> = new Map<string, FastKernel>([
  ['ADD', (context, memory) => fastAdd(context, memory) ?? fastPairs(context, memory)],
  ['AVERAGE_POOL_2D', fastPool2d],
  ['CONV_2D', fastConv2d],
  ['DEPTHWISE_CONV_2D', fastDepthwiseConv2d],
  ['FULLY_CONNECTED', fastFullyConnected],
  ['MAX_POOL_2D', fastPool2d],
  ['MEAN', fastMean],
  ['QUANTIZE', fastQuantize],
  ['RESIZE_BILINEAR', fastResizeBilinear],
  ['SOFTMAX', fastSoftmax],
  ...ofTwoBytes.map((name) => [name, fastPairs] as const),
  ...ofOneByte.map((name) => [name, fastTable] as const),
]);
