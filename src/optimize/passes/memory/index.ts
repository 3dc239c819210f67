// Makes the arena smaller without changing the model: reorders operators, and computes an offset for every tensor,
// which TFLM takes from the file instead of planning itself.

import { elementAt } from '../../../base/checked.js';
import { copyModel, type Model, mainSubgraph, memoryPlanName, type Operator } from '../../../formats/tflite/index.js';
import {
  arenaBytesOf,
  arenaOf,
  lastingOperators,
  onlinePlanned,
  type PlannedBuffer,
  type RuntimeKernels,
  withOfflinePlan,
} from '../../../simulator/index.js';
import { bestOffsets, lowestHeight } from './offsets.js';
import { bestOrder, type OrderedTensor, type OrderProblem } from './order.js';

/** A model whose arena was made smaller, with figures before and after. */
export interface MemoryPlan {
  readonly model: Model;
  /** Of the original file, with its plan if it had one. */
  readonly headBytesBefore: number;
  readonly headBytes: number;
  readonly arenaBytesBefore: number;
  readonly arenaBytes: number;
  /**
   * Lower bound: the minimum of live bytes over all orders if proven, otherwise for the order of the result. No plan is
   * smaller.
   */
  readonly lowerBoundBytes: number;
  /** Whether the bound holds for all orders of the operators. */
  readonly provenOrder: boolean;
  /** Number of operators that moved. */
  readonly movedOperators: number;
  /** Whether the file carries a plan; it does not if the device's planner finds an equally good one. */
  readonly stored: boolean;
}

/**
 * The result is never larger than the original, for these kernels.
 * @throws OPERATORS_UNSUPPORTED, OPERATOR_INVALID, TENSOR_SHAPE_DYNAMIC, TFLITE_INVALID
 */
export function planMemory(model: Model, kernels: RuntimeKernels): MemoryPlan {
  const candidate = (one: Model, stored: boolean) => ({ model: one, arena: arenaOf(one, kernels), stored });
  const bare = candidate(withOfflinePlan(model, null), false);
  const given = hasPlan(model) ? candidate(model, true) : bare;
  const { operators, proven } = orderOf(bare.model, bare.arena.buffers);
  const reordered = candidate(withOrder(bare.model, operators), false);
  const planned = [bare, reordered].map(({ model: one, arena }) =>
    candidate(withOfflinePlan(one, offsetsOf(one, arena.buffers)), true),
  );
  // The first of the smallest, which is the least changed. The temporary memory of allocation may make several equal.
  const smaller = ({ arena: a }: typeof bare, { arena: b }: typeof bare): boolean =>
    a.minimumArenaBytes < b.minimumArenaBytes ||
    (a.minimumArenaBytes === b.minimumArenaBytes && a.headBytes < b.headBytes);
  const best = [bare, given, reordered, ...planned].reduce((least, one) => (smaller(one, least) ? one : least));
  const moved = mainSubgraph(best.model).operators.filter(
    (operator, at) => !sameOperator(operator, elementAt(mainSubgraph(model).operators, at)),
  ).length;
  return {
    model: best.model,
    headBytesBefore: given.arena.headBytes,
    headBytes: best.arena.headBytes,
    arenaBytesBefore: given.arena.arenaBytes,
    arenaBytes: best.arena.arenaBytes,
    lowerBoundBytes: lowestHeight((proven ? reordered : best).arena.buffers),
    provenOrder: proven,
    movedOperators: moved,
    stored: best.stored,
  };
}

function hasPlan(model: Model): boolean {
  return model.metadata.some(({ name }) => name === memoryPlanName);
}

function sameOperator(a: Operator, b: Operator): boolean {
  return `${a.outputs}` === `${b.outputs}`;
}

function orderOf(model: Model, buffers: readonly PlannedBuffer[]): { operators: readonly number[]; proven: boolean } {
  const { operators } = mainSubgraph(model);
  // Effects of one subgraph's operators on another are not visible here.
  if (model.subgraphs.length > 1) return { operators: operators.map((_, o) => o), proven: false };
  return bestOrder(problemOf(model, buffers));
}

function problemOf(model: Model, buffers: readonly PlannedBuffer[]): OrderProblem {
  const { operators, tensors, inputs, outputs } = mainSubgraph(model);
  const producer = new Map<number, number>();
  operators.forEach(({ outputs: made }, o) => {
    for (const tensor of made ?? []) producer.set(tensor, o);
  });
  const consumers = (tensor: number): number[] =>
    operators.flatMap(({ inputs: read }, o) => (read?.includes(tensor) ? [o] : []));
  // Operators with persistent effects keep their order.
  const lasting = lastingOperators(model);
  const after = operators.map(({ inputs: read }, o) => {
    const needed = Array.from(read ?? []).flatMap((tensor) => producer.get(tensor) ?? []);
    const previous = lasting.has(o) ? [...lasting].filter((other) => other < o).slice(-1) : [];
    return [...new Set([...needed, ...previous])].filter((other) => other !== o);
  });
  const scratch = operators.map((_, o) =>
    buffers.reduce((sum, { tensor, operator, size }) => sum + (tensor === null && operator === o ? size : 0), 0),
  );
  const planned = buffers.flatMap(({ tensor, bytes }): OrderedTensor[] =>
    tensor === null || tensors[tensor] === undefined
      ? []
      : [
          {
            bytes: arenaBytesOf(bytes),
            producer: inputs?.includes(tensor) ? null : (producer.get(tensor) ?? null),
            consumers: consumers(tensor),
            kept: outputs?.includes(tensor) ?? false,
          },
        ],
  );
  return { after, scratch, tensors: planned };
}

function withOrder(model: Model, order: readonly number[]): Model {
  const copy = copyModel(model);
  const subgraph = mainSubgraph(copy);
  const operators = subgraph.operators.slice();
  subgraph.operators = order.map((operator) => elementAt(operators, operator));
  return copy;
}

/** Offsets of tensors. Scratch buffers stay with the device's planner, which places them in between. */
function offsetsOf(model: Model, buffers: readonly PlannedBuffer[]): Int32Array {
  const tensors = model.subgraphs.reduce((sum, subgraph) => sum + subgraph.tensors.length, 0);
  const offsets = new Int32Array(tensors).fill(onlinePlanned);
  const placement = bestOffsets(buffers);
  buffers.forEach(({ tensor }, b) => {
    if (tensor !== null) offsets[tensor] = elementAt(placement.offsets, b);
  });
  return offsets;
}
