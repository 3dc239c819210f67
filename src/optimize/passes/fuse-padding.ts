// Bypasses a PAD before a convolution whose padding SAME surrounds the image by the same zeros. Keras pads images of
// even size before strides of 2, at the bottom and on the right, which is what SAME does
// (tensorflow/lite/kernels/padding.h).

import { elementAt } from '../../base/checked.js';
import {
  constantBytes,
  copyModel,
  type Links,
  linksOf,
  type Model,
  mainSubgraph,
  type Operator,
  operatorName,
  Padding,
  TensorType,
} from '../../formats/tflite/index.js';
import type { GraphPass } from './pass.js';

export const fusePadding: GraphPass = {
  name: 'fuse-padding',
  run: (model) => {
    const copy = copyModel(model);
    const subgraph = mainSubgraph(copy);
    const links = linksOf(subgraph);
    const changes = subgraph.operators.filter((operator) => fuse(copy, links, operator)).length;
    return changes === 0 ? { model, changes } : { model: copy, changes };
  },
};

/** Axes of height and width, with their size in the weights [.., height, width, ..]. */
const axes = [1, 2] as const;

/** Lets a convolution pad by itself. A PAD that nothing reads any more is removed with all other dead operators. */
function fuse(model: Model, links: Links, convolution: Operator): boolean {
  const name = operatorName(model, convolution);
  const options = convolution.builtinOptions;
  if (name !== 'CONV_2D' && name !== 'DEPTHWISE_CONV_2D') return false;
  if (options?.kind !== 'Conv2DOptions' && options?.kind !== 'DepthwiseConv2DOptions') return false;
  const subgraph = mainSubgraph(model);
  const [padded = -1, weights = -1] = convolution.inputs ?? [];
  const pad = links.producer.get(padded);
  const image = pad?.inputs?.[0];
  if (pad === undefined || image === undefined || options.padding !== Padding.VALID) return false;
  if (operatorName(model, pad) !== 'PAD') return false;
  const pads = padsOf(model, pad);
  const [shape, kernel] = [subgraph.tensors[image]?.shape, subgraph.tensors[weights]?.shape];
  if (pads === null || shape?.length !== 4 || kernel?.length !== 4) return false;
  const strides = [options.strideH, options.strideW];
  const dilations = [options.dilationHFactor, options.dilationWFactor];
  const isSame = axes.every((axis, i) => {
    const [size, window] = [elementAt(shape, axis), elementAt(kernel, axis)];
    const [before, after] = samePads(size, (window - 1) * elementAt(dilations, i) + 1, elementAt(strides, i));
    return size > 0 && pads[2 * axis] === before && pads[2 * axis + 1] === after;
  });
  if (!isSame || [pads[0], pads[1], pads[6], pads[7]].some((size) => size !== 0)) return false;
  options.padding = Padding.SAME;
  convolution.inputs = Int32Array.from(convolution.inputs ?? [], (input, i) => (i === 0 ? image : input));
  return true;
}

/** Before and after each of four axes, if they are constant. */
function padsOf(model: Model, pad: Operator): Int32Array | null {
  const tensor = mainSubgraph(model).tensors[pad.inputs?.[1] ?? -1];
  if (tensor?.type !== TensorType.INT32) return null;
  const bytes = constantBytes(model, tensor)?.slice();
  return bytes?.byteLength === 32 ? new Int32Array(bytes.buffer) : null;
}

/** Zeros before and after an axis for padding SAME. @param extent elements from the first to the last of a window */
function samePads(size: number, extent: number, stride: number): readonly [number, number] {
  const output = Math.ceil(size / stride);
  const missing = Math.max(0, (output - 1) * stride + extent - size);
  const before = Math.floor(missing / 2);
  return [before, missing - before];
}
