// Convolutions of Keras over one and two axes: plain, grouped, depthwise, separable and transposed.

import { elementAt } from '../../../base/checked.js';
import * as emit from '../emit.js';
import type { GraphBuilder, Value } from '../graph-builder.js';
import { inputAt, type NodeReader } from '../node-reader.js';
import { type NdArray, reshaped, transposed } from '../reference/arrays.js';
import { convolved, convolvedTransposed, type WindowSteps } from '../reference/windows.js';
import type { OperatorTable, SourceOperator } from '../source-operator.js';
import { activationOf } from './activations.js';
import {
  causalPads,
  type Dimensions,
  imageArray,
  imageValue,
  type LayerWindow,
  sequenceArray,
  sequenceValue,
  stepsOver,
  windowOf,
} from './windows.js';

const kernelSize = { size: 'kernel_size', stridesByDefault: 1 } as const;

/** Weights as over images: a kernel over one axis gets a height of 1. */
function imageWeights(
  node: NodeReader,
  position: number,
  dimensions: Dimensions,
  [height, width]: readonly [number, number],
): NdArray {
  const size = dimensions === 1 ? [width] : [height, width];
  const weights = node.floats(position, [...size, null, null]);
  return dimensions === 1 ? reshaped(weights, [1, ...weights.shape]) : weights;
}

function biasOf(node: NodeReader, position: number, channels: number): NdArray | null {
  return node.flag('use_bias', true) ? node.floats(position, [channels]) : null;
}

/** An image padded as the window wants it, and the padding that the operator does by itself. */
function padded(graph: GraphBuilder, image: Value, window: LayerWindow): { image: Value; padding: emit.WindowPadding } {
  if (window.padding !== 'causal') return { image, padding: window.padding };
  return { image: emit.pad(graph, image, causalPads(window)), padding: 'valid' };
}

/** What makes a convolution: from the image to the image, with weights checked against the input's channels. */
interface Convolution {
  readonly lower: (node: NodeReader, graph: GraphBuilder, image: Value, window: LayerWindow) => Value;
  readonly evaluate: (node: NodeReader, image: NdArray, window: LayerWindow) => NdArray;
}

/** A layer around a convolution: axes and activation. */
function convolutionLayer(dimensions: Dimensions, { lower, evaluate }: Convolution): SourceOperator {
  return {
    lower: (node, inputs, graph) => {
      const image = imageValue(node, graph, inputAt(node, inputs, 0), dimensions);
      const result = lower(node, graph, image, windowOf(node, dimensions, kernelSize));
      return [sequenceValue(graph, activationOf(node).lower(graph, result), dimensions)];
    },
    evaluate: (node, inputs) => {
      const image = imageArray(node, inputAt(node, inputs, 0), dimensions);
      const result = evaluate(node, image, windowOf(node, dimensions, kernelSize));
      return [sequenceArray(activationOf(node).evaluate(result), dimensions)];
    },
  };
}

/** Kernel [height, width, inputChannels / groups, outputChannels] and bias. */
function plainWeights(node: NodeReader, dimensions: Dimensions, channels: number, window: LayerWindow) {
  const groups = node.integer('groups', 1);
  const kernel = imageWeights(node, 0, dimensions, window.kernel);
  const [, , groupInputs = 0, filters = 0] = kernel.shape;
  if (groups < 1 || groupInputs * groups !== channels || filters % groups !== 0)
    throw node.refused(`its kernel [${kernel.shape.join(', ')}] in ${groups} groups does not fit ${channels} channels`);
  return { groups, kernel, bias: biasOf(node, 1, filters), filters };
}

function plain(dimensions: Dimensions): Convolution {
  return {
    lower: (node, graph, image, window) => {
      const channels = elementAt(image.shape, 3);
      const { groups, kernel, bias, filters } = plainWeights(node, dimensions, channels, window);
      const input = padded(graph, image, window);
      const options = { ...window, padding: input.padding };
      if (groups === 1 || groups !== channels) return emit.convolution(graph, input.image, kernel, bias, options);
      // One input channel for each filter: a depthwise convolution, whose kernel has the same order of elements.
      const [height = 1, width = 1] = kernel.shape;
      const depthwise = reshaped(kernel, [height, width, channels, filters / channels]);
      return emit.depthwiseConvolution(graph, input.image, depthwise, bias, options);
    },
    evaluate: (node, image, window) => {
      const { groups, kernel, bias } = plainWeights(node, dimensions, elementAt(image.shape, 3), window);
      return convolved(image, kernel, bias, stepsOver(node, image.shape, window), groups);
    },
  };
}

/** Kernel [height, width, inputChannels, depthMultiplier]. */
function depthwiseKernel(node: NodeReader, dimensions: Dimensions, channels: number, window: LayerWindow): NdArray {
  const kernel = imageWeights(node, 0, dimensions, window.kernel);
  if (kernel.shape[2] !== channels)
    throw node.refused(`its kernel [${kernel.shape.join(', ')}] does not fit ${channels} channels`);
  return kernel;
}

/** The same kernel as one of a grouped convolution with a group for each channel. */
function asGrouped(kernel: NdArray): NdArray {
  const [height = 1, width = 1, channels = 1, multiplier = 1] = kernel.shape;
  return reshaped(kernel, [height, width, 1, channels * multiplier]);
}

function outputChannels(kernel: NdArray): number {
  return elementAt(kernel.shape, 2) * elementAt(kernel.shape, 3);
}

function depthwise(dimensions: Dimensions): Convolution {
  return {
    lower: (node, graph, image, window) => {
      const kernel = depthwiseKernel(node, dimensions, elementAt(image.shape, 3), window);
      const input = padded(graph, image, window);
      const bias = biasOf(node, 1, outputChannels(kernel));
      return emit.depthwiseConvolution(graph, input.image, kernel, bias, { ...window, padding: input.padding });
    },
    evaluate: (node, image, window) => {
      const channels = elementAt(image.shape, 3);
      const kernel = depthwiseKernel(node, dimensions, channels, window);
      const bias = biasOf(node, 1, outputChannels(kernel));
      return convolved(image, asGrouped(kernel), bias, stepsOver(node, image.shape, window), channels);
    },
  };
}

const onePixel = { padding: 'valid', kernel: [1, 1], strides: [1, 1], dilations: [1, 1] } as const;

function separable(dimensions: Dimensions): Convolution {
  const pointwise = (node: NodeReader, channels: number) => {
    const kernel = imageWeights(node, 1, dimensions, [1, 1]);
    if (kernel.shape[2] !== channels)
      throw node.refused(`its pointwise kernel [${kernel.shape.join(', ')}] does not fit ${channels} channels`);
    return { kernel, bias: biasOf(node, 2, elementAt(kernel.shape, 3)) };
  };
  return {
    lower: (node, graph, image, window) => {
      const first = depthwiseKernel(node, dimensions, elementAt(image.shape, 3), window);
      const input = padded(graph, image, window);
      const middle = emit.depthwiseConvolution(graph, input.image, first, null, { ...window, padding: input.padding });
      const { kernel, bias } = pointwise(node, outputChannels(first));
      return emit.convolution(graph, middle, kernel, bias, onePixel);
    },
    evaluate: (node, image, window) => {
      const channels = elementAt(image.shape, 3);
      const first = depthwiseKernel(node, dimensions, channels, window);
      const middle = convolved(image, asGrouped(first), null, stepsOver(node, image.shape, window), channels);
      const { kernel, bias } = pointwise(node, outputChannels(first));
      return convolved(middle, kernel, bias, stepsOver(node, middle.shape, onePixel));
    },
  };
}

/** Kernel [height, width, outputChannels, inputChannels] and bias. */
function transposedWeights(node: NodeReader, dimensions: Dimensions, channels: number, window: LayerWindow) {
  const kernel = imageWeights(node, 0, dimensions, window.kernel);
  if (kernel.shape[3] !== channels)
    throw node.refused(`its kernel [${kernel.shape.join(', ')}] does not fit ${channels} channels`);
  return { kernel, bias: biasOf(node, 1, elementAt(kernel.shape, 2)) };
}

/**
 * Size of the result and what is cut off at its start (keras.src.backend.common.backend_utils,
 * compute_conv_transpose_padding_args_for_torch, and keras.src.ops.operation_utils).
 */
function transposedSteps(
  node: NodeReader,
  shape: readonly number[],
  window: LayerWindow,
  dimensions: Dimensions,
): WindowSteps {
  const extra = node.has('output_padding') ? node.integers('output_padding', dimensions, 0) : null;
  const along = (d: 0 | 1): { before: number; output: number } => {
    const [size, kernel, stride] = [elementAt(shape, d + 1), window.kernel[d], window.strides[d]];
    const covered = (kernel - 1) * window.dilations[d] + 1;
    const added = dimensions === 1 ? extra?.[0] : extra?.[d];
    if (window.padding === 'valid') {
      const tail = added ?? Math.max(stride - covered, 0);
      return { before: 0, output: (size - 1) * stride + covered + (d === 0 && dimensions === 1 ? 0 : tail) };
    }
    const full = (size - 1) * stride + covered;
    const output =
      added === undefined || (d === 0 && dimensions === 1)
        ? size * stride
        : (size - 1) * stride + covered - 2 * Math.floor(covered / 2) + added;
    return { before: Math.floor(Math.max(0, full - output) / 2), output };
  };
  const [vertical, horizontal] = [along(0), along(1)];
  return {
    ...window,
    before: [vertical.before, horizontal.before],
    output: [vertical.output, horizontal.output],
  };
}

function transposedLayer(dimensions: Dimensions): Convolution {
  return {
    lower: (node, graph, image, window) => {
      if (window.dilations.some((factor) => factor !== 1)) throw node.refused('it has a dilation rate');
      if (node.has('output_padding')) throw node.refused('it has an output_padding');
      const { kernel, bias } = transposedWeights(node, dimensions, elementAt(image.shape, 3), window);
      const { output } = transposedSteps(node, image.shape, window, dimensions);
      const padding = window.padding === 'same' ? 'same' : 'valid';
      return emit.transposedConvolution(graph, image, kernel, bias, output, { ...window, padding });
    },
    evaluate: (node, image, window) => {
      const { kernel, bias } = transposedWeights(node, dimensions, elementAt(image.shape, 3), window);
      const inputsFirst = transposed(kernel, [0, 1, 3, 2]);
      return convolvedTransposed(image, inputsFirst, bias, transposedSteps(node, image.shape, window, dimensions));
    },
  };
}

export const convolutionLayers: OperatorTable = {
  Conv1D: convolutionLayer(1, plain(1)),
  Conv2D: convolutionLayer(2, plain(2)),
  DepthwiseConv1D: convolutionLayer(1, depthwise(1)),
  DepthwiseConv2D: convolutionLayer(2, depthwise(2)),
  SeparableConv1D: convolutionLayer(1, separable(1)),
  SeparableConv2D: convolutionLayer(2, separable(2)),
  Conv1DTranspose: convolutionLayer(1, transposedLayer(1)),
  Conv2DTranspose: convolutionLayer(2, transposedLayer(2)),
};
