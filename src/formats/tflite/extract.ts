// Extracts part of a model as a model.

import { compact, copyModel } from './edit.js';
import { constantBytes, type Model, mainSubgraph } from './model.js';

export interface Extract {
  readonly model: Model;
  /** Inputs of the part, as tensor indices of the whole model, the model's own inputs first. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

/**
 * Extracts operators of the main subgraph. The inputs are the tensors that they read and do not compute.
 * @param outputs tensors that they compute
 */
export function extract(model: Model, operators: readonly number[], outputs: readonly number[]): Extract {
  const copy = copyModel(model);
  const graph = mainSubgraph(copy);
  const chosen = new Set(operators);
  graph.operators = graph.operators.filter((_, index) => chosen.has(index));
  const made = new Set(graph.operators.flatMap((operator) => Array.from(operator.outputs ?? [])));
  const comesIn = (tensor: number): boolean => {
    const entry = graph.tensors[tensor];
    return (
      tensor >= 0 &&
      !made.has(tensor) &&
      entry !== undefined &&
      !entry.isVariable &&
      constantBytes(copy, entry) === null
    );
  };
  const read = new Set(graph.operators.flatMap((operator) => Array.from(operator.inputs ?? []).filter(comesIn)));
  const own = Array.from(graph.inputs ?? []).filter((tensor) => read.has(tensor));
  const inputs = [...own, ...[...read].filter((tensor) => !own.includes(tensor))];
  graph.inputs = Int32Array.from(inputs);
  graph.outputs = Int32Array.from(outputs);
  // Signatures may name tensors that are not part of the result.
  copy.signatureDefs = [];
  compact(copy);
  return { model: copy, inputs, outputs };
}

/** The operators that some tensors depend on, back to other given tensors. */
export function operatorsBetween(model: Model, given: readonly number[], wanted: readonly number[]): number[] {
  const { operators } = mainSubgraph(model);
  const needed = new Set(wanted.filter((tensor) => !given.includes(tensor)));
  const found: number[] = [];
  for (let index = operators.length - 1; index >= 0; index--) {
    const operator = operators[index];
    if (!Array.from(operator?.outputs ?? []).some((tensor) => needed.has(tensor))) continue;
    found.push(index);
    for (const tensor of operator?.inputs ?? []) if (!given.includes(tensor)) needed.add(tensor);
  }
  return found.reverse();
}
