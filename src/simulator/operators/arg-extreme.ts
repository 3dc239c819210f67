// ARG_MAX and ARG_MIN along a constant axis: of equal elements the first one counts.

import type { OperatorName } from '../../formats/tflite/index.js';
import { aroundAxis, constantIntegers, resolveAxis } from './axes.js';
import {
  bound,
  byType,
  elementwiseFamily,
  inputOf,
  invalid,
  type OperatorContext,
  type OperatorFamily,
  outputOf,
} from './operator.js';
import { whereKnown } from './shapes.js';

type Beats = (value: number, best: number) => boolean;

function axisOf(context: OperatorContext): number {
  const [named = 0] = constantIntegers(context, inputOf(context, 1));
  return resolveAxis(context, named, inputOf(context, 0).shape.length);
}

const withoutAxis = whereKnown((context) => [inputOf(context, 0).shape.toSpliced(axisOf(context), 1)], 1);

function prepare(context: OperatorContext, beats: Beats): () => void {
  const input = inputOf(context, 0);
  const output = outputOf(context);
  const axis = axisOf(context);
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
        for (let i = 1; i < size; i++)
          if (beats(from[first + i * inner] as number, from[first + best * inner] as number)) best = i;
        store(o * inner + n, best);
      }
    }
  };
}

function family(name: OperatorName, beats: Beats): OperatorFamily {
  const prepares = { float32: prepare, int8: prepare, uint8: prepare, int32: prepare };
  return elementwiseFamily(name, withoutAxis, bound(prepares, beats), () => ({ options: [1, 1] }));
}

export const argMax = family('ARG_MAX', (value, best) => value > best);
export const argMin = family('ARG_MIN', (value, best) => value < best);
