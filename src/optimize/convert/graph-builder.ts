// Builds a float model operator by operator. Shapes follow from the simulator's rules, so that a lowering states only
// what its operator computes.

import { elementAt } from '../../base/checked.js';
import { fail } from '../../base/errors.js';
import {
  addBuffer,
  type BuiltinOptions,
  create,
  type ElementType,
  elementCount,
  type Model,
  type OperatorName,
  operatorCodeIndex,
  type SubGraph,
  schema,
  TensorType,
} from '../../formats/tflite/index.js';
import { type ElementArray, outputShapesOf } from '../../simulator/index.js';

/** A tensor of the model that is built. */
export interface Value {
  readonly tensor: number;
  readonly type: ElementType;
  readonly shape: readonly number[];
  /** Elements of a constant; null for a computed tensor. */
  readonly data: ElementArray | null;
  /** Whether it keeps its value between invocations. */
  readonly variable?: boolean;
}

const tensorTypes: Partial<Record<ElementType, number>> = {
  float32: TensorType.FLOAT32,
  int8: TensorType.INT8,
  uint8: TensorType.UINT8,
  int16: TensorType.INT16,
  int32: TensorType.INT32,
  uint32: TensorType.UINT32,
  int64: TensorType.INT64,
  bool: TensorType.BOOL,
};

/** What an operator needs beyond its name and inputs. */
export interface OperatorDetails {
  readonly options?: BuiltinOptions | null;
  /** Types of the outputs, if they differ from the first input's. */
  readonly types?: readonly ElementType[];
  readonly version?: number;
}

/** Longest sequence that is unrolled by default: 128 steps are some 1,500 operators. */
export const defaultUnrolled = 128;

/** A model under construction. Tensors are named after the node that is being lowered. */
export class GraphBuilder {
  readonly model: Model = create(schema.Model, { version: 3, description: 'atoll-agent' });
  private readonly subgraph: SubGraph = create(schema.SubGraph, { name: 'main' });
  private prefix = '';
  /** Constants of one or few values, which operators share. */
  private readonly small = new Map<string, Value>();
  private readonly names = new Set<string>();

  /** @param maxUnrolled the longest sequence for which recurrent layers are unrolled */
  constructor(readonly maxUnrolled = defaultUnrolled) {
    this.model.buffers.push(create(schema.Buffer));
    this.model.subgraphs.push(this.subgraph);
  }

  /** Names the tensors that are made from now on after a node. */
  enter(path: string): void {
    this.prefix = path;
  }

  input(name: string, type: ElementType, shape: readonly number[]): Value {
    const value = this.tensor(name, type, shape, null);
    this.subgraph.inputs = Int32Array.of(...(this.subgraph.inputs ?? []), value.tensor);
    return value;
  }

  /** A float32 tensor that keeps its value between invocations, 0 at first. */
  variable(shape: readonly number[], name: string): Value {
    const value = this.tensor(`${this.prefix}/${name}`, 'float32', shape, null);
    elementAt(this.subgraph.tensors, value.tensor).isVariable = true;
    return { ...value, variable: true };
  }

  /** A float32 constant. The values are not copied. */
  floats(shape: readonly number[], values: Float32Array, name = 'constant'): Value {
    return this.constant('float32', shape, values, name);
  }

  /** A float32 constant without dimensions. */
  scalar(value: number): Value {
    return this.floats([], Float32Array.of(value));
  }

  /** A one-dimensional int32 constant: axes, sizes, positions. */
  integers(values: readonly number[]): Value {
    return this.constant('int32', [values.length], Int32Array.from(values), 'sizes');
  }

  constant(type: ElementType, shape: readonly number[], data: ElementArray, name = 'constant'): Value {
    if (data.length !== elementCount(shape))
      throw fail('INTERNAL', { reason: `${data.length} values for a constant of shape [${shape.join(', ')}]` });
    const key =
      data.length <= 8 ? `${type} ${shape.join()} ${Array.from(data as ArrayLike<unknown>, String).join()}` : null;
    const known = key === null ? undefined : this.small.get(key);
    if (known !== undefined) return known;
    const value = this.tensor(`${this.prefix}/${name}`, type, shape, data);
    if (key !== null) this.small.set(key, value);
    return value;
  }

  /**
   * Adds an operator with one output.
   * @param inputs null for absent optional inputs
   * @throws OPERATOR_INVALID if the inputs do not fit
   */
  add(name: OperatorName, inputs: readonly (Value | null)[], details: OperatorDetails = {}): Value {
    return elementAt(this.addMany(name, inputs, 1, details), 0);
  }

  /** Adds an operator with several outputs. */
  addMany(
    name: OperatorName,
    inputs: readonly (Value | null)[],
    count: number,
    { options = null, types, version = 1 }: OperatorDetails = {},
  ): readonly Value[] {
    const type = inputs[0]?.type ?? 'float32';
    const outputTypes = Array.from({ length: count }, (_, i) => types?.[i] ?? type);
    const shapes = outputShapesOf(name, inputs, outputTypes, options);
    if (shapes === null) throw fail('INTERNAL', { reason: `the shape of ${name} is unknown` });
    const outputs = outputTypes.map((one, i) => this.tensor(this.nameOf(name), one, elementAt(shapes, i), null));
    this.subgraph.operators.push(
      create(schema.Operator, {
        opcodeIndex: operatorCodeIndex(this.model, name, version),
        inputs: Int32Array.from(inputs, (input) => input?.tensor ?? -1),
        outputs: Int32Array.from(outputs, ({ tensor }) => tensor),
        builtinOptions: options,
      }),
    );
    return outputs;
  }

  /** Gives a computed tensor the name of what it holds. */
  rename({ tensor }: Value, name: string): void {
    elementAt(this.subgraph.tensors, tensor).name = name;
  }

  /** A tensor of its own with the same elements. */
  copyOf(value: Value, name: string): Value {
    const copy = this.add('RESHAPE', [value, this.integers(value.shape)]);
    this.rename(copy, name);
    return copy;
  }

  /** Ends the model: its outputs, and a signature with the user's names. */
  finish(inputs: ReadonlyMap<string, Value>, outputs: ReadonlyMap<string, Value>): Model {
    this.subgraph.outputs = Int32Array.from([...outputs.values()], ({ tensor }) => tensor);
    const entries = (values: ReadonlyMap<string, Value>) =>
      [...values].map(([name, { tensor }]) => create(schema.TensorMap, { name, tensorIndex: tensor }));
    this.model.signatureDefs.push(
      create(schema.SignatureDef, {
        signatureKey: 'serving_default',
        inputs: entries(inputs),
        outputs: entries(outputs),
      }),
    );
    return this.model;
  }

  private nameOf(operator: OperatorName): string {
    const base = `${this.prefix}/${operator.toLowerCase()}`;
    let name = base;
    for (let i = 1; this.names.has(name); i++) name = `${base}_${i}`;
    this.names.add(name);
    return name;
  }

  private tensor(name: string, type: ElementType, shape: readonly number[], data: ElementArray | null): Value {
    const code = tensorTypes[type];
    if (code === undefined) throw fail('INTERNAL', { reason: `no tensors of type ${type} are made` });
    const bytes = data === null ? null : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const tensor = create(schema.Tensor, {
      name,
      type: code,
      shape: Int32Array.from(shape),
      buffer: bytes === null || bytes.byteLength === 0 ? 0 : addBuffer(this.model, bytes),
    });
    return { tensor: this.subgraph.tensors.push(tensor) - 1, type, shape, data };
  }
}
