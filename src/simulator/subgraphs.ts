// The subgraphs that a model runs, and whether the simulator supports them.

import { elementAt } from '../base/checked.js';
import { fail } from '../base/errors.js';
import {
  compiledFor,
  constantBytes,
  elementTypeOf,
  type Model,
  mainSubgraph,
  type Operator,
  operatorName,
  type SubGraph,
  tensorLabel,
  typeName,
} from '../formats/tflite/index.js';
import { operatorFamilies } from './operators/index.js';

/** The subgraphs that an operator calls. */
function callsOf({ builtinOptions }: Operator): number[] {
  switch (builtinOptions?.kind) {
    case 'IfOptions':
      return [builtinOptions.thenSubgraphIndex, builtinOptions.elseSubgraphIndex];
    case 'WhileOptions':
      return [builtinOptions.condSubgraphIndex, builtinOptions.bodySubgraphIndex];
    case 'CallOnceOptions':
      return [builtinOptions.initSubgraphIndex];
    default:
      return [];
  }
}

export function subgraphOf(model: Model, index: number): SubGraph {
  const subgraph = model.subgraphs[index];
  if (subgraph === undefined)
    throw fail('TFLITE_INVALID', { reason: `there is no subgraph ${index}`, where: 'an operator that calls one' });
  return subgraph;
}

const deepestCalls = 100;

/**
 * A subgraph and all that it calls, directly or indirectly, in order of dependency.
 * @throws TFLITE_INVALID if one calls itself
 */
export function reachable(model: Model, start: number): Set<number> {
  const found = new Set<number>();
  const visit = (index: number, path: readonly number[]): void => {
    if (path.length > deepestCalls)
      throw fail('TFLITE_INVALID', {
        reason: `subgraphs call each other more than ${deepestCalls} deep`,
        where: `subgraph ${index}`,
      });
    if (path.includes(index))
      throw fail('TFLITE_INVALID', { reason: `subgraph ${index} calls itself`, where: `subgraph ${path.at(-1)}` });
    if (found.has(index)) return;
    for (const operator of subgraphOf(model, index).operators)
      for (const called of callsOf(operator)) visit(called, [...path, index]);
    found.add(index);
  };
  visit(start, []);
  return found;
}

/** The subgraphs that other subgraphs call. */
export function calledSubgraphs(model: Model): Set<number> {
  return new Set(model.subgraphs.flatMap(({ operators }) => operators.flatMap(callsOf)));
}

/** Whether the simulator has a kernel for every operator of the model. */
export function simulates(model: Model): boolean {
  return missingOperators(model, 0).length === 0;
}

/** An operator that the simulator lacks. */
export interface MissingOperator {
  /** Index in its subgraph, and the subgraph unless it is the main one. */
  readonly place: string;
  /** Name, with the element types that no kernel supports. */
  readonly name: string;
  /** Whether only the types are unsupported. */
  readonly types: boolean;
}

/** Operators without a kernel, or with tensors of unsupported types (strings, variants, float64 and the like). */
export function missingOperators(model: Model, start = 0): MissingOperator[] {
  return [...reachable(model, start)].flatMap((at) => {
    const { operators, tensors } = subgraphOf(model, at);
    return operators.flatMap((operator, index) => {
      const name = operatorName(model, operator);
      const touched = [...(operator.inputs ?? []), ...(operator.outputs ?? [])].flatMap(
        (tensor) => tensors[tensor] ?? [],
      );
      const types = new Set(
        touched.filter((tensor) => elementTypeOf(tensor) === null).map(({ type }) => typeName(type)),
      );
      if (operatorFamilies.has(name) && types.size === 0) return [];
      const place = at === 0 ? `${index}` : `${index} of subgraph ${at}`;
      return [
        { place, name: types.size === 0 ? name : `${name} with ${[...types].join(', ')}`, types: types.size > 0 },
      ];
    });
  });
}

/** Operators by name, each with its indices. */
export function listOperators(missing: readonly MissingOperator[]): string {
  const byName = new Map<string, string[]>();
  for (const { place, name } of missing) byName.set(name, [...(byName.get(name) ?? []), place]);
  return [...byName].map(([name, places]) => `${name} (operator ${places.join(', ')})`).join('; ');
}

/** Operators of the main subgraph whose relative order matters: they read or change persistent state. */
export function lastingOperators(model: Model): ReadonlySet<number> {
  const { operators, tensors } = mainSubgraph(model);
  const touches = (indices: Int32Array | null): boolean =>
    Array.from(indices ?? []).some((index) => tensors[index]?.isVariable === true);
  const lasting = operators.flatMap((operator, o) => {
    const state = operatorFamilies.get(operatorName(model, operator))?.dependsOn === 'state';
    return state || touches(operator.inputs) || touches(operator.outputs) ? [o] : [];
  });
  return new Set(lasting);
}

/** Whether a model keeps values between invocations, in variables or in operators. */
export function isStateful(model: Model): boolean {
  const kept = ({ operators, tensors }: SubGraph): boolean =>
    tensors.some(({ isVariable }) => isVariable) ||
    operators.some((operator) => operatorFamilies.get(operatorName(model, operator))?.dependsOn === 'state');
  return [...reachable(model, 0)].some((at) => kept(subgraphOf(model, at)));
}

/** @throws MODEL_COMPILED for a model that an accelerator's compiler made */
export function refuseCompiled(model: Model): void {
  const compiled = compiledFor(model);
  if (compiled === null) return;
  const reason = `it holds ${compiled.operators.length} custom operator(s) of ${compiled.compiler}`;
  throw fail('MODEL_COMPILED', { where: 'the model', accelerator: compiled.accelerator, reason });
}

/** @throws OPERATORS_UNSUPPORTED with every operator that has no kernel, MODEL_COMPILED */
export function refuseUnsupported(model: Model, start = 0): void {
  refuseMissing(model, missingOperators(model, start));
}

/** Describing a model needs supported tensor types, but no kernels. @throws OPERATORS_UNSUPPORTED, MODEL_COMPILED */
export function refuseUnknownTypes(model: Model, start: number): void {
  const missing = missingOperators(model, start);
  if (missing.some(({ types }) => types)) refuseMissing(model, missing);
}

function refuseMissing(model: Model, missing: readonly MissingOperator[]): void {
  if (missing.length === 0) return;
  refuseCompiled(model);
  throw fail('OPERATORS_UNSUPPORTED', { count: missing.length, operators: listOperators(missing) });
}

/** Every tensor must exist before it is read, and nothing may overwrite constants. */
export function checkDataflow(model: Model, subgraph: SubGraph): void {
  const { tensors, operators, inputs, outputs } = subgraph;
  const invalid = (index: number, reason: string, where: string): Error =>
    fail('TFLITE_INVALID', { reason: `tensor ${tensorLabel(index, elementAt(tensors, index))} ${reason}`, where });
  const constant = tensors.map((tensor) => constantBytes(model, tensor) !== null);
  // Variables have initial values before anything writes them.
  const known = new Set<number>(tensors.flatMap((tensor, index) => (tensor.isVariable ? [index] : [])));
  const define = (index: number, where: string): void => {
    if (constant[index]) throw invalid(index, 'is written although the file holds its data', where);
    if (tensors[index]?.isVariable) return;
    if (known.has(index)) throw invalid(index, 'is written twice', where);
    known.add(index);
  };
  if ((outputs?.length ?? 0) === 0 && subgraph === mainSubgraph(model))
    throw fail('TFLITE_INVALID', { reason: 'it has no outputs', where: 'the main subgraph' });
  for (const index of new Set(inputs ?? [])) define(index, 'the inputs');
  operators.forEach((operator, o) => {
    const where = `operator ${o} ${operatorName(model, operator)}`;
    for (const index of operator.inputs ?? [])
      if (index >= 0 && !constant[index] && !known.has(index))
        throw invalid(index, 'is read before anything wrote it', where);
    for (const index of operator.outputs ?? []) define(index, where);
  });
  for (const index of outputs ?? [])
    if (!constant[index] && !known.has(index))
      throw invalid(index, 'is an output that nothing computes', 'the outputs');
}
