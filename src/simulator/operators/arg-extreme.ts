// ARG_MAX and ARG_MIN along a constant axis: the first of equal elements counts.

import type { OperatorName } from '../../tflite/index.js';
import { aroundAxis, constantIntegers, resolveAxis } from './axes.js';
import { byType, inputOf, invalid, type OperatorContext, type OperatorFamily, outputOf, requireShape } from './operator.js';

function prepare(context: OperatorContext, beats: (value: number, best: number) => boolean): () => void {
  const input = inputOf(context, 0);
  const output = outputOf(context);
  const [named = 0] = constantIntegers(context, inputOf(context, 1));
  const axis = resolveAxis(context, named, input.shape.length);
  requireShape(context, output, input.shape.toSpliced(axis, 1));
  const { outer, size, inner } = aroundAxis(input.shape, axis);
  if (size === 0) throw invalid(context, 'an empty axis');
  const from = input.data as Float32Array;
  const store = byType(context, output, {
    int32: (at: number, index: number) => {
      (output.data as Int32Array)[at] = index;
    },
    int64: (at: number, index: number) => {
      (output.data as BigInt64Array)[at] = BigInt(index);
    },
  });
  return () => {
    for (let o = 0; o < outer; o++) {
      for (let n = 0; n < inner; n++) {
        const first = o * size * inner + n;
        let best = 0;
        for (let i = 1; i < size; i++) if (beats(from[first + i * inner] as number, from[first + best * inner] as number)) best = i;
        store(o * inner + n, best);
      }
    }
  };
}

function family(name: OperatorName, beats: (value: number, best: number) => boolean): OperatorFamily {
  return {
    name,
    types: ['float32', 'int8', 'uint8', 'int32'],
    prepare: (context) => prepare(context, beats),
    work: () => ({ kind: 'elementwise', macs: 0 }),
    memory: () => ({ options: [1, 1] }),
  };
}

export const argMax = family('ARG_MAX', (value, best) => value > best);
export const argMin = family('ARG_MIN', (value, best) => value < best);
