// RESHAPE, SQUEEZE and EXPAND_DIMS: the same elements under another shape.

import type { OperatorName } from '../../tflite/index.js';
import { inputOf, invalid, type OperatorContext, type OperatorFamily, type OperatorMemory, outputOf, requireType } from './operator.js';
import { anyType } from './rearrange.js';

function prepare(context: OperatorContext): () => void {
  const input = inputOf(context, 0);
  const output = outputOf(context);
  requireType(context, output, input.type);
  if (input.data.length !== output.data.length) {
    throw invalid(context, `${input.data.length} elements do not fit shape [${output.shape.join(', ')}]`);
  }
  const from = input.data as Float32Array;
  const to = output.data as Float32Array;
  return () => to.set(from);
}

function family(name: OperatorName, memory: OperatorMemory): OperatorFamily {
  return {
    name,
    types: anyType,
    prepare,
    work: () => ({ kind: 'copy', macs: 0 }),
    memory: () => memory,
  };
}

export const reshape = family('RESHAPE', { options: [36, 4] });
export const squeeze = family('SQUEEZE', { options: [36, 4] });
export const expandDims = family('EXPAND_DIMS', {});
