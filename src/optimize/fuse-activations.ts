// RELU and RELU6 of their own after an operator that can apply them itself.

import { ActivationFunctionType, consumersOf, copyModel, type Model, mainSubgraph, type Operator, operatorName, producersOf } from '../tflite/index.js';
import type { GraphPass } from './pass.js';

const activations: Record<string, number> = { RELU: ActivationFunctionType.RELU, RELU6: ActivationFunctionType.RELU6 };
const hosts = new Set(['CONV_2D', 'DEPTHWISE_CONV_2D', 'FULLY_CONNECTED', 'ADD', 'SUB', 'MUL', 'AVERAGE_POOL_2D', 'MAX_POOL_2D']);

export const fuseActivations: GraphPass = {
  name: 'fuse-activations',
  run: (model) => {
    const copy = copyModel(model);
    let changes = 0;
    for (const activation of [...mainSubgraph(copy).operators]) changes += Number(fuse(copy, activation));
    return changes === 0 ? { model, changes } : { model: copy, changes };
  },
};

function fuse(model: Model, activation: Operator): boolean {
  const code = activations[operatorName(model, activation)];
  const input = activation.inputs?.[0];
  const output = activation.outputs?.[0];
  if (code === undefined || input === undefined || output === undefined) return false;
  const subgraph = mainSubgraph(model);
  const host = producersOf(subgraph).get(input);
  if (host === undefined || !hosts.has(operatorName(model, host))) return false;
  const shared = (consumersOf(subgraph).get(input)?.length ?? 0) > 1 || Array.from(subgraph.outputs ?? []).includes(input);
  const options = host.builtinOptions as { fusedActivationFunction?: number } | null;
  if (shared || options?.fusedActivationFunction !== ActivationFunctionType.NONE) return false;
  options.fusedActivationFunction = code;
  host.outputs = Int32Array.of(output);
  subgraph.operators = subgraph.operators.filter((operator) => operator !== activation);
  return true;
}
