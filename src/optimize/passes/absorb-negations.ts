// Absorbs NEG between products and a sum: a + (-b) is a - b. Few integer kernels support NEG, and converters write it
// for layer normalization.

import { defined } from '../../base/checked.js';
import {
  ActivationFunctionType,
  copyModel,
  isPrivate,
  type Links,
  linksOf,
  type Model,
  mainSubgraph,
  type Operator,
  operatorCodeIndex,
  operatorName,
  type SubGraph,
} from '../../formats/tflite/index.js';
import type { GraphPass } from './pass.js';

export const absorbNegations: GraphPass = {
  name: 'absorb-negations',
  run: (model) => {
    const copy = copyModel(model);
    const subgraph = mainSubgraph(copy);
    const absorbed = new Set(
      subgraph.operators.filter(
        (operator) => operatorName(copy, operator) === 'NEG' && absorb(copy, subgraph, operator),
      ),
    );
    subgraph.operators = subgraph.operators.filter((operator) => !absorbed.has(operator));
    return absorbed.size === 0 ? { model, changes: 0 } : { model: copy, changes: absorbed.size };
  },
};

/** Turns the sum after a negation into a difference, or back. Returns true if the negation can then be removed. */
function absorb(model: Model, subgraph: SubGraph, negation: Operator): boolean {
  const links = linksOf(subgraph);
  const [input, output] = [negation.inputs?.[0] ?? -1, negation.outputs?.[0] ?? -1];
  const [first, ...others] = readersUntilSum(model, subgraph, links, output);
  if (first === undefined) return false;
  const sum = others.at(-1) ?? first;
  const negated = others.length === 0 ? output : (others.at(-2) ?? first).outputs?.[0];
  const [left, right] = Array.from(sum.inputs ?? []);
  const isSum = operatorName(model, sum) === 'ADD';
  if (left === right || (!isSum && right !== negated)) return false;
  const { fusedActivationFunction } = defined(sum.builtinOptions) as { fusedActivationFunction: number };
  const other = left === negated ? right : left;
  sum.inputs = Int32Array.of(defined(other), defined(negated));
  sum.builtinOptions = { kind: isSum ? 'SubOptions' : 'AddOptions', fusedActivationFunction, potScaleInt16: true };
  sum.opcodeIndex = operatorCodeIndex(model, isSum ? 'SUB' : 'ADD', 1);
  // The products in between, and the sum, then take the value without its sign.
  first.inputs = first.inputs?.map((tensor) => (tensor === output ? input : tensor)) ?? null;
  return true;
}

/**
 * The products that a tensor passes through, each without other readers, and the sum at their end; null if they end in
 * something else.
 */
function readersUntilSum(model: Model, subgraph: SubGraph, links: Links, tensor: number): Operator[] {
  if (!isPrivate(subgraph, links, tensor)) return [];
  const reader = defined(links.consumers.get(tensor)?.[0]);
  const name = operatorName(model, reader);
  if (name === 'ADD' || name === 'SUB') return [reader];
  const [left, right] = Array.from(reader.inputs ?? []);
  const options = reader.builtinOptions as { fusedActivationFunction?: number } | null;
  if (name !== 'MUL' || left === right || options?.fusedActivationFunction !== ActivationFunctionType.NONE) return [];
  const rest = readersUntilSum(model, subgraph, links, reader.outputs?.[0] ?? -1);
  return rest.length === 0 ? [] : [reader, ...rest];
}
