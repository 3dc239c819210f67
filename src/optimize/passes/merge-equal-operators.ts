// Merges operators that compute the same from the same inputs, for example the activation that several branches of a
// network each apply to their common input.

import {
  constantBytes,
  copyModel,
  type Model,
  mainSubgraph,
  type Operator,
  operatorName,
} from '../../formats/tflite/index.js';
import { operatorFamilies } from '../../simulator/index.js';
import type { GraphPass } from './pass.js';

export const mergeEqualOperators: GraphPass = {
  name: 'merge-equal-operators',
  run: (model) => {
    const copy = copyModel(model);
    const subgraph = mainSubgraph(copy);
    const returned = new Set(subgraph.outputs ?? []);
    /** Outputs of removed operators, and what replaces them. */
    const replaced = new Map<number, number>();
    const seen = new Map<string, Operator[]>();
    const kept = subgraph.operators.filter((operator) => {
      operator.inputs = operator.inputs?.map((input) => replaced.get(input) ?? input) ?? null;
      const key = keyOf(copy, operator);
      if (key === null) return true;
      const alike = seen.get(key) ?? [];
      const first = alike.find((other) => haveSameConstants(copy, operator, other));
      if (first === undefined) seen.set(key, [...alike, operator]);
      if (first === undefined || (operator.outputs ?? []).some((output) => returned.has(output))) return true;
      operator.outputs?.forEach((output, i) => {
        replaced.set(output, first.outputs?.[i] ?? output);
      });
      return false;
    });
    if (kept.length === subgraph.operators.length) return { model, changes: 0 };
    const changes = subgraph.operators.length - kept.length;
    subgraph.operators = kept;
    return { model: copy, changes };
  },
};

/** Equal for operators that differ in constants at most; null where the result depends on more than the inputs. */
function keyOf(model: Model, operator: Operator): string | null {
  const { tensors } = mainSubgraph(model);
  const family = operatorFamilies.get(operatorName(model, operator));
  const inputs = Array.from(operator.inputs ?? []);
  if (family === undefined || family.dependsOn === 'state') return null;
  if (inputs.some((input) => tensors[input]?.isVariable === true)) return null;
  const sources = inputs.map((input) => {
    const tensor = tensors[input];
    if (tensor === undefined || constantBytes(model, tensor) === null) return `tensor ${input}`;
    return `constant ${tensor.type} ${tensor.shape?.join()}`;
  });
  const types = Array.from(operator.outputs ?? [], (output) => tensors[output]?.type);
  const options = [operator.builtinOptions, operator.builtinOptions2, operator.customOptions];
  return JSON.stringify([operator.opcodeIndex, sources, types, options], (_, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value,
  );
}

function haveSameConstants(model: Model, a: Operator, b: Operator): boolean {
  const bytesOf = (operator: Operator): (Uint8Array | null)[] =>
    Array.from(operator.inputs ?? [], (input) => {
      const tensor = mainSubgraph(model).tensors[input];
      return tensor === undefined ? null : constantBytes(model, tensor);
    });
  const others = bytesOf(b);
  return bytesOf(a).every((bytes, i) => {
    const other = others[i] ?? null;
    return bytes === other || (bytes !== null && other !== null && Buffer.compare(bytes, other) === 0);
  });
}
