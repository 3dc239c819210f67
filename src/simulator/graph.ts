// From a model to what kernels work on: operands with memory, and one context per operator. Computed tensors share one
// region of the linear memory, laid out by the same planner as on the device.

import { fail } from '../errors.js';
import { LinearMemory } from '../kernels/index.js';
import {
  bytesOfElements,
  constantBytes,
  type ElementType,
  elementCount,
  elementTypeOf,
  type Model,
  mainSubgraph,
  type Operator,
  type OperatorName,
  operatorName,
  type SubGraph,
  staticShape,
  type Tensor,
  tensorLabel,
  typeName,
} from '../tflite/index.js';
import { greedyPlan } from './arena/greedy.js';
import { tensorRequests } from './arena/lifetimes.js';
import type { Arithmetic } from './arithmetic/profile.js';
import { operatorFamilies } from './operators/index.js';
import { type ElementArray, type Operand, type OperatorContext, Resources, type SharedState } from './operators/operator.js';

/** One subgraph, bound. */
export interface BoundSubgraph {
  readonly operands: readonly Operand[];
  readonly operators: readonly OperatorContext[];
  readonly inputs: readonly Operand[];
  readonly outputs: readonly Operand[];
}

/** The subgraph that is run, and those that its operators call. */
export interface Graph extends BoundSubgraph {
  /** All of them by index, the one that is run first. */
  readonly subgraphs: ReadonlyMap<number, BoundSubgraph>;
  /** Not sealed yet: kernels may still reserve. The data of computed tensors is there once it is. */
  readonly memory: LinearMemory;
  readonly shared: GraphState;
}

/** What the operators share, and where the interpreter puts what invokes a subgraph. */
export interface GraphState extends SharedState {
  readonly invocations: Map<number, () => void>;
}

/** Beyond this the host does not try; devices have far less. */
const maxTensorBytes = 2 ** 29;

/**
 * Binds a subgraph, the main one unless said otherwise, and those that it calls.
 * @throws OPERATORS_UNSUPPORTED with all missing operators, TENSOR_SHAPE_DYNAMIC, TENSOR_TOO_LARGE, TFLITE_INVALID
 */
export function buildGraph(model: Model, arithmetic: Arithmetic, start = 0): Graph {
  refuseUnsupported(model, start);
  return bindGraph(model, arithmetic, true, start);
}

/** Like buildGraph, without memory and also for operators without a kernel: for questions about shapes. */
export function describeGraph(model: Model, arithmetic: Arithmetic, start = 0): Graph {
  return bindGraph(model, arithmetic, false, start);
}

function bindGraph(model: Model, arithmetic: Arithmetic, allocate: boolean, start: number): Graph {
  const memory = new LinearMemory();
  const subgraphs = new Map<number, BoundSubgraph>();
  const invocations = new Map<number, () => void>();
  const shared: GraphState = {
    invocations,
    resources: new Resources(),
    done: new Set(),
    subgraph: (index) => {
      const subgraph = subgraphs.get(index);
      if (subgraph === undefined) throw fail('TFLITE_INVALID', { reason: `there is no subgraph ${index}`, where: 'an operator that calls one' });
      return { inputs: subgraph.inputs, outputs: subgraph.outputs, invoke: () => invocations.get(index)?.() };
    },
  };
  for (const index of reachable(model, start)) subgraphs.set(index, bindSubgraph(model, index, { arithmetic, allocate, memory, shared }));
  return { ...(subgraphs.get(start) as BoundSubgraph), subgraphs, memory, shared };
}

interface Binding {
  readonly arithmetic: Arithmetic;
  readonly allocate: boolean;
  readonly memory: LinearMemory;
  readonly shared: SharedState;
}

function bindSubgraph(model: Model, at: number, { arithmetic, allocate, memory, shared }: Binding): BoundSubgraph {
  const subgraph = subgraphOf(model, at);
  checkDataflow(model, subgraph);
  const plan = greedyPlan(allocate ? tensorRequests(model, subgraph) : []);
  if (plan.headBytes > maxTensorBytes) throw fail('TENSOR_TOO_LARGE', { bytes: plan.headBytes, limit: maxTensorBytes });
  const arena = memory.reserve(plan.headBytes);
  const offsets = new Map(plan.buffers.map((buffer) => [buffer.tensor, buffer.offset]));
  const addressOf = (index: number): number => {
    const tensor = subgraph.tensors[index] as Tensor;
    const type = elementTypeOf(tensor);
    if (allocate && tensor.isVariable && type !== null) return memory.reserve(bytesOfElements(type, elementCount(staticShape(index, tensor))));
    return arena + (offsets.get(index) ?? 0);
  };
  const operands = subgraph.tensors.map((tensor, index) => bindTensor(model, tensor, index, memory, addressOf(index)));
  const pick = (indices: Int32Array | null): Operand[] => Array.from(indices ?? [], (index) => operands[index] as Operand);
  const operators = subgraph.operators.map((operator, index): OperatorContext => {
    const name = operatorName(model, operator) as OperatorName;
    return {
      place: `operator ${index} ${name}${at === 0 ? '' : ` of subgraph ${at}`}`,
      name,
      inputs: Array.from(operator.inputs ?? [], (input) => (input < 0 ? null : (operands[input] as Operand))),
      outputs: pick(operator.outputs),
      options: operator.builtinOptions,
      arithmetic,
      shared,
    };
  });
  return { operands, operators, inputs: pick(subgraph.inputs), outputs: pick(subgraph.outputs) };
}

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

function subgraphOf(model: Model, index: number): SubGraph {
  const subgraph = model.subgraphs[index];
  if (subgraph === undefined) throw fail('TFLITE_INVALID', { reason: `there is no subgraph ${index}`, where: 'an operator that calls one' });
  return subgraph;
}

/**
 * A subgraph and all that it calls, directly or not.
 * @throws TFLITE_INVALID where one calls itself
 */
function reachable(model: Model, start: number): Set<number> {
  const found = new Set<number>();
  const visit = (index: number, path: readonly number[]): void => {
    if (path.includes(index)) throw fail('TFLITE_INVALID', { reason: `subgraph ${index} calls itself`, where: `subgraph ${path.at(-1)}` });
    const seen = found.has(index);
    found.add(index);
    if (seen) return;
    for (const operator of subgraphOf(model, index).operators) for (const called of callsOf(operator)) visit(called, [...path, index]);
  };
  visit(start, []);
  return found;
}

/** Whether the simulator has a kernel for every operator of the model. */
export function simulates(model: Model): boolean {
  return missingOperators(model, 0).length === 0;
}

function missingOperators(model: Model, start: number): { place: string; name: string }[] {
  return [...reachable(model, start)].flatMap((at) =>
    subgraphOf(model, at)
      .operators.map((operator, index) => ({ place: at === 0 ? `${index}` : `${index} of subgraph ${at}`, name: operatorName(model, operator) }))
      .filter(({ name }) => !operatorFamilies.has(name)),
  );
}

/** @throws OPERATORS_UNSUPPORTED with every operator that has no kernel */
export function refuseUnsupported(model: Model, start = 0): void {
  const missing = missingOperators(model, start);
  if (missing.length === 0) return;
  const byName = new Map<string, string[]>();
  for (const { place, name } of missing) byName.set(name, [...(byName.get(name) ?? []), place]);
  const operators = [...byName].map(([name, places]) => `${name} (operator ${places.join(', ')})`).join('; ');
  throw fail('OPERATORS_UNSUPPORTED', { count: missing.length, operators });
}

/** Every tensor is there before it is read, and nothing writes over what the file holds. */
function checkDataflow(model: Model, subgraph: SubGraph): void {
  const { tensors, operators, inputs, outputs } = subgraph;
  const invalid = (index: number, reason: string, where: string): Error =>
    fail('TFLITE_INVALID', { reason: `tensor ${tensorLabel(index, tensors[index] as Tensor)} ${reason}`, where });
  const constant = tensors.map((tensor) => constantBytes(model, tensor) !== null);
  // Variables hold their initial values before anything writes them.
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
      if (index >= 0 && !constant[index] && !known.has(index)) throw invalid(index, 'is read before anything wrote it', where);
    for (const index of operator.outputs ?? []) define(index, where);
  });
  for (const index of outputs ?? []) if (!constant[index] && !known.has(index)) throw invalid(index, 'is an output that nothing computes', 'the outputs');
}

function bindTensor(model: Model, tensor: Tensor, index: number, memory: LinearMemory, address: number): Operand {
  const label = tensorLabel(index, tensor);
  const type = elementTypeOf(tensor);
  if (type === null) throw fail('TFLITE_INVALID', { reason: `nothing here computes with type ${typeName(tensor.type)}`, where: `tensor ${label}` });
  const shape = staticShape(index, tensor);
  const count = elementCount(shape);
  const constant = tensor.isVariable ? null : constantBytes(model, tensor);
  const described = {
    index,
    label,
    type,
    shape,
    count,
    scale: tensor.quantization?.scale ?? new Float32Array(0),
    zeroPoint: Int32Array.from(tensor.quantization?.zeroPoint ?? [], Number),
    axis: tensor.quantization?.quantizedDimension ?? 0,
    constant: constant !== null,
    variable: tensor.isVariable,
  };
  if (constant !== null) return { ...described, address: null, data: constantData(type, constant, count, label) };
  if (type === 'int4') throw fail('TFLITE_INVALID', { reason: 'int4 is for weights that the file holds', where: `tensor ${label}` });
  let view: ElementArray | null = null;
  return {
    ...described,
    address,
    get data() {
      view ??= viewOf(type, memory.buffer, address, count);
      return view;
    },
  };
}

function constantData(type: ElementType, bytes: Uint8Array, count: number, label: string): ElementArray {
  const need = bytesOfElements(type, count);
  if (bytes.byteLength !== need) {
    throw fail('TFLITE_INVALID', { reason: `${bytes.byteLength} bytes of data for a shape that takes ${need}`, where: `tensor ${label}` });
  }
  if (type === 'int4') return unpackInt4(bytes, count);
  const aligned = bytes.byteOffset % bytesOfElements(type, 1) === 0 ? bytes : bytes.slice();
  return viewOf(type, aligned.buffer, aligned.byteOffset, count);
}

/** The even elements are in the low halves of the bytes. */
function unpackInt4(bytes: Uint8Array, count: number): Int8Array {
  return Int8Array.from({ length: count }, (_, i) => ((bytes[i >> 1] as number) << (i % 2 === 0 ? 28 : 24)) >> 28);
}

export function viewOf(type: ElementType, buffer: ArrayBufferLike, offset: number, count: number): ElementArray {
  switch (type) {
    case 'float32':
      return new Float32Array(buffer, offset, count);
    case 'float16':
      return new Uint16Array(buffer, offset, count);
    case 'int4':
    case 'int8':
      return new Int8Array(buffer, offset, count);
    case 'uint8':
    case 'bool':
      return new Uint8Array(buffer, offset, count);
    case 'int16':
      return new Int16Array(buffer, offset, count);
    case 'int32':
    case 'resource':
      return new Int32Array(buffer, offset, count);
    case 'uint32':
      return new Uint32Array(buffer, offset, count);
    case 'int64':
      return new BigInt64Array(buffer, offset, count);
  }
}
