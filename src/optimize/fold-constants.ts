// Computes once, on the host, what does not depend on the input: shape arithmetic from a dynamic batch, weights that are stored sparse or
// in float16.

import { buildGraph, bytesOf, defaultKernelProfile, kernelProfiles, simulates } from '../simulator/index.js';
import { addBuffer, copyModel, type Model, mainSubgraph } from '../tflite/index.js';
import type { GraphPass } from './pass.js';

export const foldConstants: GraphPass = {
  name: 'fold-constants',
  run: (model) => {
    // Models with operators that the simulator lacks are left as they are; who needs to run them says which are missing.
    if (!simulates(model)) return { model, changes: 0 };
    const graph = buildGraph(model, kernelProfiles[defaultKernelProfile]);
    const known = new Map<number, Uint8Array>();
    for (const operand of graph.operands) if (mainSubgraph(model).tensors[operand.index]?.sparsity != null) known.set(operand.index, bytesOf(operand).slice());
    for (const { outputs } of graph.operators) for (const output of outputs) if (output.constant) known.set(output.index, bytesOf(output).slice());
    return known.size === 0 ? { model, changes: 0 } : { model: withConstants(model, known), changes: known.size };
  },
};

function withConstants(model: Model, known: ReadonlyMap<number, Uint8Array>): Model {
  const copy = copyModel(model);
  const subgraph = mainSubgraph(copy);
  for (const [index, bytes] of known) {
    const tensor = subgraph.tensors[index];
    if (tensor === undefined) continue;
    tensor.buffer = addBuffer(copy, bytes);
    tensor.sparsity = null;
  }
  subgraph.operators = subgraph.operators.filter((operator) => !(operator.outputs ?? []).every((tensor) => known.has(tensor)));
  return copy;
}
