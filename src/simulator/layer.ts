// A common view of operators with weights: rows of inputs times rows of weights. To analyze a layer, not to run it.

import type { Model } from '../formats/tflite/index.js';
import { defaultKernelProfile, kernelProfiles } from './arithmetic/profile.js';
import { describeGraph } from './graph.js';
import { convOf } from './operators/conv-2d.js';
import { depthwiseOf } from './operators/depthwise-conv-2d.js';
import { denseOf } from './operators/fully-connected.js';
import type { OperatorContext } from './operators/operator.js';
import { gatherPatch } from './operators/patch.js';

export interface Layer {
  readonly operator: number;
  /** Tensor indices. */
  readonly input: number;
  readonly weights: number;
  readonly output: number;
  readonly channels: number;
  /** Output channels of one group multiply the same row: one group, except for grouped and depthwise convolutions. */
  readonly groups: number;
  /** Length of a row. */
  readonly depth: number;
  /** Number of input positions that rows are taken from. */
  readonly positions: number;
  /** Index of a channel's weight for a place of the row. */
  readonly weightAt: (channel: number, place: number) => number;
  /** Copies the row of a group at a position; 0 outside the image. */
  readonly gather: (values: Float32Array, position: number, group: number, row: Float32Array) => void;
}

/** CONV_2D, DEPTHWISE_CONV_2D and FULLY_CONNECTED of a subgraph, in order. */
export function layersOf(model: Model, subgraph = 0): Layer[] {
  const { operators } = describeGraph(model, kernelProfiles[defaultKernelProfile], subgraph);
  return operators.flatMap((context, operator) => {
    const layer = layerOf(context);
    return layer === null ? [] : [{ operator, ...layer }];
  });
}

function layerOf(context: OperatorContext): Omit<Layer, 'operator'> | null {
  switch (context.name) {
    case 'CONV_2D': {
      const { input, filter, output, window, channels, groups, depth } = convOf(context);
      const groupChannels = window.inputChannels / groups;
      const { outputHeight: height, outputWidth: width } = window;
      return {
        ...places(input.index, filter.index, output.index),
        channels,
        groups,
        depth,
        positions: window.batches * height * width,
        weightAt: (channel, place) => channel * depth + place,
        gather: (values, position, group, row) => {
          const [batch, y, x] = [
            Math.floor(position / (height * width)),
            Math.floor(position / width) % height,
            position % width,
          ];
          gatherPatch(row, values, window, batch, y, x, group * groupChannels, groupChannels, 0);
        },
      };
    }
    case 'DEPTHWISE_CONV_2D': {
      const { input, filter, output, window, channels } = depthwiseOf(context);
      const { outputHeight: height, outputWidth: width } = window;
      return {
        ...places(input.index, filter.index, output.index),
        channels,
        groups: window.inputChannels,
        depth: window.filterHeight * window.filterWidth,
        positions: window.batches * height * width,
        weightAt: (channel, place) => place * channels + channel,
        gather: (values, position, group, row) => {
          const [batch, y, x] = [
            Math.floor(position / (height * width)),
            Math.floor(position / width) % height,
            position % width,
          ];
          gatherPatch(row, values, window, batch, y, x, group, 1, 0);
        },
      };
    }
    case 'FULLY_CONNECTED': {
      const { input, filter, output, rows, units, depth } = denseOf(context);
      return {
        ...places(input.index, filter.index, output.index),
        channels: units,
        groups: 1,
        depth,
        positions: rows,
        weightAt: (channel, place) => channel * depth + place,
        gather: (values, position, _group, row) => row.set(values.subarray(position * depth, (position + 1) * depth)),
      };
    }
    default:
      return null;
  }
}

function places(input: number, weights: number, output: number): Pick<Layer, 'input' | 'weights' | 'output'> {
  return { input, weights, output };
}
