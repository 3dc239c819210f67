// Carries out a plan: a float model and a plan give an int8 model.

import { roundHalfAway } from '../simulator/index.js';
import {
  addBuffer,
  compact,
  constantFloats,
  copyModel,
  create,
  elementCount,
  type Model,
  mainSubgraph,
  type OperatorName,
  operatorCodeIndex,
  operatorName,
  type QuantizationParameters,
  schema,
  type Tensor,
  TensorType,
} from '../tflite/index.js';
import { quantizeWeight } from './parameters.js';
import type { QuantizationPlan } from './plan.js';
import type { BiasPlan, WeightsPlan } from './weights.js';

export function applyPlan(model: Model, plan: QuantizationPlan): Model {
  const copy = copyModel(model);
  const subgraph = mainSubgraph(copy);
  for (const weights of plan.weights) rewire(copy, weights.operator, weights.input, int8Weights(copy, weights));
  for (const bias of plan.biases) rewire(copy, bias.operator, bias.input, int32Bias(copy, bias));
  for (const { tensor: index, scale, zeroPoint } of plan.activations) {
    const tensor = subgraph.tensors[index] as Tensor;
    const constant = constantFloats(copy, tensor);
    if (constant !== null) tensor.buffer = addBuffer(copy, int8Values(constant, scale, zeroPoint));
    tensor.type = TensorType.INT8;
    tensor.quantization = parametersOf([scale], zeroPoint, 0);
  }
  for (const tensor of subgraph.tensors) tensor.shapeSignature = null;
  subgraph.operators.forEach((operator, o) => {
    operator.opcodeIndex = operatorCodeIndex(copy, operatorName(copy, operator) as OperatorName, plan.operatorVersions[o] ?? 1);
  });
  insertRequantize(copy, plan);
  compact(copy);
  return copy;
}

function parametersOf(scales: readonly number[], zeroPoint: number, axis: number): QuantizationParameters {
  return create(schema.QuantizationParameters, {
    scale: Float32Array.from(scales),
    zeroPoint: BigInt64Array.from(scales, () => BigInt(zeroPoint)),
    quantizedDimension: axis,
  });
}

function rewire(model: Model, operator: number, input: number, tensor: number): void {
  const target = mainSubgraph(model).operators[operator];
  if (target !== undefined) target.inputs = target.inputs?.with(input, tensor) ?? null;
}

function addTensor(model: Model, like: Tensor, type: number, data: Uint8Array, quantization: QuantizationParameters): number {
  const tensor = create(schema.Tensor, { name: like.name, shape: like.shape, type, buffer: addBuffer(model, data), quantization });
  return mainSubgraph(model).tensors.push(tensor) - 1;
}

function floatsOf(model: Model, tensor: Tensor): Float32Array {
  return constantFloats(model, tensor) as Float32Array;
}

function int8Weights(model: Model, { tensor: index, axis, scales }: WeightsPlan): number {
  const tensor = mainSubgraph(model).tensors[index] as Tensor;
  const values = floatsOf(model, tensor);
  const inner = axis === null ? values.length : elementCount((tensor.shape ?? new Int32Array(0)).slice(axis + 1));
  const quantized = Int8Array.from(values, (value, i) => quantizeWeight(value, scales[Math.floor(i / inner) % scales.length] as number));
  return addTensor(model, tensor, TensorType.INT8, new Uint8Array(quantized.buffer), parametersOf(scales, 0, axis ?? 0));
}

function int32Bias(model: Model, { tensor: index, scales }: BiasPlan): number {
  const tensor = mainSubgraph(model).tensors[index] as Tensor;
  const quantized = Int32Array.from(floatsOf(model, tensor), (value, i) => roundHalfAway(value / (scales[i % scales.length] as number)));
  return addTensor(model, tensor, TensorType.INT32, new Uint8Array(quantized.buffer), parametersOf(scales, 0, 0));
}

function int8Values(values: Float32Array, scale: number, zeroPoint: number): Uint8Array {
  const quantized = Int8Array.from(values, (value) => Math.min(127, Math.max(-128, roundHalfAway(value / scale) + zeroPoint)));
  return new Uint8Array(quantized.buffer);
}

function insertRequantize(model: Model, plan: QuantizationPlan): void {
  const subgraph = mainSubgraph(model);
  const targets = plan.requantize.map((entry) => ({ ...entry, target: subgraph.operators[entry.operator] }));
  for (const { target, input, scale, zeroPoint } of targets) {
    const source = target?.inputs?.[input];
    const tensor = subgraph.tensors[source ?? -1];
    if (target === undefined || source === undefined || tensor === undefined) continue;
    const name = `${tensor.name ?? ''}/requantized`;
    const added = subgraph.tensors.push(create(schema.Tensor, { ...tensor, name, buffer: 0, quantization: parametersOf([scale], zeroPoint, 0) })) - 1;
    const operator = create(schema.Operator, {
      opcodeIndex: operatorCodeIndex(model, 'QUANTIZE', 2),
      inputs: Int32Array.of(source),
      outputs: Int32Array.of(added),
    });
    subgraph.operators.splice(subgraph.operators.indexOf(target), 0, operator);
    target.inputs = target.inputs?.with(input, added) ?? null;
  }
}
