// The layers of Keras that are converted, by class. To add one, add it to the file of its family.

import type { SourceNode } from '../../../formats/source/index.js';
import * as emit from '../emit.js';
import { inputAt, type NodeReader } from '../node-reader.js';
import { reshaped } from '../reference/arrays.js';
import type { OperatorTable, SourceOperator } from '../source-operator.js';
import { activationLayers } from './activations.js';
import { attentionLayers } from './attention.js';
import { convolutionLayers } from './convolution.js';
import { denseLayers } from './dense.js';
import { functions, reshapeFunction } from './functions.js';
import { mergingLayers } from './merging.js';
import { normalizationLayers } from './normalization.js';
import { poolingLayers } from './pooling.js';
import { heldLayer, recurrentLayers } from './recurrent.js';
import { shapingLayers } from './shaping.js';

/** Layers that act in training only, and those that return their input. */
const trainingOnly = [
  'ActivityRegularization',
  'AlphaDropout',
  'Dropout',
  'GaussianDropout',
  'GaussianNoise',
  'Identity',
  'SpatialDropout1D',
  'SpatialDropout2D',
  'StochasticDepth',
];

const identity: SourceOperator = {
  lower: (node, inputs) => [inputAt(node, inputs, 0)],
  evaluate: (node, inputs) => [inputAt(node, inputs, 0)],
};

/** Applies a layer to each step of a sequence: the steps are a batch of that layer. */
const timeDistributed: SourceOperator = {
  lower: (node, inputs, graph) => {
    const x = inputAt(node, inputs, 0);
    const [batch = 1, steps = 1, ...rest] = x.shape;
    const held = heldLayer(node, 'layer', node.node.weights);
    const [result] = operatorOf(held).lower(held, [emit.reshape(graph, x, [batch * steps, ...rest])], graph);
    return result === undefined ? [] : [emit.reshape(graph, result, [batch, steps, ...result.shape.slice(1)])];
  },
  evaluate: (node, inputs) => {
    const x = inputAt(node, inputs, 0);
    const [batch = 1, steps = 1, ...rest] = x.shape;
    const held = heldLayer(node, 'layer', node.node.weights);
    const results = operatorOf(held).evaluate(held, [reshaped(x, [batch * steps, ...rest])]);
    return results.map((result) => reshaped(result, [batch, steps, ...result.shape.slice(1)]));
  },
};

/** The layers by family, as the documentation lists them. */
export const kerasFamilies: readonly { readonly title: string; readonly table: OperatorTable }[] = [
  { title: 'Convolution', table: convolutionLayers },
  { title: 'Pooling', table: poolingLayers },
  { title: 'Matrix products', table: denseLayers },
  { title: 'Attention', table: attentionLayers },
  { title: 'Recurrence', table: { ...recurrentLayers, TimeDistributed: timeDistributed } },
  { title: 'Normalization', table: normalizationLayers },
  { title: 'Activation', table: activationLayers },
  { title: 'Merging', table: mergingLayers },
  { title: 'Shape', table: shapingLayers },
  { title: 'Functions used as layers', table: functions },
  { title: 'Without effect after training', table: Object.fromEntries(trainingOnly.map((name) => [name, identity])) },
];

const kerasLayers: OperatorTable = Object.assign({}, ...kerasFamilies.map(({ table }) => table));

function operatorOf(node: NodeReader): SourceOperator {
  const found = kerasOperator(node.node);
  if (found === undefined) throw node.refused(`it holds a layer of class ${node.operator}`);
  return found;
}

export function kerasOperator(node: SourceNode): SourceOperator | undefined {
  if (node.operator === 'Reshape' && node.attributes.newshape !== undefined) return reshapeFunction;
  return Object.hasOwn(kerasLayers, node.operator) ? kerasLayers[node.operator] : undefined;
}
