// The beginning of a model as a model of its own.

import { compact, copyModel } from './edit.js';
import { type Model, mainSubgraph } from './model.js';

/**
 * The first operators of the main subgraph. Its inputs are those that they read, its outputs the tensors that they make and that later operators, or nobody, would read.
 * @param count at least 1
 */
export function prefixOf(model: Model, count: number): Model {
  const copy = copyModel(model);
  const graph = mainSubgraph(copy);
  const dropped = graph.operators.slice(count);
  graph.operators = graph.operators.slice(0, count);
  const made = graph.operators.flatMap(({ outputs }) => Array.from(outputs ?? []));
  const readHere = new Set(graph.operators.flatMap(({ inputs }) => Array.from(inputs ?? [])));
  const readLater = new Set([...dropped.flatMap(({ inputs }) => Array.from(inputs ?? [])), ...(graph.outputs ?? [])]);
  graph.outputs = Int32Array.from(made.filter((tensor) => readLater.has(tensor) || !readHere.has(tensor)));
  graph.inputs = graph.inputs?.filter((tensor) => readHere.has(tensor)) ?? null;
  // Signatures name outputs that are no longer there.
  copy.signatureDefs = [];
  compact(copy);
  return copy;
}
