// Functions of one element: ABS, CEIL, COS, EXP, FLOOR, LOG, NEG, ROUND, RSQRT, SIGN, SIN, SQRT, SQUARE, GELU,
// LOGICAL_NOT. Integer ABS and RSQRT: TFLM elementwise.cc; integer EXP, LOG and GELU: tables of TFLite's exp.cc,
// elementwise.cc and activations.cc; integer SQRT and NEG: its elementwise.cc and neg.cc.

import type { OperatorName } from '../../formats/tflite/index.js';
import { quantizeMultiplier, roundHalfEven } from '../arithmetic/fixed-point.js';
import { inverseSquareRoot } from '../arithmetic/inverse-square-root.js';
import { clamp, integerLimits } from './activation.js';
import { mapFloatTable } from './float-table.js';
import { mapElements, sameOperands } from './map.js';
import {
  elementwiseFamily,
  ends,
  inputOf,
  invalid,
  type OperatorContext,
  type OperatorFamily,
  optionsOf,
  outputOf,
  quantizationOf,
} from './operator.js';
import { sameShape } from './shapes.js';

type Prepare = OperatorFamily['prepare'];

const { fround } = Math;

const each =
  (map: (value: number) => number): Prepare =>
  (context) =>
    mapElements(context, map);

const float = (name: OperatorName, map: (value: number) => number): OperatorFamily =>
  elementwiseFamily(name, sameShape, { float32: each(map) });

/** The ratio of the scales is rounded to float32 before it becomes a multiplier; equal scales are not rescaled. */
function absInteger(context: OperatorContext): () => void {
  const { input, output } = sameOperands(context);
  if (input.type === 'int16' && input.scale.length === 0) return mapElements(context, Math.abs);
  const from = quantizationOf(context, input);
  const to = quantizationOf(context, output);
  const { multiplier, shift } = quantizeMultiplier(fround(from.scale / to.scale));
  const [low, high] = integerLimits(output);
  const { requantize } = context.arithmetic;
  const rescale =
    from.scale === to.scale
      ? (value: number): number => value
      : (value: number): number => requantize(value, multiplier, shift);
  return mapElements(context, (value) => clamp(rescale(Math.abs(value - from.zeroPoint)) + to.zeroPoint, low, high));
}

/** Both runtimes fail if the input contains a negative value. */
const fromZeroUp =
  (prepare: Prepare): Prepare =>
  (context) => {
    const { data } = inputOf(context, 0) as { data: Int8Array };
    const { zeroPoint } = quantizationOf(context, inputOf(context, 0));
    const step = prepare(context);
    return () => {
      if (data.some((value) => value < zeroPoint))
        throw ends(context, 'its input has negative values, at which the kernel ends with an error');
      step();
    };
  };

/** TFLite elementwise.cc, SqrtEvalQuantized: computed in float32, the quotient truncated. */
function sqrtInteger(context: OperatorContext): () => void {
  const from = quantizationOf(context, inputOf(context, 0));
  const to = quantizationOf(context, outputOf(context));
  const [low, high] = integerLimits(outputOf(context));
  return mapElements(context, (value) => {
    const root = fround(Math.sqrt(fround(from.scale * (value - from.zeroPoint))));
    return clamp(Math.trunc(fround(root / to.scale)) + to.zeroPoint, low, high);
  });
}

/**
 * Fixed point as in the kernels. TFLite uses a lookup table for int16, which maps 0 to the largest output
 * (elementwise.cc).
 */
function rsqrtInteger(context: OperatorContext): () => void {
  const [input, output] = [inputOf(context, 0), outputOf(context)];
  const from = quantizationOf(context, input);
  const to = quantizationOf(context, output);
  const [low, high] = integerLimits(output);
  if (input.type === 'int16' && context.arithmetic.runtime === 'tflite') {
    const largest = fround(high * to.scale);
    return mapFloatTable(context, (x) => (x <= 0 ? largest : fround(1 / fround(Math.sqrt(x)))));
  }
  const { multiplier, shift } = quantizeMultiplier(1 / fround(fround(Math.sqrt(from.scale)) * to.scale));
  const { requantize } = context.arithmetic;
  const extra = 20;
  return mapElements(context, (value) => {
    const centered = value - from.zeroPoint;
    if (centered <= 0) return high;
    const inverse = inverseSquareRoot(centered);
    return clamp(
      requantize(requantize(1, inverse.multiplier, inverse.shift + extra), multiplier, shift - extra) + to.zeroPoint,
      low,
      high,
    );
  });
}

/** x * Phi(x); approximate: with tanh (TFLite gelu.h). */
function geluFloat(context: OperatorContext): () => void {
  const { approximate } = optionsOf(context, 'GeluOptions');
  if (approximate)
    return mapElements(context, (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))));
  return mapElements(context, (x) => 0.5 * x * (1 + errorFunction(x / Math.SQRT2)));
}

/** The same by a table, with every step in float32 as in TFLite's gelu.h. */
function geluInteger(context: OperatorContext): () => void {
  const { approximate } = optionsOf(context, 'GeluOptions');
  const [slope, cubic] = [fround(Math.sqrt(2 / Math.PI)), fround(0.044715)];
  const withTanh = (x: number): number => {
    const inner = fround(x + fround(fround(fround(cubic * x) * x) * x));
    return fround(fround(0.5 * x) * fround(1 + fround(Math.tanh(fround(slope * inner)))));
  };
  const withErf = (x: number): number =>
    fround(fround(0.5 * x) * fround(1 - errorFunction(fround(x * fround(-Math.SQRT1_2)))));
  return mapFloatTable(context, approximate ? withTanh : withErf);
}

/** For values without a logarithm: the lowest output value. */
function logInteger(context: OperatorContext): () => void {
  const { scale, zeroPoint } = quantizationOf(context, outputOf(context));
  const [lowest] = integerLimits(outputOf(context));
  const outputMin = fround((lowest - zeroPoint) * scale);
  return mapFloatTable(context, (x) => (x <= 0 ? outputMin : fround(Math.log(x))));
}

const expInteger = (context: OperatorContext): (() => void) => mapFloatTable(context, (x) => fround(Math.exp(x)));

/** erf(x) by its series near 0 and its continued fraction beyond, with more digits than float32. */
function errorFunction(x: number): number {
  const magnitude = Math.abs(x);
  if (magnitude < 2.5) {
    let [term, sum] = [magnitude, magnitude];
    for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
      term *= -(magnitude * magnitude) / n;
      sum += term / (2 * n + 1);
    }
    return (Math.sign(x) * 2 * sum) / Math.sqrt(Math.PI);
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (magnitude + fraction);
  return Math.sign(x) * (1 - Math.exp(-magnitude * magnitude) / ((magnitude + fraction) * Math.sqrt(Math.PI)));
}

function logicalNot(context: OperatorContext): () => void {
  if (outputOf(context).type !== 'bool') throw invalid(context, 'its output must be bool');
  return mapElements(context, (value) => (value === 0 ? 1 : 0));
}

export const abs = elementwiseFamily(
  'ABS',
  sameShape,
  { float32: each(Math.abs), int8: absInteger, int16: absInteger, int32: each(Math.abs) },
  () => ({
    persistent: [20],
  }),
);
export const rsqrt = elementwiseFamily(
  'RSQRT',
  sameShape,
  { float32: each((x) => 1 / fround(Math.sqrt(x))), int8: fromZeroUp(rsqrtInteger), int16: fromZeroUp(rsqrtInteger) },
  () => ({
    persistent: [20],
  }),
);
export const ceil = float('CEIL', Math.ceil);
export const cos = float('COS', Math.cos);
export const exp = elementwiseFamily('EXP', sameShape, {
  float32: each(Math.exp),
  int8: expInteger,
  int16: expInteger,
});
export const floor = float('FLOOR', Math.floor);
export const gelu = elementwiseFamily('GELU', sameShape, {
  float32: geluFloat,
  int8: geluInteger,
  uint8: geluInteger,
  int16: geluInteger,
});
export const log = elementwiseFamily('LOG', sameShape, {
  float32: each(Math.log),
  int8: logInteger,
  int16: logInteger,
});
export const logicalNotOperator = elementwiseFamily('LOGICAL_NOT', sameShape, { bool: logicalNot });
export const neg = elementwiseFamily('NEG', sameShape, {
  float32: each((x) => -x),
  // TFLite negates the stored value and ignores the zero point.
  int8: each((x) => -x),
  int16: each((x) => -x),
  int32: each((x) => -x | 0),
});
export const round = float('ROUND', roundHalfEven);
export const sign = elementwiseFamily('SIGN', sameShape, { float32: each(Math.sign), int32: each(Math.sign) });
export const sin = float('SIN', Math.sin);
export const sqrt = elementwiseFamily('SQRT', sameShape, {
  float32: each(Math.sqrt),
  int8: fromZeroUp(sqrtInteger),
  int16: fromZeroUp(sqrtInteger),
});
export const square = float('SQUARE', (x) => x * x);
