// What the rules of targets look at: an operator with its tensors.

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
  /** Whether some dimension but the batch, which is 1 unless someone changes it, is known only when the model runs. */
  readonly dynamic: boolean;
  /** Bytes of a constant; null for what is computed. */
  readonly constant: Uint8Array | null;
  readonly zeroPoint: number;
  readonly perAxis: boolean;
  /** Keeps its value from one inference to the next. */
  readonly variable: boolean;
}

export interface OperatorView {
  readonly index: number;
  readonly op: string;
  readonly version: number;
  readonly options: BuiltinOptions | null;
  /** null where an optional input is left out. */
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

/** The integers of a constant of int32; null for anything else. */
export function integersOf(tensor: TensorView | null | undefined): number[] | null {
  if (tensor?.constant == null || tensor.type !== typeName(TensorType.INT32)) return null;
  const { constant } = tensor;
  const view = new DataView(constant.buffer, constant.byteOffset, constant.byteLength);
  return Array.from({ length: constant.byteLength >> 2 }, (_, i) => view.getInt32(4 * i, true));
}
