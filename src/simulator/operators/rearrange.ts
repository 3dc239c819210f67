// Operators that only move elements from fixed places: TRANSPOSE, SLICE, REVERSE_V2, TILE, BROADCAST_TO,
// SPACE_TO_DEPTH, DEPTH_TO_SPACE, RESIZE_NEAREST_NEIGHBOR. A table gives the source of each output element.

import type { OperatorName } from '../../formats/tflite/index.js';
import { constantIntegers, resolveAxis } from './axes.js';
import { broadcastIndex } from './broadcast.js';
import {
  anyType,
  copyFamily,
  inputOf,
  invalid,
  type Operand,
  type OperatorContext,
  type OperatorFamily,
  type OperatorMemory,
  optionsOf,
  outputOf,
  requireRank,
  requireType,
} from './operator.js';
import { forEachPosition, strides } from './positions.js';
import { asShape, knownIntegers, whereKnown } from './shapes.js';

/** Copies `input[table[i]]` to `output[i]`. */
export function gatherElements(input: Operand, output: Operand, table: Int32Array): () => void {
  const from = input.data as Float32Array;
  const to = output.data as Float32Array;
  return () => {
    for (let i = 0; i < table.length; i++) to[i] = from[table[i] as number] as number;
  };
}

/** For every output position, in order, the index of the input element at the position that `place` returns. */
function tableOf(
  input: Operand,
  output: Operand,
  place: (position: readonly number[]) => readonly number[],
): Int32Array {
  const stride = strides(input.shape);
  const table = new Int32Array(output.count);
  forEachPosition(output.shape, (position, index) => {
    table[index] = place(position).reduce((sum, at, d) => sum + at * (stride[d] as number), 0);
  });
  return table;
}

interface Rearrangement {
  readonly shape: readonly number[];
  /** Maps an output position to an input position. */
  readonly place: (position: readonly number[]) => readonly number[];
}

function family(
  name: OperatorName,
  valuesFrom: readonly number[],
  of: (context: OperatorContext, input: Operand) => Rearrangement,
  memory: OperatorMemory = {},
): OperatorFamily {
  const shapes = whereKnown((context) => [of(context, inputOf(context, 0)).shape], ...valuesFrom);
  return copyFamily(name, anyType, shapes, prepareWith(of), memory);
}

function prepareWith(of: (context: OperatorContext, input: Operand) => Rearrangement): OperatorFamily['prepare'] {
  return (context) => {
    const input = inputOf(context, 0);
    const output = outputOf(context);
    requireType(context, output, input.type);
    return gatherElements(input, output, tableOf(input, output, of(context, input).place));
  };
}

export const transpose = family('TRANSPOSE', [1], (context, input) => {
  const permutation = constantIntegers(context, inputOf(context, 1)).map((axis) =>
    resolveAxis(context, axis, input.shape.length),
  );
  if (permutation.length !== input.shape.length || new Set(permutation).size !== permutation.length) {
    throw invalid(context, `[${permutation.join(', ')}] is no permutation of ${input.shape.length} dimensions`);
  }
  const inverse = permutation.map((_, d) => permutation.indexOf(d));
  return {
    shape: permutation.map((axis) => input.shape[axis] as number),
    place: (position) => inverse.map((d) => position[d] as number),
  };
});

export const slice = family('SLICE', [1, 2], (context, input) => {
  const [begin, size] = [1, 2].map((i) => constantIntegers(context, inputOf(context, i))) as [number[], number[]];
  const rank = input.shape.length;
  if (begin.length !== rank || size.length !== rank) throw invalid(context, `begin and size must have ${rank} values`);
  const shape = input.shape.map((whole, d) => (size[d] === -1 ? whole - (begin[d] as number) : (size[d] as number)));
  const outside = shape.findIndex(
    (length, d) => length < 0 || (begin[d] as number) < 0 || (begin[d] as number) + length > (input.shape[d] as number),
  );
  if (outside >= 0)
    throw invalid(
      context,
      `dimension ${outside} of ${input.shape[outside]} is cut at ${begin[outside]}, ${shape[outside]} long`,
    );
  return { shape, place: (position) => position.map((at, d) => at + (begin[d] as number)) };
});

export const reverseV2 = family('REVERSE_V2', [1], (context, input) => {
  const axes = new Set(
    constantIntegers(context, inputOf(context, 1)).map((axis) => resolveAxis(context, axis, input.shape.length)),
  );
  return {
    shape: input.shape,
    place: (position) => position.map((at, d) => (axes.has(d) ? (input.shape[d] as number) - 1 - at : at)),
  };
});

export const tile = family('TILE', [1], (context, input) => {
  const times = constantIntegers(context, inputOf(context, 1));
  if (times.length !== input.shape.length || times.some((count) => count < 0))
    throw invalid(context, `[${times.join(', ')}] are no repetitions of its input`);
  return {
    shape: input.shape.map((size, d) => size * (times[d] as number)),
    place: (position) => position.map((at, d) => at % (input.shape[d] as number)),
  };
});

export const spaceToDepth = family(
  'SPACE_TO_DEPTH',
  [],
  (context, input) => {
    const { blockSize } = optionsOf(context, 'SpaceToDepthOptions');
    requireRank(context, input, 4);
    const [n, h, w, c] = input.shape as [number, number, number, number];
    if (blockSize < 1 || h % blockSize !== 0 || w % blockSize !== 0)
      throw invalid(context, `[${input.shape.join(', ')}] does not divide into blocks of ${blockSize}`);
    return {
      shape: [n, h / blockSize, w / blockSize, c * blockSize * blockSize],
      place: ([b, y, x, d]) => {
        const block = Math.floor((d as number) / c);
        return [
          b as number,
          (y as number) * blockSize + Math.floor(block / blockSize),
          (x as number) * blockSize + (block % blockSize),
          (d as number) % c,
        ];
      },
    };
  },
  { options: [4, 4] },
);

export const depthToSpace = family(
  'DEPTH_TO_SPACE',
  [],
  (context, input) => {
    const { blockSize } = optionsOf(context, 'DepthToSpaceOptions');
    requireRank(context, input, 4);
    const [n, h, w, c] = input.shape as [number, number, number, number];
    if (blockSize < 1 || c % (blockSize * blockSize) !== 0)
      throw invalid(context, `${c} channels do not divide into blocks of ${blockSize}`);
    const depth = c / (blockSize * blockSize);
    return {
      shape: [n, h * blockSize, w * blockSize, depth],
      place: ([b, y, x, d]) => {
        const block = ((y as number) % blockSize) * blockSize + ((x as number) % blockSize);
        return [
          b as number,
          Math.floor((y as number) / blockSize),
          Math.floor((x as number) / blockSize),
          block * depth + (d as number),
        ];
      },
    };
  },
  { options: [4, 4] },
);

/** One coordinate of the nearest input pixel, in float32 as TFLite computes it (resize_nearest_neighbor.h). */
function nearest(at: number, input: number, output: number, alignCorners: boolean, halfPixelCenters: boolean): number {
  const { fround } = Math;
  const scale = alignCorners && output > 1 ? fround((input - 1) / (output - 1)) : fround(input / output);
  const scaled = fround(fround(at + (halfPixelCenters ? 0.5 : 0)) * scale);
  return Math.max(0, Math.min(alignCorners ? Math.floor(scaled + 0.5) : Math.floor(scaled), input - 1));
}

export const resizeNearestNeighbor = family(
  'RESIZE_NEAREST_NEIGHBOR',
  [1],
  (context, input) => {
    const { alignCorners, halfPixelCenters } = optionsOf(context, 'ResizeNearestNeighborOptions');
    requireRank(context, input, 4);
    const [n, h, w, c] = input.shape as [number, number, number, number];
    const [height = 0, width = 0] = constantIntegers(context, inputOf(context, 1));
    if (h < 1 || w < 1) throw invalid(context, 'an empty input');
    const along = (at: number, from: number, to: number): number =>
      nearest(at, from, to, alignCorners, halfPixelCenters);
    return {
      shape: [n, height, width, c],
      place: ([b, y, x, d]) => [b as number, along(y as number, h, height), along(x as number, w, width), d as number],
    };
  },
  { options: [2, 1] },
);

function prepareBroadcastTo(context: OperatorContext): () => void {
  const input = inputOf(context, 0);
  const output = outputOf(context);
  requireType(context, output, input.type);
  return gatherElements(
    input,
    output,
    broadcastIndex(context, input, output) ?? Int32Array.from({ length: output.count }, (_, i) => i),
  );
}

export const broadcastTo = copyFamily(
  'BROADCAST_TO',
  anyType,
  (context) => asShape(knownIntegers(inputOf(context, 1))),
  prepareBroadcastTo,
);
