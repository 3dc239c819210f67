// Options of operators for graphs that tests build.

import type { BuiltinOptions } from '../../src/formats/tflite/index.js';

export const sumOptions = (kind: 'AddOptions' | 'SubOptions', activation = 0): BuiltinOptions => ({
  kind,
  fusedActivationFunction: activation,
  potScaleInt16: false,
});

export const productOptions = (activation = 0): BuiltinOptions => ({
  kind: 'MulOptions',
  fusedActivationFunction: activation,
});

export const depthwiseOptions = (activation = 0, depthMultiplier = 1): BuiltinOptions => ({
  kind: 'DepthwiseConv2DOptions',
  padding: 0,
  strideH: 1,
  strideW: 1,
  depthMultiplier,
  fusedActivationFunction: activation,
  dilationHFactor: 1,
  dilationWFactor: 1,
});
