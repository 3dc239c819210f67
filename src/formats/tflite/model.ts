// The model in memory: the schema's tables as types, and the queries that every stage needs.

import { elementAt } from '../../base/checked.js';
import { fail } from '../../base/errors.js';
import type { Infer, InferUnion } from '../flatbuffer/index.js';
import { BuiltinOperator, TensorType } from './schema/enums.js';
import type * as schema from './schema/model.js';
import type { BuiltinOptions as BuiltinOptionsUnion } from './schema/options.js';

/** A TFLite model: the tables of its flatbuffer as objects. */
export type Model = Infer<typeof schema.Model>;
export type SubGraph = Infer<typeof schema.SubGraph>;
export type Tensor = Infer<typeof schema.Tensor>;
export type Operator = Infer<typeof schema.Operator>;
export type OperatorCode = Infer<typeof schema.OperatorCode>;
export type SparsityParameters = Infer<typeof schema.SparsityParameters>;
export type QuantizationParameters = Infer<typeof schema.QuantizationParameters>;
export type BuiltinOptions = InferUnion<typeof BuiltinOptionsUnion>;

export type TensorTypeName = keyof typeof TensorType;
export type OperatorName = keyof typeof BuiltinOperator;

const typeNames = new Map<number, TensorTypeName>(
  Object.entries(TensorType).map(([name, code]) => [code, name as TensorTypeName]),
);
const operatorNames = new Map<number, OperatorName>(
  Object.entries(BuiltinOperator).map(([name, code]) => [code, name as OperatorName]),
);

/** The types that the simulator and the quantizer compute with, named as in NumPy. */
export type ElementType =
  | 'float32'
  | 'float16'
  | 'int4'
  | 'int8'
  | 'uint8'
  | 'int16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'bool'
  | 'resource';

const elementTypes = new Map<number, ElementType>([
  [TensorType.FLOAT32, 'float32'],
  [TensorType.FLOAT16, 'float16'],
  [TensorType.INT4, 'int4'],
  [TensorType.INT8, 'int8'],
  [TensorType.UINT8, 'uint8'],
  [TensorType.INT16, 'int16'],
  [TensorType.INT32, 'int32'],
  [TensorType.UINT32, 'uint32'],
  [TensorType.INT64, 'int64'],
  [TensorType.BOOL, 'bool'],
  [TensorType.RESOURCE, 'resource'],
]);
const elementBits: Record<ElementType, number> = {
  float32: 32,
  float16: 16,
  int4: 4,
  int8: 8,
  uint8: 8,
  int16: 16,
  int32: 32,
  uint32: 32,
  int64: 64,
  bool: 8,
  resource: 32,
};

/** Lower-case name of a tensor's type, `type17` for a code beyond the schema. */
export function typeName(code: number): string {
  return typeNames.get(code)?.toLowerCase() ?? `type${code}`;
}

/** The element type, or null if nothing here computes with it. */
export function elementTypeOf(tensor: Tensor): ElementType | null {
  return elementTypes.get(tensor.type) ?? null;
}

/** Bytes of `count` elements in a file: two int4 share one byte. */
export function bytesOfElements(type: ElementType, count: number): number {
  return Math.ceil((elementBits[type] * count) / 8);
}

/** The builtin code of an operator; files from before schema 3a store it in the older, narrower field. */
export function builtinCode(code: OperatorCode): number {
  return Math.max(code.builtinCode, code.deprecatedBuiltinCode);
}

export function operatorCodeOf(model: Model, operator: Operator): OperatorCode {
  return elementAt(model.operatorCodes, operator.opcodeIndex);
}

/** CONV_2D, ...; `custom:NAME` for custom operators; `OPERATOR_250` for a code that the schema does not know. */
export function operatorName(model: Model, operator: Operator): string {
  const code = operatorCodeOf(model, operator);
  const builtin = builtinCode(code);
  if (builtin === BuiltinOperator.CUSTOM) return `custom:${code.customCode ?? ''}`;
  return builtinOperatorName(builtin);
}

export function builtinOperatorName(code: number): string {
  return operatorNames.get(code) ?? `OPERATOR_${code}`;
}

export function mainSubgraph(model: Model): SubGraph {
  return elementAt(model.subgraphs, 0);
}

export interface PlacedOperator {
  readonly index: number;
  readonly operator: Operator;
}

/** A compiler that replaces the operators of an accelerator by custom operators. */
export interface AcceleratorCompiler {
  readonly accelerator: string;
  readonly compiler: string;
}

const edgeTpu = {
  operator: 'custom:edgetpu-custom-op',
  accelerator: 'the Edge TPU',
  compiler: 'edgetpu_compiler',
} as const;
const ethosU = { operator: 'custom:ethos-u', accelerator: 'an Ethos-U', compiler: 'Vela' } as const;

function operatorsNamed(model: Model, name: string): PlacedOperator[] {
  return mainSubgraph(model).operators.flatMap((operator, index) =>
    operatorName(model, operator) === name ? [{ index, operator }] : [],
  );
}

/** The custom operators that edgetpu_compiler writes, with their positions; empty for other models. */
export function edgeTpuOperators(model: Model): PlacedOperator[] {
  return operatorsNamed(model, edgeTpu.operator);
}

/** The compiler that made a file, with its custom operators; null for a model that was not compiled. */
export function compiledFor(
  model: Model,
): (AcceleratorCompiler & { readonly operators: readonly PlacedOperator[] }) | null {
  for (const { operator, accelerator, compiler } of [edgeTpu, ethosU]) {
    const operators = operatorsNamed(model, operator);
    if (operators.length > 0) return { accelerator, compiler, operators };
  }
  return null;
}

/** The name of a tensor; empty if it has none. */
export function tensorName(subgraph: SubGraph, index: number): string {
  return subgraph.tensors[index]?.name ?? '';
}

export function tensorLabel(index: number, tensor: Tensor): string {
  return `${index} "${tensor.name ?? ''}"`;
}

export function elementCount(shape: ArrayLike<number>): number {
  let count = 1;
  for (let i = 0; i < shape.length; i++) count *= elementAt(shape, i);
  return count;
}

/**
 * The shape of a tensor that must be static.
 * @throws TENSOR_SHAPE_DYNAMIC if a dimension is negative, which means unknown
 */
export function staticShape(index: number, tensor: Tensor): number[] {
  const shape = Array.from(tensor.shape ?? []);
  if (shape.some((dimension) => dimension < 0)) {
    throw fail('TENSOR_SHAPE_DYNAMIC', {
      what: `tensor ${tensorLabel(index, tensor)} has the dynamic shape [${shape.join(', ')}]`,
    });
  }
  return shape;
}

/** The bytes of a constant tensor, a view of the file; null for a computed tensor. */
export function constantBytes(model: Model, tensor: Tensor): Uint8Array | null {
  const data = model.buffers[tensor.buffer]?.data;
  return data === null || data === undefined || data.byteLength === 0 ? null : data;
}

/** A copy of the values of a constant float32 tensor; null for any other tensor. */
export function constantFloats(model: Model, tensor: Tensor): Float32Array | null {
  const bytes = tensor.type === TensorType.FLOAT32 ? constantBytes(model, tensor)?.slice() : undefined;
  return bytes === undefined ? null : new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
}

/** Whether a tensor is a float32 constant; unlike `constantFloats`, without copying it. */
export function isConstantFloat(model: Model, tensor: Tensor): boolean {
  return tensor.type === TensorType.FLOAT32 && constantBytes(model, tensor) !== null;
}

/** For each operator with weights: the dimension of input 1 that holds the output channels. */
export const weightsAxis: Readonly<Record<string, number>> = { CONV_2D: 0, DEPTHWISE_CONV_2D: 3, FULLY_CONNECTED: 0 };
