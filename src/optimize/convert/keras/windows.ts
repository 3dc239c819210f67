// How the windows of Keras layers move: sizes, padding and results of convolutions and pools over one or two axes. A
// layer over one axis is one over images of height 1.

import { elementAt } from '../../../base/checked.js';
import * as emit from '../emit.js';
import type { GraphBuilder, Value } from '../graph-builder.js';
import type { NodeReader } from '../node-reader.js';
import { type NdArray, reshaped } from '../reference/arrays.js';
import type { WindowSteps } from '../reference/windows.js';

/** 1 or 2 spatial axes. */
export type Dimensions = 1 | 2;

/** A window as a layer's configuration gives it. */
export interface LayerWindow {
  readonly padding: emit.WindowPadding | 'causal';
  readonly kernel: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
}

/** @param size the attribute that holds the window's size; @param stridesByDefault null: the window's size */
export function windowOf(
  node: NodeReader,
  dimensions: Dimensions,
  { size, stridesByDefault }: { readonly size: string; readonly stridesByDefault: number | null },
): LayerWindow {
  requireChannelsLast(node);
  const kernel = spatial(node.integers(size, dimensions, 2), 1);
  const strides =
    node.has('strides') || stridesByDefault !== null
      ? spatial(node.integers('strides', dimensions, stridesByDefault ?? 1), 1)
      : kernel;
  const dilations = spatial(node.integers('dilation_rate', dimensions, 1), 1);
  for (const [name, values] of Object.entries({ [size]: kernel, strides, dilation_rate: dilations }))
    if (values.some((value) => value < 1)) throw node.invalid(name, [...values]);
  return { padding: node.choice('padding', ['same', 'valid', 'causal'], 'valid'), kernel, strides, dilations };
}

/** @throws CONVERT_LAYER for layers that put channels before height and width */
export function requireChannelsLast(node: NodeReader): void {
  const format = node.text('data_format', 'channels_last');
  if (format !== 'channels_last') throw node.refused(`its data_format is ${format}; only channels_last is converted`);
}

function spatial(values: readonly number[], filler: number): readonly [number, number] {
  return values.length === 1 ? [filler, elementAt(values, 0)] : [elementAt(values, 0), elementAt(values, 1)];
}

/** @throws CONVERT_LAYER if the input has another number of dimensions than the layer takes */
export function asImage(node: NodeReader, shape: readonly number[], dimensions: Dimensions): readonly number[] {
  if (shape.length !== dimensions + 2)
    throw node.refused(
      `its input has the shape [${shape.join(', ')}], with ${shape.length} dimensions instead of ${dimensions + 2}`,
    );
  const [batch = 1, ...rest] = shape;
  return dimensions === 1 ? [batch, 1, ...rest] : shape;
}

export function imageValue(node: NodeReader, graph: GraphBuilder, input: Value, dimensions: Dimensions): Value {
  return emit.reshape(graph, input, asImage(node, input.shape, dimensions));
}

export function imageArray(node: NodeReader, input: NdArray, dimensions: Dimensions): NdArray {
  return reshaped(input, asImage(node, input.shape, dimensions));
}

/** The result over the layer's own axes. */
export function sequenceValue(graph: GraphBuilder, image: Value, dimensions: Dimensions): Value {
  return dimensions === 1 ? emit.reshape(graph, image, withoutHeight(image.shape)) : image;
}

export function sequenceArray(image: NdArray, dimensions: Dimensions): NdArray {
  return dimensions === 1 ? reshaped(image, withoutHeight(image.shape)) : image;
}

function withoutHeight(shape: readonly number[]): number[] {
  return shape.filter((_, d) => d !== 1);
}

/** Elements from the first to the last that a window covers. */
function extent(size: number, dilation: number): number {
  return (size - 1) * dilation + 1;
}

/** Zeros before the sequence of a causal layer: no result depends on later elements. */
export function causalPads({ kernel, dilations }: LayerWindow): readonly (readonly [number, number])[] {
  return [
    [0, 0],
    [0, 0],
    [extent(kernel[1], dilations[1]) - 1, 0],
    [0, 0],
  ];
}

/** Steps of a window over an image, by TensorFlow's padding rules. @throws CONVERT_LAYER if the image is too small */
export function stepsOver(node: NodeReader, shape: readonly number[], window: LayerWindow): WindowSteps {
  const along = (d: 0 | 1): { before: number; output: number } => {
    const size = elementAt(shape, d + 1);
    const covered = extent(window.kernel[d], window.dilations[d]);
    const stride = window.strides[d];
    if (window.padding === 'valid') return { before: 0, output: Math.floor((size - covered) / stride) + 1 };
    const output = Math.ceil(size / stride);
    const missing = Math.max(0, (output - 1) * stride + covered - size);
    return window.padding === 'causal' && d === 1
      ? { before: covered - 1, output }
      : { before: Math.floor(missing / 2), output };
  };
  const [vertical, horizontal] = [along(0), along(1)];
  if (vertical.output < 1 || horizontal.output < 1)
    throw node.refused(`its window is larger than its input of shape [${shape.join(', ')}]`);
  return {
    kernel: window.kernel,
    strides: window.strides,
    dilations: window.dilations,
    before: [vertical.before, horizontal.before],
    output: [vertical.output, horizontal.output],
  };
}
