// Extracts the beginning of a model as a model.

import { extract } from './extract.js';
import { type Model, mainSubgraph } from './model.js';

/**
 * The first operators of the main subgraph. Inputs are what they read; outputs are the tensors that they compute and
 * that later operators, or no operators, would read.
 * @param count at least 1
 */
export function prefixOf(model: Model, count: number): Model {
  const { operators, outputs } = mainSubgraph(model);
  const [kept, dropped] = [operators.slice(0, count), operators.slice(count)];
  const made = kept.flatMap((operator) => Array.from(operator.outputs ?? []));
  const readHere = new Set(kept.flatMap(({ inputs }) => Array.from(inputs ?? [])));
  const readLater = new Set([...dropped.flatMap(({ inputs }) => Array.from(inputs ?? [])), ...(outputs ?? [])]);
  const ends = made.filter((tensor) => readLater.has(tensor) || !readHere.has(tensor));
  return extract(
    model,
    kept.map((_, index) => index),
    ends,
  ).model;
}
