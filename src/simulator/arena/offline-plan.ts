// A memory plan in a model: TFLM's metadata OfflineMemoryAllocation, one int32 arena offset per tensor
// (micro_allocation_info.cc; docs/memory_management.md of tflite-micro).

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

/** Offset of a tensor that the device's planner places. */
export const onlinePlanned = -1;

/**
 * Offsets by tensor of the main subgraph; null for models without a plan.
 * @throws TFLITE_INVALID for a plan that TFLM refuses
 */
export function offlinePlanOf(model: Model): Int32Array | null {
  // TFLM reads all of them and uses the last.
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

/** Replaces the model's plan by these offsets; null removes it. */
export function withOfflinePlan(model: Model, offsets: Int32Array | null): Model {
  const copy = copyModel(model);
  dropMemoryPlan(copy);
  if (offsets === null) return copy;
  const words = Int32Array.of(version, 0, offsets.length, ...offsets);
  const buffer = addBuffer(copy, new Uint8Array(words.buffer));
  copy.metadata.push(create(schema.Metadata, { name: memoryPlanName, buffer }));
  return copy;
}
