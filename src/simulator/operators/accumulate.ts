// ADD_N, the sum of any number of tensors, and CUMSUM along an axis. int8: both bring elements to half their scale with
// 20 extra bits and sum there (TFLite reference_ops::AddN, CumSum); their inputs share one scale.

import { quantizeMultiplier } from '../arithmetic/fixed-point.js';
import { clamp, clampFloat, floatLimits } from './activation.js';
import { aroundAxis, constantIntegers, resolveAxis } from './axes.js';
import { sameOperands } from './map.js';
import {
  byType,
  elementwiseFamily,
  inputOf,
  invalid,
  type OperatorContext,
  optionsOf,
  outputOf,
  quantizationOf,
  requireShape,
  requireType,
} from './operator.js';
import { sameShape } from './shapes.js';

const extraBits = 20;

/** Sums in any representation: floats, wrapping int32, or int8 with extra bits. */
interface Summation {
  readonly zero: number;
  readonly add: (sum: number, element: number) => number;
  readonly finish: (sum: number) => number;
}

function summationOf(context: OperatorContext): Summation {
  return byType(context, inputOf(context, 0), {
    float32: () => summationFloat(context),
    int32: () => ({
      zero: 0,
      add: (sum: number, element: number) => (sum + element) | 0,
      finish: (sum: number) => sum,
    }),
    int8: () => summationInt8(context),
  })();
}

/** TensorFlow Lite's ADD_N repeats its ADD, which limits results to finite values. */
function summationFloat(context: OperatorContext): Summation {
  const [low, high] = floatLimits(context, 0);
  const clamps = context.name === 'ADD_N' && context.arithmetic.runtime === 'tflite';
  return {
    zero: 0,
    add: (sum, element) => Math.fround(sum + element),
    finish: clamps ? (sum) => clampFloat(sum, low, high) : (sum) => sum,
  };
}

function summationInt8(context: OperatorContext): Summation {
  const from = quantizationOf(context, inputOf(context, 0));
  const to = quantizationOf(context, outputOf(context));
  const twice = 2 * from.scale;
  const input = quantizeMultiplier(from.scale / twice);
  const output = quantizeMultiplier(twice / (2 ** extraBits * to.scale));
  const { requantize } = context.arithmetic;
  const bring = (value: number): number => requantize(value << extraBits, input.multiplier, input.shift);
  return {
    // Not 0: the reference kernels start from an element of value 0, minus the zero point.
    zero: bring(-from.zeroPoint),
    add: (sum, element) => (sum + bring(element - from.zeroPoint)) | 0,
    finish: (sum) => clamp(requantize(sum, output.multiplier, output.shift) + to.zeroPoint, -128, 127),
  };
}

function prepareAddN(context: OperatorContext): () => void {
  const inputs = context.inputs.map((_, i) => inputOf(context, i));
  const output = outputOf(context);
  const first = inputOf(context, 0);
  for (const input of inputs) {
    requireType(context, input, output.type);
    requireShape(context, input, first.shape);
    if (input.type === 'int8' && (input.scale[0] !== first.scale[0] || input.zeroPoint[0] !== first.zeroPoint[0])) {
      throw invalid(context, `input ${input.label} is not quantized like the first`);
    }
  }
  const { zero, add, finish } = summationOf(context);
  const from = inputs.map(({ data }) => data as Float32Array);
  const to = output.data as Float32Array;
  return () => {
    for (let i = 0; i < to.length; i++) to[i] = finish(from.reduce((sum, data) => add(sum, data[i] as number), zero));
  };
}

function prepareCumsum(context: OperatorContext): () => void {
  const { input, output } = sameOperands(context);
  const { exclusive, reverse } = optionsOf(context, 'CumsumOptions');
  const axis = resolveAxis(context, constantIntegers(context, inputOf(context, 1))[0] ?? 0, input.shape.length);
  const { outer, size, inner } = aroundAxis(input.shape, axis);
  const { zero, add, finish } = summationOf(context);
  const from = input.data as Float32Array;
  const to = output.data as Float32Array;
  return () => {
    for (let o = 0; o < outer; o++) {
      for (let n = 0; n < inner; n++) {
        let sum = zero;
        for (let i = 0; i < size; i++) {
          const at = (o * size + (reverse ? size - 1 - i : i)) * inner + n;
          const next = add(sum, from[at] as number);
          to[at] = finish(exclusive ? sum : next);
          sum = next;
        }
      }
    }
  };
}

/** ADD_N's scratch is a table of its inputs' addresses. */
export const addN = elementwiseFamily('ADD_N', sameShape, { float32: prepareAddN, int8: prepareAddN }, (context) => ({
  persistent: [40],
  scratch: [4 * context.inputs.length],
}));
export const cumsum = elementwiseFamily(
  'CUMSUM',
  sameShape,
  { float32: prepareCumsum, int8: prepareCumsum, int32: prepareCumsum },
  (context) => ({
    options: [2, 1],
    persistent: inputOf(context, 0).type === 'int8' ? [36] : [],
  }),
);
