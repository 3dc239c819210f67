// A memory plan that a model brings along: TFLM's metadata OfflineMemoryAllocation, one int32 offset into the arena for
// each tensor (micro_allocation_info.cc; docs/memory_management.md of tflite-micro).

import { fail } from '../../base/errors.js';
import {
  addBuffer,
  copyModel,
  create,
  dropMemoryPlan,
  type Model,
  memoryPlanName,
  schema,
} from '../../formats/tflite/index.js';

const version = 1;

/** The offset of a tensor for which the device's planner is to find a place. */
export const onlinePlanned = -1;

/**
 * Offsets by tensor of the main subgraph; null for models without a plan.
 * @throws TFLITE_INVALID for what TFLM refuses
 */
export function offlinePlanOf(model: Model): Int32Array | null {
  // TFLM reads all of them, and keeps the last.
  const entry = model.metadata.findLast(({ name }) => name === memoryPlanName);
  if (entry === undefined) return null;
  const data = model.buffers[entry.buffer]?.data ?? new Uint8Array(0);
  const words = new Int32Array(data.slice(0, data.length & ~3).buffer);
  const tensors = model.subgraphs.reduce((sum, subgraph) => sum + subgraph.tensors.length, 0);
  const offsets = words.subarray(3);
  if (words[2] !== tensors || offsets.length < tensors) {
    throw fail('TFLITE_INVALID', {
      where: `metadata ${memoryPlanName}`,
      reason: `${words[2] ?? 0} offsets, ${offsets.length} there, for ${tensors} tensors`,
    });
  }
  const wrong = offsets.findIndex((offset) => offset < onlinePlanned || offset > 2 ** 30);
  if (wrong >= 0)
    throw fail('TFLITE_INVALID', {
      where: `metadata ${memoryPlanName}`,
      reason: `offset ${offsets[wrong]} of tensor ${wrong}`,
    });
  return offsets.slice(0, tensors);
}

/** The model with these offsets in place of any that it has; without a plan for null. */
export function withOfflinePlan(model: Model, offsets: Int32Array | null): Model {
  const copy = copyModel(model);
  dropMemoryPlan(copy);
  if (offsets === null) return copy;
  const words = Int32Array.of(version, 0, offsets.length, ...offsets);
  const buffer = addBuffer(copy, new Uint8Array(words.buffer));
  copy.metadata.push(create(schema.Metadata, { name: memoryPlanName, buffer }));
  return copy;
}
