// The lifetime of each tensor in TFLM's time: inputs of the graph exist at 0, operator k runs at k + 1
// (micro_allocation_info.cc). Constants, variables and empty tensors are not planned.

import { elementAt } from '../../base/checked.js';
import { bytesOfElements, constantBytes, type Model, type SubGraph } from '../../formats/tflite/index.js';
import type { Operand } from '../operators/operator.js';

/** Memory that an operator or a tensor needs for some time. */
export interface BufferRequest {
  /** Tensor index, or null for a scratch buffer. */
  readonly tensor: number | null;
  /** The operator that requested a scratch buffer. */
  readonly operator: number | null;
  /** Size in bytes, before alignment. */
  readonly bytes: number;
  /** First and last time at which the bytes are in use. */
  readonly first: number;
  /** The last operator that needs it. */
  readonly last: number;
  /** Offset from the model's own plan; null if the planner chooses one. */
  readonly fixed: number | null;
}

/** The planned tensors of a subgraph, by index. */
export function tensorRequests(
  model: Model,
  subgraph: SubGraph,
  operands: readonly Pick<Operand, 'type' | 'count'>[],
): BufferRequest[] {
  const first = new Map<number, number>();
  const last = new Map<number, number>();
  const touch = (tensor: number, time: number): void => {
    if (tensor >= 0) last.set(tensor, time);
  };
  const create = (tensor: number, time: number): void => {
    if (!first.has(tensor)) first.set(tensor, time);
    touch(tensor, time);
  };
  for (const tensor of subgraph.inputs ?? []) create(tensor, 0);
  subgraph.operators.forEach((operator, k) => {
    for (const tensor of operator.inputs ?? []) touch(tensor, k + 1);
    for (const tensor of operator.outputs ?? []) create(tensor, k + 1);
  });
  for (const tensor of subgraph.outputs ?? []) touch(tensor, subgraph.operators.length);

  return subgraph.tensors.flatMap((tensor, index): BufferRequest[] => {
    const start = first.get(index);
    const end = last.get(index);
    if (start === undefined || end === undefined || tensor.isVariable || constantBytes(model, tensor) !== null)
      return [];
    const { type, count } = elementAt(operands, index) as Operand;
    const bytes = bytesOfElements(type, count);
    return bytes === 0 ? [] : [{ tensor: index, operator: null, bytes, first: start, last: end, fixed: null }];
  });
}
