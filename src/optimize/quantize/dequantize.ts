// Converts models that are already quantized, in whole or in part, to float: trained for quantization (FAKE_QUANT, or
// pairs of QUANTIZE and DEQUANTIZE), integer files with float or uint8 inputs and outputs, legacy uint8 files, int8 or
// float16 weights. A float tensor whose `quantization` has a scale keeps that scale (int8), so that quantizing again
// gives the same integers.

import { elementAt } from '../../base/checked.js';
import { fail } from '../../base/errors.js';
import {
  addBuffer,
  bytesOfElements,
  compact,
  constantBytes,
  copyModel,
  type ElementType,
  elementCount,
  type Model,
  type Operator,
  operatorName,
  type SubGraph,
  type Tensor,
  TensorType,
  tensorLabel,
  typeName,
  weightsAxis,
} from '../../formats/tflite/index.js';
import { parametersOf } from './number-format.js';
import { activationFormat } from './parameters.js';

export interface DequantizedModel {
  /** float32 throughout. */
  readonly model: Model;
  /** Number of computed tensors with a known scale. */
  readonly pinned: number;
}

/** Their integer forms have states and lookup tables of their own. */
const irreversible = new Set(['UNIDIRECTIONAL_SEQUENCE_LSTM', 'LSTM', 'SVDF']);

/** @throws QUANTIZE_NOT_FLOAT for integer operators that cannot be converted back */
export function dequantize(model: Model): DequantizedModel {
  if (!model.subgraphs.some((subgraph) => isQuantized(model, subgraph))) return { model, pinned: 0 };
  const copy = copyModel(model);
  for (const subgraph of copy.subgraphs) {
    refuseIrreversible(copy, subgraph);
    for (const [index, tensor] of subgraph.tensors.entries()) toFloat(copy, tensor, tensorLabel(index, tensor));
    mergeConversions(copy, subgraph);
  }
  compact(copy);
  const computed = copy.subgraphs.flatMap(({ tensors }) =>
    tensors.filter((tensor) => constantBytes(copy, tensor) === null),
  );
  return { model: copy, pinned: computed.filter((tensor) => pinOf(tensor) !== null).length };
}

/**
 * The int8 scale and zero point that the file gives for a float tensor; null if there is none, or if it is not valid
 * for int8.
 */
export function pinOf({ type, quantization }: Tensor): { readonly scale: number; readonly zeroPoint: number } | null {
  const scale = quantization?.scale;
  if (type !== TensorType.FLOAT32 || scale?.length !== 1) return null;
  const zeroPoint = Number(quantization?.zeroPoint?.[0] ?? 0n);
  const [value = 0] = scale;
  return zeroPoint < -128 || zeroPoint > 127 || !(value > 0 && value < Infinity) ? null : { scale: value, zeroPoint };
}

/** The scales that int8 weights must have; null if the file gives none. */
export function pinnedWeights({ type, quantization }: Tensor): readonly number[] | null {
  const scales = Array.from(quantization?.scale ?? []);
  const symmetric = Array.from(quantization?.zeroPoint ?? []).every((zeroPoint) => zeroPoint === 0n);
  return type === TensorType.FLOAT32 && scales.length > 0 && symmetric ? scales : null;
}

const converters = new Set(['QUANTIZE', 'DEQUANTIZE', 'FAKE_QUANT']);

function isQuantized(model: Model, { tensors, operators }: SubGraph): boolean {
  return (
    tensors.some((tensor) => storedTypes.has(tensor.type) && (tensor.quantization?.scale?.length ?? 0) > 0) ||
    operators.some((operator) => operatorName(model, operator) === 'FAKE_QUANT')
  );
}

const storedTypes: ReadonlySet<number> = new Set([
  TensorType.INT8,
  TensorType.UINT8,
  TensorType.INT16,
  TensorType.INT32,
  TensorType.INT64,
]);

function refuseIrreversible(model: Model, { operators, tensors }: SubGraph): void {
  for (const [index, operator] of operators.entries()) {
    const name = operatorName(model, operator);
    const integer = (operator.inputs ?? []).some(
      (tensor) => tensors[tensor] !== undefined && storedTypes.has(tensors[tensor].type),
    );
    if (irreversible.has(name) && integer)
      throw fail('QUANTIZE_NOT_FLOAT', {
        where: `operator ${index} ${name}`,
        reason: 'its integer form cannot be converted back to float',
      });
  }
}

/** Makes a quantized tensor float, and keeps its scale as an int8 scale. */
function toFloat(model: Model, tensor: Tensor, label: string): void {
  const { quantization, type } = tensor;
  const scales = Array.from(quantization?.scale ?? []);
  if (!storedTypes.has(type) || scales.length === 0) return;
  const zeroPoints = Array.from(quantization?.zeroPoint ?? [], Number);
  const [low, high] =
    type === TensorType.UINT8 ? [0, 255] : type === TensorType.INT8 ? [-128, 127] : [-(2 ** 31), 2 ** 31];
  if (
    scales.some((scale) => !(scale > 0 && scale < Infinity)) ||
    zeroPoints.some((zeroPoint) => zeroPoint < low || zeroPoint > high)
  ) {
    throw fail('TFLITE_INVALID', {
      reason: `a scale or zero point that ${typeName(type)} cannot have`,
      where: `tensor ${label}`,
    });
  }
  const bytes = constantBytes(model, tensor);
  if (bytes !== null)
    tensor.buffer = addBuffer(model, new Uint8Array(realValues(tensor, bytes, scales, zeroPoints, label).buffer));
  tensor.type = TensorType.FLOAT32;
  // uint8 is int8 with the zero point shifted. For wider integers only the range would be known, and calibration
  // measures it better.
  const shift = type === TensorType.UINT8 ? 128 : 0;
  const kept = type === TensorType.INT8 || type === TensorType.UINT8;
  const axis = quantization?.quantizedDimension ?? 0;
  tensor.quantization = kept ? parametersOf(scales, (zeroPoints[0] ?? 0) - shift, axis) : null;
}

function realValues(
  { type, shape, quantization }: Tensor,
  bytes: Uint8Array,
  scales: readonly number[],
  zeroPoints: readonly number[],
  label: string,
): Float32Array {
  const dimensions = Array.from(shape ?? []);
  const need = bytesOfElements(typeName(type) as ElementType, elementCount(dimensions));
  if (bytes.byteLength !== need)
    throw fail('TFLITE_INVALID', {
      reason: `${bytes.byteLength} bytes of data for a shape that needs ${need}`,
      where: `tensor ${label}`,
    });
  const data = integersOf(type, bytes.slice());
  const axis = scales.length === 1 ? 0 : (quantization?.quantizedDimension ?? 0);
  const inner = scales.length === 1 ? data.length : elementCount(dimensions.slice(axis + 1));
  return Float32Array.from({ length: data.length }, (_, i) => {
    const channel = Math.floor(i / inner) % scales.length;
    return (Number(data[i]) - (zeroPoints[zeroPoints.length === 1 ? 0 : channel] ?? 0)) * elementAt(scales, channel);
  });
}

function integersOf(type: number, { buffer }: Uint8Array): ArrayLike<number | bigint> {
  switch (type) {
    case TensorType.INT8:
      return new Int8Array(buffer);
    case TensorType.UINT8:
      return new Uint8Array(buffer);
    case TensorType.INT16:
      return new Int16Array(buffer);
    case TensorType.INT64:
      return new BigInt64Array(buffer);
    default:
      return new Int32Array(buffer);
  }
}

/**
 * Removes conversions between formats, since everything is float now. The tensor before takes the scale of the tensor
 * after.
 */
function mergeConversions(model: Model, subgraph: SubGraph): void {
  const { tensors } = subgraph;
  const sources = new Map<number, number>();
  const sourceOf = (tensor: number): number => sources.get(tensor) ?? tensor;
  const merged = new Set<Operator>();
  for (const operator of subgraph.operators) {
    operator.inputs = operator.inputs?.map(sourceOf) ?? null;
    const [input, output] = [operator.inputs?.[0] ?? -1, operator.outputs?.[0] ?? -1];
    const [before, after] = [tensors[input], tensors[output]];
    if (!converters.has(operatorName(model, operator)) || before === undefined || after === undefined) continue;
    // Constants stored in float16, which fold-constants makes float.
    if (before.type !== TensorType.FLOAT32 || after.type !== TensorType.FLOAT32) continue;
    if ((before.quantization?.scale?.length ?? 0) === 0)
      before.quantization =
        fakeQuantization(operator, before, consumersOf(subgraph, output), model) ?? after.quantization;
    sources.set(output, input);
    merged.add(operator);
  }
  subgraph.operators = subgraph.operators.filter((operator) => !merged.has(operator));
  const outputs = subgraph.outputs ?? new Int32Array(0);
  subgraph.outputs = outputs.map(sourceOf);
  const at = model.subgraphs.indexOf(subgraph);
  for (const signature of model.signatureDefs)
    if (signature.subgraphIndex === at)
      for (const entry of signature.outputs) entry.tensorIndex = sourceOf(entry.tensorIndex);
}

function consumersOf({ operators }: SubGraph, tensor: number): Operator[] {
  return operators.filter(({ inputs }) => inputs?.includes(tensor));
}

/** The quantization of a FAKE_QUANT's range: a symmetric scale for weights, an int8 format for everything else. */
function fakeQuantization(
  operator: Operator,
  before: Tensor,
  consumers: readonly Operator[],
  model: Model,
): Tensor['quantization'] {
  const options = operator.builtinOptions;
  if (options?.kind !== 'FakeQuantOptions' || options.numBits !== 8) return null;
  const isWeights =
    constantBytes(model, before) !== null &&
    consumers.some((consumer) => weightsAxis[operatorName(model, consumer)] !== undefined);
  if (isWeights) return parametersOf([Math.fround(Math.max(Math.abs(options.min), Math.abs(options.max)) / 127)]);
  const { scale, zeroPoint } = activationFormat({ min: options.min, max: options.max }, 'int8');
  return parametersOf([scale], zeroPoint);
}
