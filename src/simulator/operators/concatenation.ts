// CONCATENATION along one axis. int8 inputs must have the output's scale and zero point, as TFLM demands.

import { elementCount } from '../../tflite/index.js';
import { inputOf, invalid, type OperatorContext, type OperatorFamily, optionsOf, outputOf, quantizationOf, requireShape, requireType } from './operator.js';
import { anyType } from './rearrange.js';

function prepare(context: OperatorContext): () => void {
  const inputs = context.inputs.map((_, i) => inputOf(context, i));
  const output = outputOf(context);
  const { axis, fusedActivationFunction } = optionsOf(context, 'ConcatenationOptions');
  if (fusedActivationFunction !== 0) throw invalid(context, 'a fused activation');
  const rank = output.shape.length;
  const at = axis < 0 ? axis + rank : axis;
  if (at < 0 || at >= rank) throw invalid(context, `axis ${axis} of rank ${rank}`);
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
  const outer = elementCount(output.shape.slice(0, at));
  const inner = elementCount(output.shape.slice(at + 1));
  const to = output.data as Float32Array;
  return () => {
    let position = 0;
    for (let o = 0; o < outer; o++) {
      for (const input of inputs) {
        const length = (input.shape[at] as number) * inner;
        to.set((input.data as Float32Array).subarray(o * length, (o + 1) * length), position);
        position += length;
      }
    }
  };
}

export const concatenation: OperatorFamily = {
  name: 'CONCATENATION',
  types: anyType,
  prepare,
  work: () => ({ kind: 'copy', macs: 0 }),
  memory: () => ({ options: [8, 4], persistent: [24] }),
};
