// ADD and SUB with broadcasting. int8, int16 (TFLite reference_integer_ops::AddElementwise, reference_ops::Add): both
// inputs are converted to twice the larger of their scales with extra bits, added, and converted to the output's scale.

import type { ElementType, OperatorName } from '../../formats/tflite/index.js';
import { quantizeMultiplier } from '../arithmetic/fixed-point.js';
import { clamp, floatLimits, quantizedLimits } from './activation.js';
import { elementwise } from './broadcast.js';
import { addBlocks, type IntegerAdd } from './in-blocks.js';
import {
  bound,
  elementwiseFamily,
  inputOf,
  type OperatorContext,
  type OperatorFamily,
  optionsOf,
  outputOf,
  quantizationOf,
  requireType,
} from './operator.js';
import { broadcastShape } from './shapes.js';

/** Extra bits for the sum. */
const extraBits: Partial<Record<ElementType, number>> = { int8: 20, uint8: 20, int16: 15 };

interface Kind {
  readonly name: OperatorName;
  readonly options: 'AddOptions' | 'SubOptions';
  readonly sign: 1 | -1;
  /**
   * Rounding of the scale ratios. TFLM at 90b983c2 computes them in double for ADD, in float32 for SUB (add_common.cc,
   * sub_common.cc).
   */
  readonly ratio: (context: OperatorContext) => (ratio: number) => number;
  readonly stateBytes: number;
}

export function addOf(context: OperatorContext, kind: Kind = addKind): IntegerAdd {
  const [a, b, output] = [inputOf(context, 0), inputOf(context, 1), outputOf(context)];
  requireType(context, b, a.type);
  requireType(context, output, a.type);
  const bits = extraBits[a.type] ?? 0;
  const [qa, qb, qo] = [quantizationOf(context, a), quantizationOf(context, b), quantizationOf(context, output)];
  const keep = kind.ratio(context);
  const twiceLarger = 2 * Math.max(qa.scale, qb.scale);
  const [low, high] = quantizedLimits(context, output, optionsOf(context, kind.options).fusedActivationFunction);
  return {
    zeros: { a: qa.zeroPoint, b: qb.zeroPoint, output: qo.zeroPoint },
    first: quantizeMultiplier(keep(qa.scale / twiceLarger)),
    second: quantizeMultiplier(keep(qb.scale / twiceLarger)),
    result: quantizeMultiplier(keep(twiceLarger / (2 ** bits * qo.scale))),
    low,
    high,
    extraBits: bits,
  };
}

function prepareInteger(context: OperatorContext, kind: Kind): () => void {
  const numbers = addOf(context, kind);
  const { zeros, first, second, result, low, high, extraBits: bits } = numbers;
  const { requantize, pairsInBlocks } = context.arithmetic;
  const [a, b] = [inputOf(context, 0), inputOf(context, 1)];
  const blocks = pairsInBlocks && kind.name === 'ADD' ? addBlocks(a, b, numbers) : null;
  return elementwise(context, a, b, outputOf(context), (x, y, index) => {
    if (blocks?.has(index)) return blocks.combine(x, y);
    const scaledA = requantize((x - zeros.a) << bits, first.multiplier, first.shift);
    const scaledB = requantize((y - zeros.b) << bits, second.multiplier, second.shift);
    const sum = requantize((scaledA + kind.sign * scaledB) | 0, result.multiplier, result.shift) + zeros.output;
    return clamp(sum, low, high);
  });
}

function prepareFloat(context: OperatorContext, kind: Kind): () => void {
  const [low, high] = floatLimits(context, optionsOf(context, kind.options).fusedActivationFunction);
  const output = outputOf(context);
  requireType(context, inputOf(context, 1), 'float32');
  requireType(context, output, 'float32');
  return elementwise(context, inputOf(context, 0), inputOf(context, 1), output, (x, y) =>
    clamp(x + kind.sign * y, low, high),
  );
}

function prepareInt32(context: OperatorContext, kind: Kind): () => void {
  const clamps = kind.name === 'SUB' || context.arithmetic.clampsInt32Add;
  const [low, high] = floatLimits(context, clamps ? optionsOf(context, kind.options).fusedActivationFunction : 0);
  const output = outputOf(context);
  requireType(context, inputOf(context, 1), 'int32');
  requireType(context, output, 'int32');
  return elementwise(context, inputOf(context, 0), inputOf(context, 1), output, (x, y) =>
    clamp((x + kind.sign * y) | 0, low, high),
  );
}

function family(kind: Kind): OperatorFamily {
  const prepares = {
    float32: prepareFloat,
    int8: prepareInteger,
    uint8: prepareInteger,
    int16: prepareInteger,
    int32: prepareInt32,
  };
  return elementwiseFamily(kind.name, broadcastShape(0, 1), bound(prepares, kind), () => ({
    options: [2, 1],
    persistent: [kind.stateBytes],
  }));
}

const addKind: Kind = { name: 'ADD', options: 'AddOptions', sign: 1, ratio: () => (ratio) => ratio, stateBytes: 60 };

export const add = family(addKind);
export const sub = family({
  name: 'SUB',
  options: 'SubOptions',
  sign: -1,
  ratio: (context) => context.arithmetic.subRatio,
  stateBytes: 52,
});
