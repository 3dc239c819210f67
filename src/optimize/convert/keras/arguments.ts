// Arguments of calls. Layers get tensors; functions that are used as layers also get numbers and lists, by position or
// by name, and Keras 3 stores some of them in the configuration instead.

import type { Attribute, Attributes } from '../../../formats/source/index.js';
import type { GraphBuilder, Value } from '../graph-builder.js';
import type { NodeReader } from '../node-reader.js';
import { floats, type NdArray } from '../reference/arrays.js';

interface Call {
  readonly args: readonly Attribute[];
  readonly kwargs: Attributes;
}

function callOf(node: NodeReader): Call {
  return (node.value('call') ?? { args: [], kwargs: {} }) as unknown as Call;
}

/** An argument as the file has it. @param position among the arguments without names; null: by name only */
export function argumentOf(node: NodeReader, names: readonly string[], position: number | null): Attribute | undefined {
  const { args, kwargs } = callOf(node);
  for (const name of names) {
    if (kwargs[name] !== undefined) return kwargs[name];
    if (node.value(name) !== undefined) return node.value(name);
  }
  return position === null ? undefined : args[position];
}

/** The index of the tensor that an argument is; null for other arguments. */
function tensorIndex(argument: Attribute | undefined): number | null {
  if (typeof argument !== 'object' || argument === null || Array.isArray(argument)) return null;
  const { tensor } = argument as { readonly tensor?: Attribute };
  return typeof tensor === 'number' ? tensor : null;
}

/** What a call combines: tensors by index, and numbers. */
function operandList(node: NodeReader, names: readonly string[]): readonly Attribute[] {
  const { args, kwargs } = callOf(node);
  const first = args[0];
  // A layer gets a list of tensors.
  if (args.length === 1 && Array.isArray(first)) return first;
  return [...args, ...names.flatMap((name) => (kwargs[name] === undefined ? [] : [kwargs[name]]))];
}

/** @param names of operands beyond those without names */
export function operandValues(
  node: NodeReader,
  inputs: readonly Value[],
  graph: GraphBuilder,
  names: readonly string[] = [],
): readonly Value[] {
  return operandList(node, names).map((operand) => {
    const index = tensorIndex(operand);
    const value = index === null ? undefined : inputs[index];
    return value ?? graph.scalar(numberOf(node, operand));
  });
}

export function operandArrays(
  node: NodeReader,
  inputs: readonly NdArray[],
  names: readonly string[] = [],
): readonly NdArray[] {
  return operandList(node, names).map((operand) => {
    const index = tensorIndex(operand);
    const array = index === null ? undefined : inputs[index];
    return array ?? floats([], Float32Array.of(numberOf(node, operand)));
  });
}

function numberOf(node: NodeReader, operand: Attribute): number {
  if (typeof operand !== 'number') throw node.refused(`its argument ${JSON.stringify(operand)} is not a number`);
  return operand;
}

/** An integer, or a list of integers, as a list; null where the argument is absent or null. */
export function integerArguments(
  node: NodeReader,
  names: readonly string[],
  position: number | null,
): readonly number[] | null {
  const value = argumentOf(node, names, position) ?? null;
  if (value === null) return null;
  const list = Array.isArray(value) ? value : [value];
  if (!list.every((one): one is number => typeof one === 'number' && Number.isInteger(one)))
    throw node.invalid(names[0] ?? 'argument', value);
  return list;
}

export function numberArgument(
  node: NodeReader,
  names: readonly string[],
  position: number | null,
  byDefault: number,
): number {
  const value = argumentOf(node, names, position) ?? byDefault;
  return numberOf(node, value);
}

export function flagArgument(node: NodeReader, names: readonly string[], position: number | null): boolean {
  const value = argumentOf(node, names, position) ?? false;
  if (typeof value !== 'boolean') throw node.invalid(names[0] ?? 'argument', value);
  return value;
}
