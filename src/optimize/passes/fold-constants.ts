// Computes on the host what does not depend on the input: shape arithmetic from a dynamic batch, and weights stored
// sparse or in float16.

import { addBuffer, copyModel, type Model, mainSubgraph } from '../../formats/tflite/index.js';
import {
  buildGraph,
  bytesOf,
  defaultKernelProfile,
  kernelProfiles,
  type Operand,
  simulates,
} from '../../simulator/index.js';
import type { GraphPass } from './pass.js';

export const foldConstants: GraphPass = {
  name: 'fold-constants',
  run: (model) => {
    // Models with operators that the simulator lacks are returned unchanged; running them reports which are missing.
    if (!simulates(model)) return { model, changes: 0 };
    const graph = buildGraph(model, kernelProfiles[defaultKernelProfile]);
    const { tensors } = mainSubgraph(model);
    const computed = graph.operators.flatMap(({ outputs }) => outputs.filter(({ constant }) => constant));
    const sparse = graph.operands.filter(({ index, constant }) => constant && tensors[index]?.sparsity != null);
    // An empty buffer would mean that an operator computes the tensor.
    const known = new Map(
      [...computed, ...sparse].filter(({ count }) => count > 0).map((operand) => [operand.index, operand]),
    );
    return known.size === 0 ? { model, changes: 0 } : { model: withConstants(model, known), changes: known.size };
  },
};

function withConstants(model: Model, known: ReadonlyMap<number, Operand>): Model {
  const copy = copyModel(model);
  const subgraph = mainSubgraph(copy);
  for (const [index, operand] of known) {
    const tensor = subgraph.tensors[index];
    if (tensor === undefined) continue;
    tensor.buffer = addBuffer(copy, bytesOf(operand).slice());
    tensor.shape = Int32Array.from(operand.shape);
    tensor.shapeSignature = null;
    tensor.sparsity = null;
  }
  subgraph.operators = subgraph.operators.filter(
    (operator) => !(operator.outputs ?? []).every((tensor) => known.has(tensor)),
  );
  return copy;
}
