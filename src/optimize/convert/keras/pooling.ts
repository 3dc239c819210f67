// Pools of Keras over one and two axes, and over the whole image.

import * as emit from '../emit.js';
import { inputAt, type NodeReader } from '../node-reader.js';
import { folds, reduced } from '../reference/arrays.js';
import { pooled } from '../reference/windows.js';
import type { OperatorTable, SourceOperator } from '../source-operator.js';
import {
  asImage,
  type Dimensions,
  imageArray,
  imageValue,
  requireChannelsLast,
  sequenceArray,
  sequenceValue,
  stepsOver,
  windowOf,
} from './windows.js';

const poolSize = { size: 'pool_size', stridesByDefault: null } as const;

function poolLayer(dimensions: Dimensions, kind: 'max' | 'average'): SourceOperator {
  return {
    lower: (node, inputs, graph) => {
      const image = imageValue(node, graph, inputAt(node, inputs, 0), dimensions);
      const window = windowOf(node, dimensions, poolSize);
      stepsOver(node, image.shape, window);
      const name = kind === 'max' ? 'MAX_POOL_2D' : 'AVERAGE_POOL_2D';
      const padding = window.padding === 'same' ? 'same' : 'valid';
      const result = emit.pool(graph, name, image, window.kernel, { padding, strides: window.strides });
      return [sequenceValue(graph, result, dimensions)];
    },
    evaluate: (node, inputs) => {
      const image = imageArray(node, inputAt(node, inputs, 0), dimensions);
      const result = pooled(image, kind, stepsOver(node, image.shape, windowOf(node, dimensions, poolSize)));
      return [sequenceArray(result, dimensions)];
    },
  };
}

function spatialAxes(node: NodeReader, shape: readonly number[], dimensions: Dimensions): number[] {
  requireChannelsLast(node);
  asImage(node, shape, dimensions);
  return dimensions === 1 ? [1] : [1, 2];
}

function globalLayer(dimensions: Dimensions, kind: 'max' | 'mean'): SourceOperator {
  return {
    lower: (node, inputs, graph) => {
      const input = inputAt(node, inputs, 0);
      const axes = spatialAxes(node, input.shape, dimensions);
      const keepDims = node.flag('keepdims', false);
      return [emit.reduce(graph, kind === 'max' ? 'REDUCE_MAX' : 'MEAN', input, axes, keepDims)];
    },
    evaluate: (node, inputs) => {
      const input = inputAt(node, inputs, 0);
      const axes = spatialAxes(node, input.shape, dimensions);
      return [reduced(input, axes, node.flag('keepdims', false), folds[kind])];
    },
  };
}

const layers: OperatorTable = {
  MaxPooling1D: poolLayer(1, 'max'),
  MaxPooling2D: poolLayer(2, 'max'),
  AveragePooling1D: poolLayer(1, 'average'),
  AveragePooling2D: poolLayer(2, 'average'),
  GlobalMaxPooling1D: globalLayer(1, 'max'),
  GlobalMaxPooling2D: globalLayer(2, 'max'),
  GlobalAveragePooling1D: globalLayer(1, 'mean'),
  GlobalAveragePooling2D: globalLayer(2, 'mean'),
};

/** Keras accepts `MaxPool2D` and the like for the same classes, and stores the name that the user wrote. */
export const poolingLayers: OperatorTable = {
  ...layers,
  ...Object.fromEntries(
    Object.entries(layers).map(([name, layer]) => [
      name.replace('AveragePooling', 'AvgPool').replace('MaxPooling', 'MaxPool'),
      layer,
    ]),
  ),
};
