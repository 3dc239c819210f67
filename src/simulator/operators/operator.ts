// The interface of operator files, and the context that kernels receive. One file per operator family, all of this
// shape.

import { fail } from '../../base/errors.js';
import type { BuiltinOptions, ElementType, OperatorName } from '../../formats/tflite/index.js';
import type { Arithmetic } from '../arithmetic/profile.js';

/** float16 as bit patterns; int4 as one element per byte. */
export type ElementArray =
  | Float32Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array;

/**
 * A tensor as a kernel sees it. `data` is the same array for the lifetime of the interpreter. Shapes are available
 * before it.
 */
export interface Operand {
  readonly index: number;
  readonly label: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
  /** One scale per tensor or per channel of `axis`; empty if not quantized. */
  readonly scale: Float32Array;
  readonly zeroPoint: Int32Array;
  readonly axis: number;
  readonly constant: boolean;
  /** Whether it keeps its value between invocations. */
  readonly variable: boolean;
  /** Number of elements. */
  readonly count: number;
  /** Address of a computed tensor in linear memory; null for constants, which stay in the file's bytes. */
  readonly address: number | null;
  readonly data: ElementArray;
}

/** A builtin operator, or a custom one that converters write. */
export type KernelName = OperatorName | 'custom:TFLite_Detection_PostProcess';

export interface OperatorContext {
  /** For messages: operator index and name. */
  readonly place: string;
  readonly name: KernelName;
  /** null for an absent optional input. */
  readonly inputs: readonly (Operand | null)[];
  readonly outputs: readonly Operand[];
  /** Quantization of the kernel's intermediate results, if the model gives it (recurrent layers). */
  readonly intermediates: readonly { readonly scale: number; readonly zeroPoint: number }[];
  readonly options: BuiltinOptions | null;
  /** Options of a custom operator. */
  readonly customOptions: Uint8Array | null;
  readonly arithmetic: Arithmetic;
  /** Objects that a model's operators share. */
  readonly shared: SharedState;
}

/** A subgraph that an operator calls: write its inputs, invoke it, read its outputs. */
export interface CalledSubgraph {
  readonly inputs: readonly Operand[];
  readonly outputs: readonly Operand[];
  readonly invoke: () => Turns;
}

/** A computation in steps; the caller may yield to the event loop between them. */
export type Turns = Generator<void, void, void>;

/** Computes an operator: directly, or in steps if it calls subgraphs. */
export type Step = (() => void) | (() => Turns);

export interface SharedState {
  /** @throws TFLITE_INVALID if there is no such subgraph */
  readonly subgraph: (index: number) => CalledSubgraph;
  /** Resource variables by name, and by the handle that VAR_HANDLE returns for the name. */
  readonly resources: Resources;
  /** Names of what runs at most once after a reset. */
  readonly done: Set<string>;
}

/** The bytes of resource variables; a handle is a small number. */
export class Resources {
  private readonly handles = new Map<string, number>();
  private readonly values = new Map<number, Uint8Array>();

  handleOf(name: string): number {
    const handle = this.handles.get(name) ?? this.handles.size;
    this.handles.set(name, handle);
    return handle;
  }

  /** Null for an unassigned variable. */
  read(handle: number): Uint8Array | null {
    return this.values.get(handle) ?? null;
  }

  assign(handle: number, bytes: Uint8Array): void {
    this.values.set(handle, bytes.slice());
  }

  reset(): void {
    this.values.clear();
  }
}

/** Amount of work of an operator, for latency estimates. */
export interface Work {
  readonly kind: 'conv' | 'depthwise' | 'fullyConnected' | 'elementwise' | 'copy';
  /** Multiply-accumulates; 0 for operators without weights. */
  readonly macs: number;
}

/** The kernels that a device's runtime links, and for which core: they need different buffers. */
export interface RuntimeKernels {
  readonly library: 'reference' | 'cmsis-nn' | 'esp-nn';
  readonly simd: 'none' | 'dsp' | 'mve' | 'pie';
  /**
   * Whether enums have 4 bytes, as compilers for Xtensa and RISC-V make them, instead of 1 byte as on bare-metal Arm.
   */
  readonly wideEnums?: boolean;
}

/** Kernels for memory queries without a device. */
export const referenceKernels: RuntimeKernels = { library: 'reference', simd: 'none' };

/**
 * TFLM's allocations for one operator, in bytes: the options struct with its alignment, persistent buffers (from Init
 * and Prepare, each aligned to 16 bytes), and scratch buffers.
 */
export interface OperatorMemory {
  readonly options?: readonly [bytes: number, align: number];
  readonly persistent?: readonly number[];
  readonly scratch?: readonly number[];
}

/**
 * Shapes of the outputs, from inputs and options; null if they depend on values that are unknown before the model runs.
 * The context's outputs have the shapes of the file, which may be stale.
 * @throws OPERATOR_INVALID
 */
export type ShapeRule = (context: OperatorContext) => readonly (readonly number[])[] | null;

export interface OperatorFamily {
  readonly name: KernelName;
  /** Element types of the first input that the kernel supports. */
  readonly types: readonly ElementType[];
  readonly shapes: ShapeRule;
  /** Whether an output's shape in the file may differ, with the same number of elements. */
  readonly takesStoredShape?: boolean;
  /**
   * What the outputs depend on: the values of the inputs (the default), only their shapes, or also persistent state.
   */
  readonly dependsOn?: 'shapes' | 'state';
  /**
   * Checks types and options once, and returns the function that computes the outputs.
   * @throws OPERATOR_INVALID
   */
  readonly prepare: (context: OperatorContext) => Step;
  readonly work: (context: OperatorContext) => Work;
  readonly memory: (context: OperatorContext, kernels: RuntimeKernels) => OperatorMemory;
}

/** A family whose prepare function is selected by the first input's type, without weights. */
export function elementwiseFamily(
  name: OperatorName,
  shapes: ShapeRule,
  prepares: Partial<Record<ElementType, OperatorFamily['prepare']>>,
  memory: OperatorFamily['memory'] = () => ({}),
): OperatorFamily {
  return {
    name,
    types: Object.keys(prepares) as ElementType[],
    shapes,
    prepare: (context) => byType(context, inputOf(context, 0), prepares)(context),
    work: () => ({ kind: 'elementwise', macs: 0 }),
    memory,
  };
}

type Prepare = OperatorFamily['prepare'];

/** Prepare functions with one additional argument, the same for all. */
export function bound<T>(
  prepares: Partial<Record<ElementType, (context: OperatorContext, argument: T) => Step>>,
  argument: T,
): Partial<Record<ElementType, Prepare>> {
  return Object.fromEntries(
    Object.entries(prepares).map(([type, prepare]): [string, Prepare] => [
      type,
      (context) => prepare(context, argument),
    ]),
  );
}

/** Types of operators that only move elements. */
export const anyType: readonly ElementType[] = [
  'float32',
  'int8',
  'uint8',
  'int16',
  'int32',
  'uint32',
  'int64',
  'bool',
];

/**
 * A family without arithmetic of its own: it moves elements, or delegates.
 * @param dataInput index of the input whose type counts
 */
export function copyFamily(
  name: OperatorName,
  types: readonly ElementType[],
  shapes: ShapeRule,
  prepare: OperatorFamily['prepare'],
  memory: OperatorMemory = {},
  dataInput = 0,
): OperatorFamily {
  const checked: Prepare = (context) => {
    const type = context.inputs[dataInput]?.type;
    if (types.length > 0 && type !== undefined && type !== 'resource' && !types.includes(type)) {
      throw invalid(context, `input ${dataInput} is ${type}; the kernel takes ${types.join(', ')}`);
    }
    return prepare(context);
  };
  return { name, types, shapes, prepare: checked, work: () => ({ kind: 'copy', macs: 0 }), memory: () => memory };
}

/** The options of an operator, checked for their kind. */
export function optionsOf<K extends BuiltinOptions['kind']>(
  context: OperatorContext,
  kind: K,
): Extract<BuiltinOptions, { kind: K }> {
  if (context.options?.kind !== kind)
    throw invalid(context, `it needs ${kind}, not ${context.options?.kind ?? 'none'}`);
  return context.options as Extract<BuiltinOptions, { kind: K }>;
}

/** The runtime's kernel fails or aborts on this data. */
export function ends(context: OperatorContext, reason: string): Error {
  return fail('KERNEL_ENDS', { operator: context.place, reason });
}

export function invalid(context: OperatorContext, reason: string): Error {
  return fail('OPERATOR_INVALID', { operator: context.place, reason });
}

export function inputOf(context: OperatorContext, index: number): Operand {
  const operand = context.inputs[index];
  if (operand === null || operand === undefined) throw invalid(context, `input ${index} is missing`);
  return operand;
}

export function outputOf(context: OperatorContext, index = 0): Operand {
  const operand = context.outputs[index];
  if (operand === undefined) throw invalid(context, `output ${index} is missing`);
  return operand;
}

export function requireType(context: OperatorContext, operand: Operand, type: ElementType): void {
  if (operand.type !== type) throw invalid(context, `tensor ${operand.label} is ${operand.type}, not ${type}`);
}

export function requireShape(context: OperatorContext, operand: Operand, shape: readonly number[]): void {
  if (operand.shape.length !== shape.length || operand.shape.some((dimension, i) => dimension !== shape[i])) {
    throw invalid(
      context,
      `tensor ${operand.label} has shape [${operand.shape.join(', ')}], not [${shape.join(', ')}]`,
    );
  }
}

export function requireRank(context: OperatorContext, operand: Operand, rank: number): void {
  if (operand.shape.length !== rank)
    throw invalid(context, `tensor ${operand.label} has rank ${operand.shape.length}, not ${rank}`);
}

const zeroPointLimits: Partial<Record<ElementType, readonly [number, number]>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
};

/**
 * Scale and zero point of a per-tensor quantized operand.
 * @param zeroTaken accept scale 0, which some converters write for all-zero constants
 */
export function quantizationOf(
  context: OperatorContext,
  operand: Operand,
  zeroTaken = false,
): { scale: number; zeroPoint: number } {
  const scale = operand.scale[0];
  if (scale === undefined) throw invalid(context, `tensor ${operand.label} is ${operand.type} but has no scale`);
  if (!(scale > 0 && scale < Infinity) && !(scale === 0 && zeroTaken))
    throw invalid(context, `tensor ${operand.label} has scale ${scale}`);
  const zeroPoint = operand.zeroPoint[0] ?? 0;
  const [low, high] = zeroPointLimits[operand.type] ?? [-(2 ** 31), 2 ** 31 - 1];
  if (zeroPoint < low || zeroPoint > high)
    throw invalid(context, `tensor ${operand.label} is ${operand.type} with zero point ${zeroPoint}`);
  return { scale, zeroPoint };
}

/** The prepare function for the operand's type, or an error that lists the supported types. */
export function byType<T>(context: OperatorContext, operand: Operand, table: Partial<Record<ElementType, T>>): T {
  const entry = table[operand.type];
  if (entry === undefined) {
    throw invalid(
      context,
      `tensor ${operand.label} is ${operand.type}; the kernel takes ${Object.keys(table).join(', ')}`,
    );
  }
  return entry;
}
