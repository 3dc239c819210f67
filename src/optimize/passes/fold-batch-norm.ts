// Folds batch normalization that is still separate in the file: MUL and ADD (or SUB) by per-channel constants after an
// operator with weights. They move into its weights and bias: w' = w * m, b' = b * m + a.

import { elementAt } from '../../base/checked.js';
import {
  ActivationFunctionType,
  constantFloats,
  copyModel,
  elementCount,
  isPrivate,
  type Links,
  linksOf,
  type Model,
  mainSubgraph,
  type Operator,
  operatorName,
  setWeights,
  type Tensor,
  weightsAxis,
} from '../../formats/tflite/index.js';
import type { GraphPass } from './pass.js';

export const foldBatchNorm: GraphPass = {
  name: 'fold-batch-norm',
  run: (model) => {
    const copy = copyModel(model);
    const subgraph = mainSubgraph(copy);
    const links = linksOf(subgraph);
    const folded = new Set(subgraph.operators.filter((operator) => fold(copy, links, operator)));
    subgraph.operators = subgraph.operators.filter((operator) => !folded.has(operator));
    return folded.size === 0 ? { model, changes: 0 } : { model: copy, changes: folded.size };
  },
};

interface Affine {
  readonly factor: (channel: number) => number;
  readonly offset: (channel: number) => number;
}

/** Moves a multiplication or addition into the preceding operator. Returns true if it can then be removed. */
function fold(model: Model, links: Links, operator: Operator): boolean {
  const name = operatorName(model, operator);
  if (name !== 'MUL' && name !== 'ADD' && name !== 'SUB') return false;
  const subgraph = mainSubgraph(model);
  const [first, second] = operator.inputs ?? [];
  const output = operator.outputs?.[0];
  if (first === undefined || second === undefined || output === undefined) return false;
  const constantSecond = floatsOf(model, second);
  const constantFirst = name === 'SUB' ? null : floatsOf(model, first);
  const values = constantSecond ?? constantFirst;
  const data = constantSecond !== null ? first : second;
  const host = links.producer.get(data);
  if (values === null || host === undefined) return false;
  const axis = weightsAxis[operatorName(model, host)];
  const hostOptions = host.builtinOptions as { fusedActivationFunction?: number } | null;
  if (
    axis === undefined ||
    !isPrivate(subgraph, links, data) ||
    hostOptions?.fusedActivationFunction !== ActivationFunctionType.NONE
  )
    return false;
  const filter = subgraph.tensors[host.inputs?.[1] ?? -1];
  const channels = filter?.shape?.[axis];
  if (
    filter === undefined ||
    channels === undefined ||
    (values.length !== 1 && !isPerChannel(subgraph.tensors[constantSecond !== null ? second : first], channels))
  )
    return false;
  const valueAt = (channel: number): number => elementAt(values, values.length === 1 ? 0 : channel);
  const affine: Affine =
    name === 'MUL'
      ? { factor: valueAt, offset: () => 0 }
      : { factor: () => 1, offset: (channel) => (name === 'SUB' ? -valueAt(channel) : valueAt(channel)) };
  if (!rewrite(model, host, filter, axis, channels, affine)) return false;
  hostOptions.fusedActivationFunction =
    (operator.builtinOptions as { fusedActivationFunction?: number } | null)?.fusedActivationFunction ?? 0;
  host.outputs = Int32Array.of(output);
  links.producer.set(output, host);
  return true;
}

/** One value per channel, and channels are the last dimension. */
function isPerChannel(tensor: Tensor | undefined, channels: number): boolean {
  return tensor?.shape?.at(-1) === channels && elementCount(tensor.shape) === channels;
}

function floatsOf(model: Model, index: number): Float32Array | null {
  const tensor = mainSubgraph(model).tensors[index];
  return tensor === undefined ? null : constantFloats(model, tensor);
}

function rewrite(
  model: Model,
  host: Operator,
  filter: Tensor,
  axis: number,
  channels: number,
  affine: Affine,
): boolean {
  const [input, filterIndex, biasIndex = -1] = host.inputs ?? [];
  const weights = floatsOf(model, filterIndex ?? -1);
  const bias = biasIndex < 0 ? new Float32Array(channels) : floatsOf(model, biasIndex);
  if (weights === null || bias === null || bias.length !== channels || input === undefined) return false;
  const inner = elementCount((filter.shape ?? new Int32Array(0)).slice(axis + 1));
  for (let i = 0; i < weights.length; i++)
    weights[i] = elementAt(weights, i) * affine.factor(Math.floor(i / inner) % channels);
  for (let c = 0; c < channels; c++) bias[c] = elementAt(bias, c) * affine.factor(c) + affine.offset(c);
  setWeights(model, mainSubgraph(model), host, weights, bias);
  return true;
}
