// Edits a model. Every edit works on a copy of the structure; weights are shared with the original until they are
// replaced.

import { createHash } from 'node:crypto';
import { defined, elementAt } from '../../base/checked.js';
import { create, unknownFields } from '../flatbuffer/index.js';
import { builtinCode, type Model, type Operator, operatorCodeOf, type SubGraph, type Tensor } from './model.js';
import { BuiltinOperator, TensorType } from './schema/enums.js';
import * as schema from './schema/model.js';

/** Copies a model so that its tables can be changed; data vectors are shared with the original. */
export function copyModel(model: Model): Model {
  return copyTable(model) as Model;
}

function copyTable(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copyTable);
  if (value === null || typeof value !== 'object' || ArrayBuffer.isView(value)) return value;
  const copy = Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, copyTable(entry)]));
  const unknown = unknownFields.get(value);
  if (unknown !== undefined) unknownFields.set(copy, unknown);
  return copy;
}

/** The operators that write and read each tensor of a subgraph, by tensor index. */
export interface Links {
  readonly producer: Map<number, Operator>;
  readonly consumers: Map<number, Operator[]>;
}

export function linksOf(subgraph: SubGraph): Links {
  const links: Links = { producer: new Map(), consumers: new Map() };
  for (const operator of subgraph.operators) {
    for (const tensor of operator.outputs ?? []) links.producer.set(tensor, operator);
    for (const tensor of new Set(operator.inputs ?? [])) {
      if (tensor < 0) continue;
      const known = links.consumers.get(tensor);
      if (known === undefined) links.consumers.set(tensor, [operator]);
      else known.push(operator);
    }
  }
  return links;
}

/** Whether exactly one operator reads a tensor and the tensor is not an output of the graph. */
export function isPrivate(subgraph: SubGraph, links: Links, tensor: number): boolean {
  return links.consumers.get(tensor)?.length === 1 && !Array.from(subgraph.outputs ?? []).includes(tensor);
}

/** Adds a buffer and returns its index. */
export function addBuffer(model: Model, data: Uint8Array): number {
  return model.buffers.push(create(schema.Buffer, { data })) - 1;
}

/** Adds a constant float32 tensor to a subgraph and returns its index. The values are copied. */
export function addFloats(
  model: Model,
  subgraph: SubGraph,
  { name, shape }: Pick<Tensor, 'name' | 'shape'>,
  values: Float32Array,
): number {
  const buffer = addBuffer(model, new Uint8Array(values.slice().buffer));
  return subgraph.tensors.push(create(schema.Tensor, { name, shape, type: TensorType.FLOAT32, buffer })) - 1;
}

/** Gives an operator new weights and a bias, in new tensors. The operator may have had no bias. */
export function setWeights(
  model: Model,
  subgraph: SubGraph,
  operator: Operator,
  weights: Float32Array,
  bias: Float32Array,
): void {
  const [input = -1, filterIndex = -1, biasIndex = -1] = operator.inputs ?? [];
  const filter = elementAt(subgraph.tensors, filterIndex);
  const name = subgraph.tensors[biasIndex]?.name ?? `${filter.name ?? ''}/bias`;
  const newFilter = addFloats(model, subgraph, filter, weights);
  operator.inputs = Int32Array.of(
    input,
    newFilter,
    addFloats(model, subgraph, { name, shape: Int32Array.of(bias.length) }, bias),
  );
}

/** The index of a builtin operator's code, which is added if the model does not have it yet. */
export function operatorCodeIndex(model: Model, name: keyof typeof BuiltinOperator, version: number): number {
  const code = BuiltinOperator[name];
  const found = model.operatorCodes.findIndex(
    (entry) => Math.max(entry.builtinCode, entry.deprecatedBuiltinCode) === code && entry.version === version,
  );
  // The older field is a signed byte; for larger codes it holds 127, as the schema prescribes.
  return found >= 0
    ? found
    : model.operatorCodes.push(
        create(schema.OperatorCode, { builtinCode: code, deprecatedBuiltinCode: Math.min(code, 127), version }),
      ) - 1;
}

/** An operator without options that computes one tensor from another; the caller inserts it into the graph. */
export function unaryOperator(
  model: Model,
  name: keyof typeof BuiltinOperator,
  version: number,
  input: number,
  output: number,
): Operator {
  const opcodeIndex = operatorCodeIndex(model, name, version);
  return create(schema.Operator, { opcodeIndex, inputs: Int32Array.of(input), outputs: Int32Array.of(output) });
}

/**
 * Name of the metadata with an arena offset for each tensor, which TFLM follows. It is valid only for these tensors,
 * shapes and this order of operators.
 */
export const memoryPlanName = 'OfflineMemoryAllocation';

/** Removes the memory plan, in place, for edits that invalidate it. */
export function dropMemoryPlan(model: Model): void {
  model.metadata = model.metadata.filter(({ name }) => name !== memoryPlanName);
}

/**
 * Removes operators whose outputs nobody reads, then unused tensors, buffers and operator codes, and renumbers the
 * rest; buffers with equal bytes are merged. The order is kept, the memory plan is not. Works in place.
 */
export function compact(model: Model): void {
  dropMemoryPlan(model);
  model.subgraphs.forEach((subgraph, index) => {
    dropDeadOperators(model, subgraph);
    compactTensors(model, subgraph, index);
  });
  compactBuffers(model);
  const operators = model.subgraphs.flatMap((subgraph) => subgraph.operators);
  const codes = renumber(
    model.operatorCodes.length,
    operators.map((operator) => operator.opcodeIndex),
  );
  model.operatorCodes = model.operatorCodes.filter((_, i) => codes.has(i));
  for (const operator of operators) operator.opcodeIndex = defined(codes.get(operator.opcodeIndex));
}

/** Operators with side effects. */
const effects: ReadonlySet<number> = new Set([
  BuiltinOperator.ASSIGN_VARIABLE,
  BuiltinOperator.CALL_ONCE,
  BuiltinOperator.WHILE,
  BuiltinOperator.IF,
]);

function dropDeadOperators(model: Model, subgraph: SubGraph): void {
  const needed = new Set<number>(subgraph.outputs ?? []);
  const variable = (tensor: number): boolean => subgraph.tensors[tensor]?.isVariable ?? false;
  subgraph.operators = subgraph.operators
    .toReversed()
    .filter((operator) => {
      const acts = effects.has(builtinCode(operatorCodeOf(model, operator))) || (operator.inputs ?? []).some(variable);
      const used = acts || (operator.outputs ?? []).some((tensor) => needed.has(tensor));
      if (used) for (const tensor of operator.inputs ?? []) needed.add(tensor);
      return used;
    })
    .toReversed();
}

function compactTensors(model: Model, subgraph: SubGraph, at: number): void {
  const named = [
    subgraph.inputs,
    subgraph.outputs,
    ...subgraph.operators.flatMap((operator) => [operator.inputs, operator.outputs, operator.intermediates]),
  ];
  const numbers = renumber(
    subgraph.tensors.length,
    named.flatMap((indices) => Array.from(indices ?? [])),
  );
  const map = (indices: Int32Array | null): Int32Array | null =>
    indices?.map((index) => numbers.get(index) ?? -1) ?? null;
  subgraph.tensors = subgraph.tensors.filter((_, i) => numbers.has(i));
  subgraph.inputs = map(subgraph.inputs);
  subgraph.outputs = map(subgraph.outputs);
  for (const operator of subgraph.operators) {
    operator.inputs = map(operator.inputs);
    operator.outputs = map(operator.outputs);
    operator.intermediates = map(operator.intermediates);
  }
  for (const signature of model.signatureDefs) {
    if (signature.subgraphIndex !== at) continue;
    for (const entry of [...signature.inputs, ...signature.outputs])
      entry.tensorIndex = numbers.get(entry.tensorIndex) ?? entry.tensorIndex;
  }
}

/** Buffer 0 stays: the schema reserves it for "no data". Computed tensors keep an empty buffer or share buffer 0. */
function compactBuffers(model: Model): void {
  const tensors = model.subgraphs.flatMap((subgraph) => subgraph.tensors);
  const first = firstOfSame(model.buffers.map(({ data }) => data));
  for (const tensor of tensors) tensor.buffer = elementAt(first, tensor.buffer);
  const numbers = renumber(model.buffers.length, [
    0,
    ...tensors.map((tensor) => tensor.buffer),
    ...model.metadata.map((entry) => entry.buffer),
    ...(model.metadataBuffer ?? []),
  ]);
  model.buffers = model.buffers.filter((_, i) => numbers.has(i));
  for (const tensor of tensors) tensor.buffer = defined(numbers.get(tensor.buffer));
  for (const entry of model.metadata) entry.buffer = defined(numbers.get(entry.buffer));
  model.metadataBuffer = model.metadataBuffer?.map((index) => defined(numbers.get(index))) ?? null;
}

/** For each buffer, the first one with the same bytes. Constants are never written, so tensors may share them. */
function firstOfSame(buffers: readonly (Uint8Array | null)[]): number[] {
  const seen = new Map<string, number>();
  return buffers.map((data, index) => {
    if (data === null || data.byteLength === 0) return index;
    const key = `${data.byteLength} ${createHash('sha256').update(data).digest('base64')}`;
    const found = seen.get(key) ?? index;
    seen.set(key, found);
    return found;
  });
}

/** New numbers for the indices in use, in order. */
function renumber(count: number, used: readonly number[]): Map<number, number> {
  const wanted = new Set(used);
  const numbers = new Map<number, number>();
  for (let i = 0; i < count; i++) if (wanted.has(i)) numbers.set(i, numbers.size);
  return numbers;
}
