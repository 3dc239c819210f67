// The arena's tail: what TFLM allocates for good, from the end of the arena downwards, with the struct sizes of a
// 32-bit Arm build (micro_allocator.cc, micro_interpreter.cc; sizes by sizeof on arm-none-eabi with short enums).

import { bytesOfElements, elementCount, elementTypeOf, type Model, mainSubgraph } from '../../tflite/index.js';
import type { OperatorMemory } from '../operators/operator.js';
import { alignUp } from './greedy.js';

const structBytes = {
  arenaAllocator: 36,
  planner: 44,
  microAllocator: 36,
  builtinDataAllocator: 8,
  subgraphAllocations: 8,
  evalTensor: 12,
  nodeAndRegistration: 32,
  scratchHandle: 4,
  tensor: 32,
  affineQuantization: 12,
  pointer: 4,
} as const;

/** @param memory one entry per operator of the main subgraph */
export function tailBytesOf(model: Model, memory: readonly OperatorMemory[]): number {
  const subgraph = mainSubgraph(model);
  let used = 0;
  const allocate = (bytes: number, align = 4): void => {
    used = alignUp(used + bytes, align);
  };
  const allocatePersistent = (bytes: number): void => allocate(bytes, 16);

  allocate(structBytes.arenaAllocator);
  allocate(structBytes.planner);
  allocate(structBytes.microAllocator);
  allocate(structBytes.builtinDataAllocator);
  allocate(structBytes.subgraphAllocations * model.subgraphs.length);
  allocate(structBytes.evalTensor * subgraph.tensors.length);
  allocate(structBytes.nodeAndRegistration * subgraph.operators.length);
  for (const { options } of memory) if (options !== undefined) allocate(...options);
  for (const { persistent } of memory) if (persistent?.[0] !== undefined) allocatePersistent(persistent[0]);
  for (const { persistent } of memory) for (const bytes of persistent?.slice(1) ?? []) allocatePersistent(bytes);
  const scratchCount = memory.reduce((sum, { scratch }) => sum + (scratch?.length ?? 0), 0);
  if (scratchCount > 0) allocate(structBytes.scratchHandle * scratchCount);
  for (const tensor of subgraph.tensors) {
    if (tensor.isVariable) allocatePersistent(bytesOfElements(elementTypeOf(tensor) ?? 'float32', elementCount(tensor.shape ?? [])));
  }
  for (const indices of [subgraph.inputs, subgraph.outputs]) {
    allocatePersistent(structBytes.pointer * (indices?.length ?? 0));
    for (const index of indices ?? []) {
      allocate(structBytes.tensor);
      const scales = subgraph.tensors[index]?.quantization?.scale?.length ?? 0;
      if (scales === 0) continue;
      allocate(structBytes.affineQuantization);
      allocate(4 + 4 * scales);
    }
  }
  return used;
}
