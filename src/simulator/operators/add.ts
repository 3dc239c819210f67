// ADD and SUB with broadcasting. int8 (TFLite reference_integer_ops::AddElementwise): both inputs are brought to twice
// the larger of their scales with 20 extra bits, added, and brought to the output's scale.

import type { OperatorName } from '../../tflite/index.js';
import { quantizeMultiplier } from '../arithmetic/fixed-point.js';
import { clamp, floatLimits, quantizedLimits } from './activation.js';
import { elementwise } from './broadcast.js';
import { byType, inputOf, type OperatorContext, type OperatorFamily, optionsOf, outputOf, quantizationOf, requireType } from './operator.js';

const leftShift = 20;

type Options = 'AddOptions' | 'SubOptions';

function prepareInt8(context: OperatorContext, options: Options, sign: 1 | -1): () => void {
  const a = inputOf(context, 0);
  const b = inputOf(context, 1);
  const output = outputOf(context);
  requireType(context, b, 'int8');
  requireType(context, output, 'int8');
  const qa = quantizationOf(context, a);
  const qb = quantizationOf(context, b);
  const qo = quantizationOf(context, output);
  const twiceLarger = 2 * Math.max(qa.scale, qb.scale);
  const ma = quantizeMultiplier(qa.scale / twiceLarger);
  const mb = quantizeMultiplier(qb.scale / twiceLarger);
  const mo = quantizeMultiplier(twiceLarger / (2 ** leftShift * qo.scale));
  const [low, high] = quantizedLimits(context, output, optionsOf(context, options).fusedActivationFunction);
  const { requantize } = context.arithmetic;
  return elementwise(context, a, b, output, (x, y) => {
    const scaledA = requantize((x - qa.zeroPoint) << leftShift, ma.multiplier, ma.shift);
    const scaledB = requantize((y - qb.zeroPoint) << leftShift, mb.multiplier, mb.shift);
    const result = requantize((scaledA + sign * scaledB) | 0, mo.multiplier, mo.shift) + qo.zeroPoint;
    return clamp(result, low, high);
  });
}

function prepareFloat(context: OperatorContext, options: Options, sign: 1 | -1): () => void {
  const [low, high] = floatLimits(context, optionsOf(context, options).fusedActivationFunction);
  const output = outputOf(context);
  requireType(context, inputOf(context, 1), 'float32');
  requireType(context, output, 'float32');
  return elementwise(context, inputOf(context, 0), inputOf(context, 1), output, (x, y) => clamp(x + sign * y, low, high));
}

function family(name: OperatorName, options: Options, sign: 1 | -1): OperatorFamily {
  return {
    name,
    types: ['float32', 'int8'],
    prepare: (context) => byType(context, inputOf(context, 0), { float32: prepareFloat, int8: prepareInt8 })(context, options, sign),
    work: () => ({ kind: 'elementwise', macs: 0 }),
    memory: () => ({ options: [2, 1], persistent: [60] }),
  };
}

export const add = family('ADD', 'AddOptions', 1);
export const sub = family('SUB', 'SubOptions', -1);
