// Computes once, on the host, what does not depend on the input: shape arithmetic from a dynamic batch, mostly.

import { buildGraph, bytesOf, defaultKernelProfile, kernelProfiles, operatorFamilies, simulates } from '../simulator/index.js';
import { addBuffer, copyModel, type Model, mainSubgraph } from '../tflite/index.js';
import type { GraphPass } from './pass.js';

export const foldConstants: GraphPass = {
  name: 'fold-constants',
  run: (model) => {
    // Models with operators that the simulator lacks are left as they are; who needs to run them says which are missing.
    if (!simulates(model)) return { model, changes: 0 };
    const graph = buildGraph(model, kernelProfiles[defaultKernelProfile]);
    graph.memory.seal(false);
    const known = new Map<number, Uint8Array>();
    for (const context of graph.operators) {
      const constant = (input: (typeof context.inputs)[number]): boolean => input === null || input.constant || known.has(input.index);
      const foldable = context.name === 'SHAPE' || (context.inputs.length > 0 && context.inputs.every(constant));
      if (!foldable) continue;
      operatorFamilies.get(context.name)?.prepare(context)();
      for (const output of context.outputs) known.set(output.index, bytesOf(output).slice());
    }
    return known.size === 0 ? { model, changes: 0 } : { model: withConstants(model, known), changes: known.size };
  },
};

function withConstants(model: Model, known: ReadonlyMap<number, Uint8Array>): Model {
  const copy = copyModel(model);
  const subgraph = mainSubgraph(copy);
  for (const [index, bytes] of known) {
    const tensor = subgraph.tensors[index];
    if (tensor !== undefined) tensor.buffer = addBuffer(copy, bytes);
  }
  subgraph.operators = subgraph.operators.filter((operator) => !(operator.outputs ?? []).every((tensor) => known.has(tensor)));
  return copy;
}
