// Layers of Keras that move, repeat, add or drop elements.

import { elementAt } from '../../../base/checked.js';
import { elementCount } from '../../../formats/tflite/index.js';
import * as emit from '../emit.js';
import { inputAt, type NodeReader } from '../node-reader.js';
import { gatheredBy, joined, type NdArray, padded, reshaped, slicedAxis, transposed } from '../reference/arrays.js';
import { type Interpolation, resizedImage } from '../reference/resize.js';
import type { OperatorTable, SourceOperator } from '../source-operator.js';
import { asImage, type Dimensions, requireChannelsLast } from './windows.js';

/** A layer or function that gives the elements another shape. */
export function reshaping(shapeOf: (node: NodeReader, shape: readonly number[]) => readonly number[]): SourceOperator {
  return {
    lower: (node, inputs, graph) => {
      const x = inputAt(node, inputs, 0);
      return [emit.reshape(graph, x, shapeOf(node, x.shape))];
    },
    evaluate: (node, inputs) => {
      const x = inputAt(node, inputs, 0);
      return [reshaped(x, shapeOf(node, x.shape))];
    },
  };
}

/** A target shape without the batch, in which one -1 stands for what remains. */
function targetShape(node: NodeReader, [batch = 1, ...rest]: readonly number[]): number[] {
  const value = node.value('target_shape');
  // TensorFlow.js writes null for -1.
  const list = Array.isArray(value) ? value.map((size) => size ?? -1) : [];
  const sizes = list.filter((size): size is number => typeof size === 'number' && Number.isInteger(size) && size >= -1);
  if (!Array.isArray(value) || sizes.length !== list.length) throw node.invalid('target_shape', value ?? null);
  const count = elementCount(rest);
  const known = elementCount(sizes.filter((size) => size !== -1));
  const shape = sizes.map((size) => (size === -1 ? count / known : size));
  if (elementCount(shape) !== count)
    throw node.refused(`its target_shape [${sizes.join(', ')}] does not hold ${count} elements`);
  return [batch, ...shape];
}

const flatten = reshaping((node, [batch = 1, ...rest]) => {
  if (rest.length > 1) requireChannelsLast(node);
  return [batch, elementCount(rest)];
});

function permutation(node: NodeReader, rank: number): number[] {
  const order = [0, ...node.integers('dims', rank - 1, 0)];
  if (order.toSorted((a, b) => a - b).some((axis, d) => axis !== d)) throw node.invalid('dims', order.slice(1));
  return order;
}

/** A layer or function that reorders the axes. */
export function permuting(orderOf: (node: NodeReader, rank: number) => readonly number[]): SourceOperator {
  return {
    lower: (node, inputs, graph) => {
      const x = inputAt(node, inputs, 0);
      return [emit.transpose(graph, x, orderOf(node, x.shape.length))];
    },
    evaluate: (node, inputs) => {
      const x = inputAt(node, inputs, 0);
      return [transposed(x, orderOf(node, x.shape.length))];
    },
  };
}

const repeatVector: SourceOperator = {
  lower: (node, inputs, graph) => {
    const x = inputAt(node, inputs, 0);
    const [batch = 1, width = 1] = x.shape;
    const row = emit.reshape(graph, x, [batch, 1, width]);
    return [graph.add('TILE', [row, graph.integers([1, node.integer('n', 1), 1])])];
  },
  evaluate: (node, inputs) => {
    const x = inputAt(node, inputs, 0);
    const [batch = 1, width = 1] = x.shape;
    const row = reshaped(x, [batch, 1, width]);
    return [joined(new Array<NdArray>(node.integer('n', 1)).fill(row), 1)];
  },
};

/** Pairs (before, after) for each spatial axis: one number for all, one for each axis, or pairs. */
function margins(node: NodeReader, name: string, dimensions: Dimensions, byDefault: number): [number, number][] {
  const value = node.value(name) ?? byDefault;
  const list = Array.isArray(value) ? value : new Array<number>(dimensions).fill(value as number);
  // Over one axis, a pair is (before, after).
  const pairs =
    dimensions === 1
      ? [list.length === 2 ? list : [list[0], list[0]]]
      : list.map((one) => (Array.isArray(one) ? one : [one, one]));
  const valid = pairs.every(
    (pair) =>
      pair.length === 2 && pair.every((size) => typeof size === 'number' && Number.isInteger(size) && size >= 0),
  );
  if (!valid || pairs.length !== dimensions) throw node.invalid(name, value);
  return pairs as [number, number][];
}

function aroundSpatial(pairs: readonly [number, number][]): [number, number][] {
  return [[0, 0], ...pairs, [0, 0]];
}

function zeroPadding(dimensions: Dimensions): SourceOperator {
  const pads = (node: NodeReader, shape: readonly number[]): [number, number][] => {
    requireChannelsLast(node);
    asImage(node, shape, dimensions);
    return aroundSpatial(margins(node, 'padding', dimensions, 1));
  };
  return {
    lower: (node, inputs, graph) => {
      const x = inputAt(node, inputs, 0);
      return [emit.pad(graph, x, pads(node, x.shape))];
    },
    evaluate: (node, inputs) => {
      const x = inputAt(node, inputs, 0);
      return [padded(x, pads(node, x.shape), 0)];
    },
  };
}

function cropping(dimensions: Dimensions): SourceOperator {
  const cuts = (node: NodeReader, shape: readonly number[]): [number, number][] => {
    requireChannelsLast(node);
    asImage(node, shape, dimensions);
    const pairs = aroundSpatial(margins(node, 'cropping', dimensions, 1));
    if (pairs.some(([before, after], d) => before + after >= elementAt(shape, d)))
      throw node.refused(`it cuts more than its input of shape [${shape.join(', ')}] has`);
    return pairs;
  };
  return {
    lower: (node, inputs, graph) => {
      const x = inputAt(node, inputs, 0);
      const pairs = cuts(node, x.shape);
      return [
        emit.slice(
          graph,
          x,
          pairs.map(([before, after], d) => ({ begin: before, end: elementAt(x.shape, d) - after, step: 1 })),
        ),
      ];
    },
    evaluate: (node, inputs) => {
      const x = inputAt(node, inputs, 0);
      return [
        cuts(node, x.shape).reduce(
          (rest, [before, after], d) => slicedAxis(rest, d, before, elementAt(rest.shape, d) - before - after),
          x,
        ),
      ];
    },
  };
}

function resizing(
  sizeOf: (node: NodeReader, shape: readonly number[]) => readonly [number, number],
  byDefault: Interpolation,
): SourceOperator {
  const interpolation = (node: NodeReader): Interpolation => {
    requireChannelsLast(node);
    if (node.flag('crop_to_aspect_ratio', false) || node.flag('pad_to_aspect_ratio', false))
      throw node.refused('it crops or pads to an aspect ratio');
    if (node.flag('antialias', false)) throw node.refused('it has antialias');
    return node.choice('interpolation', ['nearest', 'bilinear'], byDefault);
  };
  return {
    lower: (node, inputs, graph) => {
      const x = inputAt(node, inputs, 0);
      asImage(node, x.shape, 2);
      const size = graph.integers(sizeOf(node, x.shape));
      if (interpolation(node) === 'nearest')
        return [
          graph.add('RESIZE_NEAREST_NEIGHBOR', [x, size], {
            version: 3,
            options: { kind: 'ResizeNearestNeighborOptions', alignCorners: false, halfPixelCenters: true },
          }),
        ];
      return [
        graph.add('RESIZE_BILINEAR', [x, size], {
          version: 3,
          options: {
            kind: 'ResizeBilinearOptions',
            alignCorners: false,
            halfPixelCenters: true,
            deprecatedNewHeight: 0,
            deprecatedNewWidth: 0,
          },
        }),
      ];
    },
    evaluate: (node, inputs) => {
      const x = inputAt(node, inputs, 0);
      asImage(node, x.shape, 2);
      return [resizedImage(x, sizeOf(node, x.shape), interpolation(node))];
    },
  };
}

const upSampling1D: SourceOperator = {
  lower: (node, inputs, graph) => {
    const x = inputAt(node, inputs, 0);
    const [batch = 1, length = 1, channels = 1] = x.shape;
    const size = node.integer('size', 2);
    const image = emit.reshape(graph, x, [batch, length, 1, channels]);
    const repeated = graph.add('TILE', [image, graph.integers([1, 1, size, 1])]);
    return [emit.reshape(graph, repeated, [batch, length * size, channels])];
  },
  evaluate: (node, inputs) => {
    const x = inputAt(node, inputs, 0);
    const [batch = 1, length = 1, channels = 1] = x.shape;
    const size = node.integer('size', 2);
    const repeated = gatheredBy(x, [batch, length, size, channels], 0, [length * channels, channels, 0, 1]);
    return [reshaped(repeated, [batch, length * size, channels])];
  },
};

export const shapingLayers: OperatorTable = {
  Reshape: reshaping(targetShape),
  Flatten: flatten,
  Permute: permuting(permutation),
  RepeatVector: repeatVector,
  ZeroPadding1D: zeroPadding(1),
  ZeroPadding2D: zeroPadding(2),
  Cropping1D: cropping(1),
  Cropping2D: cropping(2),
  UpSampling1D: upSampling1D,
  UpSampling2D: resizing((node, [, height = 1, width = 1]) => {
    const [vertical, horizontal] = node.pair('size', 2);
    return [height * vertical, width * horizontal];
  }, 'nearest'),
  Resizing: resizing((node) => [node.integer('height', 1), node.integer('width', 1)], 'bilinear'),
};
