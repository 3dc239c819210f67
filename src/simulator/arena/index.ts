// Predicts the RAM that TFLM's interpreter needs for a model. Takes the model and the kernels that the device links;
// returns the planned buffers of the head and the size of the tail, in bytes.

import { type Model, mainSubgraph } from '../../formats/tflite/index.js';
import { defaultKernelProfile, kernelProfiles } from '../arithmetic/profile.js';
import { describeGraph } from '../graph.js';
import { operatorFamilies } from '../operators/index.js';
import type { RuntimeKernels } from '../operators/operator.js';
import { refuseUnsupported } from '../subgraphs.js';
import { greedyPlan, type HeadPlan } from './greedy.js';
import { type BufferRequest, tensorRequests } from './lifetimes.js';
import { offlinePlanOf, onlinePlanned } from './offline-plan.js';
import { tailBytesOf } from './tail.js';

/** The RAM that the interpreter of a device needs, in bytes. */
export interface Arena extends HeadPlan {
  /** Head and tail: what `arena_used_bytes()` reports on the device. */
  readonly arenaBytes: number;
  /** Persistent part, in bytes. */
  readonly tailBytes: number;
  /** The smallest arena with which allocation succeeds: planning itself needs room between head and tail. */
  readonly minimumArenaBytes: number;
}

/**
 * Plans the arena of a model as TFLM's planner does, for the kernels of a runtime.
 * @throws OPERATORS_UNSUPPORTED, OPERATOR_INVALID, TENSOR_SHAPE_DYNAMIC; TFLITE_INVALID for an invalid plan in the file
 */
export function arenaOf(model: Model, kernels: RuntimeKernels): Arena {
  refuseUnsupported(model);
  const graph = describeGraph(model, kernelProfiles[defaultKernelProfile]);
  const memory = graph.operators.map((context) => operatorFamilies.get(context.name)?.memory(context, kernels) ?? {});
  const scratch = memory.flatMap(({ scratch: sizes = [] }, operator): BufferRequest[] =>
    sizes.map((bytes) => ({ tensor: null, operator, bytes, first: operator + 1, last: operator + 1, fixed: null })),
  );
  const offsets = offlinePlanOf(model);
  const tensors = tensorRequests(model, mainSubgraph(model), graph.operands).map((request) => {
    const offset = offsets?.[request.tensor ?? -1] ?? onlinePlanned;
    return offset === onlinePlanned ? request : { ...request, fixed: offset };
  });
  const plan = greedyPlan([...tensors, ...scratch]);
  const tailBytes = tailBytesOf(model, memory, kernels.wideEnums);
  const arenaBytes = plan.headBytes + tailBytes;
  const planning = planningBytes(model, plan.buffers.length, scratch.length);
  return { ...plan, arenaBytes, tailBytes, minimumArenaBytes: Math.max(arenaBytes, tailBytes + planning) };
}

/**
 * Temporary structs of the planner: 24 bytes per tensor or scratch buffer, 40 per planned buffer, 12 per scratch
 * request (12 to spare).
 */
function planningBytes(model: Model, planned: number, scratchCount: number): number {
  const tensors = mainSubgraph(model).tensors.length;
  return 12 * (scratchCount + 12) + 4 * model.subgraphs.length + 24 * (tensors + scratchCount) + 40 * planned;
}
