// CONCATENATION along one axis. int8 inputs must have the output's scale and zero point, as TFLM demands; uint8 ones are rescaled in
// float32 (TFLite reference_ops::ConcatenationWithScaling).

import { roundHalfAway } from '../arithmetic/fixed-point.js';
import { clamp } from './activation.js';
import { aroundAxis, resolveAxis } from './axes.js';
import {
  inputOf,
  invalid,
  type Operand,
  type OperatorContext,
  type OperatorFamily,
  optionsOf,
  outputOf,
  quantizationOf,
  requireShape,
  requireType,
} from './operator.js';
import { anyType } from './rearrange.js';

function prepare(context: OperatorContext): () => void {
  const inputs = context.inputs.map((_, i) => inputOf(context, i));
  const output = outputOf(context);
  const { axis, fusedActivationFunction } = optionsOf(context, 'ConcatenationOptions');
  if (fusedActivationFunction !== 0) throw invalid(context, 'a fused activation');
  const at = resolveAxis(context, axis, output.shape.length);
  let total = 0;
  for (const input of inputs) {
    requireType(context, input, output.type);
    requireShape(context, input, output.shape.with(at, input.shape[at] ?? -1));
    total += input.shape[at] as number;
    if (output.type === 'int8') {
      const a = quantizationOf(context, input);
      const b = quantizationOf(context, output);
      if (a.scale !== b.scale || a.zeroPoint !== b.zeroPoint) throw invalid(context, `input ${input.label} is not quantized like the output`);
    }
  }
  if (total !== output.shape[at]) throw invalid(context, `inputs of ${total} in all along axis ${at}, output ${output.shape[at]}`);
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

/** From an input's uint8 to the output's; null where they are quantized alike. */
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

export const concatenation: OperatorFamily = {
  name: 'CONCATENATION',
  types: anyType,
  prepare,
  work: () => ({ kind: 'copy', macs: 0 }),
  memory: () => ({ options: [8, 4], persistent: [24] }),
};
