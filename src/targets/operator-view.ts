// The view of an operator and its tensors that the rules of targets use.

import {
  type BuiltinOptions,
  constantBytes,
  type Model,
  type Operator,
  operatorCodeOf,
  operatorName,
  type SubGraph,
  type Tensor,
  TensorType,
  typeName,
} from '../formats/tflite/index.js';

export interface TensorView {
  readonly index: number;
  readonly type: string;
  readonly shape: readonly number[];
  /** Whether a dimension other than the batch (1 unless changed) is known only at run time. */
  readonly dynamic: boolean;
  /** Bytes of a constant; null for a computed tensor. */
  readonly constant: Uint8Array | null;
  readonly zeroPoint: number;
  readonly perAxis: boolean;
  /** Whether it keeps its value between inferences. */
  readonly variable: boolean;
}

export interface OperatorView {
  readonly index: number;
  readonly op: string;
  readonly version: number;
  readonly options: BuiltinOptions | null;
  /** null for an optional input that is absent. */
  readonly inputs: readonly (TensorView | null)[];
  readonly outputs: readonly TensorView[];
}

export function operatorViews(model: Model, subgraph: SubGraph): OperatorView[] {
  const tensors = subgraph.tensors.map((tensor, index) => tensorView(model, tensor, index));
  const at = (indices: Int32Array | null): (TensorView | null)[] =>
    Array.from(indices ?? [], (index) => tensors[index] ?? null);
  return subgraph.operators.map((operator: Operator, index) => ({
    index,
    op: operatorName(model, operator),
    version: operatorCodeOf(model, operator).version,
    options: operator.builtinOptions,
    inputs: at(operator.inputs),
    outputs: at(operator.outputs).filter((tensor) => tensor !== null),
  }));
}

function tensorView(model: Model, tensor: Tensor, index: number): TensorView {
  return {
    index,
    type: typeName(tensor.type),
    shape: Array.from(tensor.shape ?? []),
    dynamic: tensor.shapeSignature?.some((size, d) => d > 0 && size < 0) ?? false,
    constant: constantBytes(model, tensor),
    zeroPoint: Number(tensor.quantization?.zeroPoint?.[0] ?? 0n),
    perAxis: (tensor.quantization?.scale?.length ?? 0) > 1,
    variable: tensor.isVariable,
  };
}

/** The integers of an int32 constant; null for anything else. */
export function integersOf(tensor: TensorView | null | undefined): number[] | null {
  if (tensor?.constant == null || tensor.type !== typeName(TensorType.INT32)) return null;
  const { constant } = tensor;
  const view = new DataView(constant.buffer, constant.byteOffset, constant.byteLength);
  return Array.from({ length: constant.byteLength >> 2 }, (_, i) => view.getInt32(4 * i, true));
}
