// A smaller arena for the same model: operators in another order, and a place for every tensor, which TFLM takes from the file instead of
// finding one itself.

import { alignUp, arenaOf, lastingOperators, onlinePlanned, type PlannedBuffer, type RuntimeKernels, withOfflinePlan } from '../../simulator/index.js';
import { copyModel, type Model, mainSubgraph, type Operator } from '../../tflite/index.js';
import { bestOffsets, lowestHeight } from './offsets.js';
import { bestOrder, type OrderedTensor, type OrderProblem } from './order.js';

export interface MemoryPlan {
  readonly model: Model;
  /** As the device's own planner has it. */
  readonly headBytesBefore: number;
  readonly headBytes: number;
  readonly arenaBytesBefore: number;
  readonly arenaBytes: number;
  /** Most bytes alive at once, in the order of the result: no plan for it is smaller. */
  readonly lowerBoundBytes: number;
  /** Whether no order of the operators has a lower bound. */
  readonly provenOrder: boolean;
  /** Operators that run at another place than before. */
  readonly movedOperators: number;
  /** Whether the file carries a plan; where the device's planner finds one as good by itself, it does not. */
  readonly stored: boolean;
}

/**
 * Never larger than what the device's planner makes of the model as it is, for these kernels.
 * @throws OPERATORS_UNSUPPORTED, OPERATOR_INVALID, TENSOR_SHAPE_DYNAMIC
 */
export function planMemory(model: Model, kernels: RuntimeKernels): MemoryPlan {
  const bare = withOfflinePlan(model, null);
  const before = arenaOf(bare, kernels);
  const { operators, proven } = orderOf(bare, before.buffers);
  const reordered = withOrder(bare, operators);
  const candidates = [bare, reordered].map((candidate) => ({ model: candidate, arena: arenaOf(candidate, kernels), stored: false }));
  for (const candidate of [bare, reordered]) {
    const planned = withOfflinePlan(candidate, offsetsOf(candidate, arenaOf(candidate, kernels).buffers));
    candidates.push({ model: planned, arena: arenaOf(planned, kernels), stored: true });
  }
  // The first of the smallest: the least changed.
  const best = candidates.reduce((least, one) => (one.arena.minimumArenaBytes < least.arena.minimumArenaBytes ? one : least));
  const moved = mainSubgraph(best.model).operators.filter((operator, at) => !sameOperator(operator, mainSubgraph(bare).operators[at] as Operator)).length;
  return {
    model: best.model,
    headBytesBefore: before.headBytes,
    headBytes: best.arena.headBytes,
    arenaBytesBefore: before.arenaBytes,
    arenaBytes: best.arena.arenaBytes,
    lowerBoundBytes: lowestHeight(best.arena.buffers),
    provenOrder: proven,
    movedOperators: moved,
    stored: best.stored,
  };
}

function sameOperator(a: Operator, b: Operator): boolean {
  return `${a.outputs}` === `${b.outputs}`;
}

function orderOf(model: Model, buffers: readonly PlannedBuffer[]): { operators: readonly number[]; proven: boolean } {
  const { operators } = mainSubgraph(model);
  // What an operator of one subgraph does to another is not seen here.
  if (model.subgraphs.length > 1) return { operators: operators.map((_, o) => o), proven: false };
  return bestOrder(problemOf(model, buffers));
}

function problemOf(model: Model, buffers: readonly PlannedBuffer[]): OrderProblem {
  const { operators, tensors, inputs, outputs } = mainSubgraph(model);
  const producer = new Map<number, number>();
  operators.forEach(({ outputs: made }, o) => {
    for (const tensor of made ?? []) producer.set(tensor, o);
  });
  const consumers = (tensor: number): number[] => operators.flatMap(({ inputs: read }, o) => (read?.includes(tensor) ? [o] : []));
  // Operators that change what lasts stay in their order among each other.
  const lasting = lastingOperators(model);
  const after = operators.map(({ inputs: read }, o) => {
    const needed = Array.from(read ?? []).flatMap((tensor) => producer.get(tensor) ?? []);
    const previous = lasting.has(o) ? [...lasting].filter((other) => other < o).slice(-1) : [];
    return [...new Set([...needed, ...previous])].filter((other) => other !== o);
  });
  const scratch = operators.map((_, o) => buffers.reduce((sum, { tensor, operator, size }) => sum + (tensor === null && operator === o ? size : 0), 0));
  const planned = buffers.flatMap(({ tensor, bytes }): OrderedTensor[] =>
    tensor === null || tensors[tensor] === undefined
      ? []
      : [
          {
            bytes: alignUp(bytes),
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
  subgraph.operators = order.map((operator) => operators[operator] as Operator);
  return copy;
}

/** Offsets of tensors; scratch stays with the device's planner, which places it around them. */
function offsetsOf(model: Model, buffers: readonly PlannedBuffer[]): Int32Array {
  const tensors = model.subgraphs.reduce((sum, subgraph) => sum + subgraph.tensors.length, 0);
  const offsets = new Int32Array(tensors).fill(onlinePlanned);
  const placement = bestOffsets(buffers);
  buffers.forEach(({ tensor }, b) => {
    if (tensor !== null) offsets[tensor] = placement.offsets[b] as number;
  });
  return offsets;
}
