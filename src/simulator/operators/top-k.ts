// TOPK_V2: the k largest elements of each row (last dimension) in descending order, and their indices; of equal
// elements the first comes first.

import type { ElementType } from '../../formats/tflite/index.js';
import { constantIntegers } from './axes.js';
import { inputOf, invalid, type OperatorFamily, outputOf, requireType } from './operator.js';
import { whereKnown } from './shapes.js';

const topKTypes: readonly ElementType[] = ['float32', 'int8', 'uint8', 'int16', 'int32'];

export const topKV2: OperatorFamily = {
  name: 'TOPK_V2',
  types: topKTypes,
  shapes: whereKnown((context) => {
    const { shape } = inputOf(context, 0);
    const [k = 0] = constantIntegers(context, inputOf(context, 1));
    if (shape.length === 0 || k < 0 || k > (shape.at(-1) ?? 0))
      throw invalid(context, `the ${k} largest of ${shape.at(-1) ?? 0}`);
    return [shape.with(-1, k), shape.with(-1, k)];
  }, 1),
  prepare: (context) => {
    const input = inputOf(context, 0);
    if (!topKTypes.includes(input.type))
      throw invalid(context, `input 0 is ${input.type}; the kernel takes ${topKTypes.join(', ')}`);
    const [values, indices] = [outputOf(context, 0), outputOf(context, 1)];
    const [k = 0] = constantIntegers(context, inputOf(context, 1));
    const depth = input.shape.at(-1) ?? 0;
    requireType(context, values, input.type);
    requireType(context, indices, 'int32');
    const from = input.data as Float32Array;
    const rows = depth === 0 ? 0 : input.count / depth;
    return () => {
      for (let r = 0; r < rows; r++) {
        const row = from.subarray(r * depth, (r + 1) * depth);
        const order = Array.from(row.keys()).sort((a, b) => (row[b] as number) - (row[a] as number) || a - b);
        for (let i = 0; i < k; i++) {
          (values.data as Float32Array)[r * k + i] = row[order[i] as number] as number;
          (indices.data as Int32Array)[r * k + i] = order[i] as number;
        }
      }
    };
  },
  work: () => ({ kind: 'elementwise', macs: 0 }),
  memory: () => ({}),
};
