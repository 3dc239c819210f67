// The arena's tail: persistent allocations of TFLM, from the end of the arena downwards, with the struct sizes of a
// 32-bit build (micro_allocator.cc, micro_interpreter.cc; sizes by sizeof on arm-none-eabi with short enums, and on
// RV32 with 4-byte enums).

import { alignUp } from '../../base/alignment.js';
import { elementAt } from '../../base/checked.js';
import {
  bytesOfElements,
  elementCount,
  elementTypeOf,
  type Model,
  mainSubgraph,
  operatorName,
} from '../../formats/tflite/index.js';
import type { OperatorMemory } from '../operators/operator.js';

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

/** Structs that are larger with 4-byte enums (builtin_op_data.h): bytes and alignment. */
const wideOptions: Readonly<Partial<Record<string, readonly [bytes: number, align: number]>>> = {
  ADD: [8, 4],
  ARG_MAX: [4, 4],
  ARG_MIN: [4, 4],
  CAST: [8, 4],
  DIV: [4, 4],
  FULLY_CONNECTED: [16, 4],
  L2_NORMALIZATION: [4, 4],
  MIRROR_PAD: [4, 4],
  MUL: [4, 4],
  SHAPE: [4, 4],
  SUB: [8, 4],
  SVDF: [12, 4],
  TRANSPOSE_CONV: [20, 4],
};
const wideTensorBytes = 40;

/** @param memory one entry per operator of the main subgraph */
export function tailBytesOf(model: Model, memory: readonly OperatorMemory[], wideEnums = false): number {
  const subgraph = mainSubgraph(model);
  const optionsOf = ({ options }: OperatorMemory, operator: number): OperatorMemory['options'] =>
    options !== undefined && wideEnums
      ? (wideOptions[operatorName(model, elementAt(subgraph.operators, operator))] ?? options)
      : options;
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
  memory.forEach((one, operator) => {
    const options = optionsOf(one, operator);
    if (options !== undefined) allocate(...options);
  });
  for (const { persistent } of memory) if (persistent?.[0] !== undefined) allocatePersistent(persistent[0]);
  for (const { persistent } of memory) for (const bytes of persistent?.slice(1) ?? []) allocatePersistent(bytes);
  const scratchCount = memory.reduce((sum, { scratch }) => sum + (scratch?.length ?? 0), 0);
  if (scratchCount > 0) allocate(structBytes.scratchHandle * scratchCount);
  for (const tensor of subgraph.tensors) {
    if (tensor.isVariable)
      allocatePersistent(bytesOfElements(elementTypeOf(tensor) ?? 'float32', elementCount(tensor.shape ?? [])));
  }
  for (const indices of [subgraph.inputs, subgraph.outputs]) {
    allocatePersistent(structBytes.pointer * (indices?.length ?? 0));
    for (const index of indices ?? []) {
      allocate(wideEnums ? wideTensorBytes : structBytes.tensor);
      const scales = subgraph.tensors[index]?.quantization?.scale?.length ?? 0;
      if (scales === 0) continue;
      allocate(structBytes.affineQuantization);
      allocate(4 + 4 * scales);
    }
  }
  return used;
}
