// The table of operators that have kernels in WebAssembly. To add one: a file of the same shape, and a line here.

import { fastConv2d } from './conv-2d.js';
import { fastDepthwiseConv2d } from './depthwise-conv-2d.js';
import type { FastKernel } from './fast-kernel.js';
import { fastFullyConnected } from './fully-connected.js';

export const fastKernels: ReadonlyMap<string, FastKernel> = new Map([
  ['CONV_2D', fastConv2d],
  ['DEPTHWISE_CONV_2D', fastDepthwiseConv2d],
  ['FULLY_CONNECTED', fastFullyConnected],
]);
