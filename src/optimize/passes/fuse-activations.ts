// Fuses RELU and RELU6 into the preceding operator if it supports a fused activation.

import {
  ActivationFunctionType,
  copyModel,
  isPrivate,
  type Links,
  linksOf,
  type Model,
  mainSubgraph,
  type Operator,
  operatorName,
} from '../../formats/tflite/index.js';
import type { GraphPass } from './pass.js';

const activations: Record<string, number> = { RELU: ActivationFunctionType.RELU, RELU6: ActivationFunctionType.RELU6 };
const hosts = new Set([
  'CONV_2D',
  'DEPTHWISE_CONV_2D',
  'FULLY_CONNECTED',
  'ADD',
  'SUB',
  'MUL',
  'AVERAGE_POOL_2D',
  'MAX_POOL_2D',
]);

export const fuseActivations: GraphPass = {
  name: 'fuse-activations',
  run: (model) => {
    const copy = copyModel(model);
    const subgraph = mainSubgraph(copy);
    const links = linksOf(subgraph);
    const fused = new Set(subgraph.operators.filter((operator) => fuse(copy, links, operator)));
    subgraph.operators = subgraph.operators.filter((operator) => !fused.has(operator));
    return fused.size === 0 ? { model, changes: 0 } : { model: copy, changes: fused.size };
  },
};

/** Moves an activation into the preceding operator. Returns true if it can then be removed. */
function fuse(model: Model, links: Links, activation: Operator): boolean {
  const code = activations[operatorName(model, activation)];
  const input = activation.inputs?.[0];
  const output = activation.outputs?.[0];
  if (code === undefined || input === undefined || output === undefined) return false;
  const host = links.producer.get(input);
  if (host === undefined || !hosts.has(operatorName(model, host)) || !isPrivate(mainSubgraph(model), links, input))
    return false;
  const options = host.builtinOptions as { fusedActivationFunction?: number } | null;
  if (options?.fusedActivationFunction !== ActivationFunctionType.NONE) return false;
  options.fusedActivationFunction = code;
  host.outputs = Int32Array.of(output);
  links.producer.set(output, host);
  return true;
}
