// CONCATENATION along one axis. int8 inputs must have the output's scale and zero point, as TFLM requires; uint8 inputs
// are rescaled in float32 (TFLite reference_ops::ConcatenationWithScaling).

import { roundHalfAway } from '../arithmetic/fixed-point.js';
import { clamp } from './activation.js';
import { aroundAxis, resolveAxis } from './axes.js';
import {
  anyType,
  copyFamily,
  inputOf,
  invalid,
  type Operand,
  type OperatorContext,
  optionsOf,
  outputOf,
  quantizationOf,
  requireShape,
  requireType,
  type ShapeRule,
} from './operator.js';

/** The inputs, and the axis of concatenation. */
function partsOf(context: OperatorContext): { inputs: readonly Operand[]; at: number } {
  const inputs = context.inputs.map((_, i) => inputOf(context, i));
  const { shape } = inputOf(context, 0);
  const at = resolveAxis(context, optionsOf(context, 'ConcatenationOptions').axis, shape.length);
  for (const input of inputs) requireShape(context, input, shape.with(at, input.shape[at] ?? -1));
  return { inputs, at };
}

const joinedShape: ShapeRule = (context) => {
  const { inputs, at } = partsOf(context);
  const total = inputs.reduce((sum, { shape }) => sum + (shape[at] as number), 0);
  return [inputOf(context, 0).shape.with(at, total)];
};

function prepare(context: OperatorContext): () => void {
  const { inputs, at } = partsOf(context);
  const output = outputOf(context);
  if (optionsOf(context, 'ConcatenationOptions').fusedActivationFunction !== 0)
    throw invalid(context, 'a fused activation');
  for (const input of inputs) {
    requireType(context, input, output.type);
    if (output.type === 'int8') {
      const a = quantizationOf(context, input);
      const b = quantizationOf(context, output);
      if (a.scale !== b.scale || a.zeroPoint !== b.zeroPoint)
        throw invalid(context, `input ${input.label} is not quantized like the output`);
    }
  }
  const { outer, inner } = aroundAxis(output.shape, at);
  const to = output.data as Float32Array;
  const sources = inputs.map((input) => ({
    data: input.data as Float32Array,
    length: (input.shape[at] as number) * inner,
    rescale: rescalingOf(context, input, output),
  }));
  return () => {
    let position = 0;
    for (let o = 0; o < outer; o++) {
      for (const { data, length, rescale } of sources) {
        const part = data.subarray(o * length, (o + 1) * length);
        if (rescale === null) to.set(part, position);
        else for (let i = 0; i < length; i++) to[position + i] = rescale(part[i] as number);
        position += length;
      }
    }
  };
}

/** Converts an input's uint8 to the output's; null if the quantization is the same. */
function rescalingOf(context: OperatorContext, input: Operand, output: Operand): ((value: number) => number) | null {
  if (output.type !== 'uint8' || output.scale.length === 0) return null;
  const from = quantizationOf(context, input);
  const to = quantizationOf(context, output);
  if (from.scale === to.scale && from.zeroPoint === to.zeroPoint) return null;
  const { fround } = Math;
  const scale = fround(from.scale * fround(1 / to.scale));
  const bias = fround(-from.zeroPoint * scale);
  return (value) => clamp(roundHalfAway(fround(fround(value * scale) + bias)) + to.zeroPoint, 0, 255);
}

export const concatenation = copyFamily('CONCATENATION', anyType, joinedShape, prepare, {
  options: [8, 4],
  persistent: [24],
});
