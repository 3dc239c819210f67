// RELU and RELU6 as operators of their own. int8 RELU requantizes from the input's scale to the output's (TFLM
// activations.cc ReluQuantized); RELU6 only clamps, input and output sharing their scale (Relu6Quantized).

import type { OperatorName } from '../../tflite/index.js';
import { quantizeMultiplier, roundHalfAway } from '../arithmetic/fixed-point.js';
import { clamp } from './activation.js';
import { byType, inputOf, type OperatorContext, type OperatorFamily, outputOf, quantizationOf, requireShape, requireType } from './operator.js';

function operands(context: OperatorContext) {
  const input = inputOf(context, 0);
  const output = outputOf(context);
  requireType(context, output, input.type);
  requireShape(context, output, input.shape);
  return { input, output };
}

function mapped(context: OperatorContext, map: (value: number) => number): () => void {
  const { input, output } = operands(context);
  const from = input.data as Float32Array;
  const to = output.data as Float32Array;
  return () => {
    for (let i = 0; i < to.length; i++) to[i] = map(from[i] as number);
  };
}

function reluInt8(context: OperatorContext): () => void {
  const { input, output } = operands(context);
  const qi = quantizationOf(context, input);
  const qo = quantizationOf(context, output);
  const { multiplier, shift } = quantizeMultiplier(qi.scale / qo.scale);
  const low = Math.max(-128, qo.zeroPoint);
  const { requantize } = context.arithmetic;
  return mapped(context, (value) => {
    const result = qo.zeroPoint + requantize(value - qi.zeroPoint, multiplier, shift);
    return clamp(result, low, 127);
  });
}

function relu6Int8(context: OperatorContext): () => void {
  const { scale, zeroPoint } = quantizationOf(context, inputOf(context, 0));
  const six = Math.max(-128, Math.min(127, zeroPoint + roundHalfAway(Math.fround(6 / scale))));
  return mapped(context, (value) => clamp(value, zeroPoint, six));
}

function family(name: OperatorName, float: (value: number) => number, int8: OperatorFamily['prepare'], stateBytes: number): OperatorFamily {
  return {
    name,
    types: ['float32', 'int8'],
    prepare: (context) => byType(context, inputOf(context, 0), { float32: () => mapped(context, float), int8 })(context),
    work: () => ({ kind: 'elementwise', macs: 0 }),
    memory: () => ({ persistent: [stateBytes] }),
  };
}

export const relu = family('RELU', (value) => Math.max(0, value), reluInt8, 28);
export const relu6 = family('RELU6', (value) => clamp(value, 0, 6), relu6Int8, 8);
