// Stores weights with many zeros in TFLite's sparse encoding, each followed by a DENSIFY, which expands them when the
// model is loaded: the file becomes smaller, the model computes the same (tensorflow/lite/schema/schema.fbs,
// SparsityParameters; kernels/densify.cc).

import { defined, elementAt } from '../../base/checked.js';
import {
  addBuffer,
  bytesOfElements,
  compact,
  constantBytes,
  copyModel,
  create,
  DimensionType,
  type ElementType,
  elementTypeOf,
  linksOf,
  type Model,
  type Operator,
  operatorName,
  type SparsityParameters,
  type SubGraph,
  schema,
  unaryOperator,
  weightsAxis,
} from '../../formats/tflite/index.js';
import type { Changed } from '../passes/index.js';

/** Approximate size of the tables of one sparse tensor and its DENSIFY, besides elements and indices. */
const overheadBytes = 400;

/** Block lengths along the last dimension. */
const blockLengths = [1, 4, 16];

/** Changes only weights whose sparse form is shorter. */
export function encodeSparseWeights(model: Model): Changed {
  const copy = copyModel(model);
  let changes = 0;
  for (const subgraph of copy.subgraphs) {
    const dense = new Map<number, number>();
    const added: SubGraph['operators'] = [];
    for (const { reader, input, weights } of weightsOf(copy, subgraph)) {
      const known = dense.get(weights) ?? encode(copy, subgraph, weights, added);
      if (known === null) continue;
      dense.set(weights, known);
      reader.inputs = reader.inputs?.with(input, known) ?? null;
    }
    subgraph.operators = [...added, ...subgraph.operators];
    changes += added.length;
  }
  compact(copy);
  return { model: copy, changes };
}

/** Weights and their reader: the layer itself, or a DEQUANTIZE in front of it if they are float16. */
function weightsOf(model: Model, subgraph: SubGraph): { reader: Operator; input: number; weights: number }[] {
  const { producer } = linksOf(subgraph);
  return subgraph.operators.flatMap((layer) => {
    const weights = layer.inputs?.[1] ?? -1;
    if (weights < 0 || weightsAxis[operatorName(model, layer)] === undefined) return [];
    const made = producer.get(weights);
    if (made === undefined) return [{ reader: layer, input: 1, weights }];
    return operatorName(model, made) === 'DEQUANTIZE'
      ? [{ reader: made, input: 0, weights: defined(made.inputs?.[0]) }]
      : [];
  });
}

/** Types that DENSIFY supports. */
const densified: ReadonlySet<ElementType | null> = new Set<ElementType>(['float32', 'float16', 'int8']);

/** @returns the tensor that a DENSIFY produces; null if the weights stay unchanged */
function encode(model: Model, subgraph: SubGraph, index: number, operators: SubGraph['operators']): number | null {
  const tensor = elementAt(subgraph.tensors, index);
  const bytes = constantBytes(model, tensor);
  const type = elementTypeOf(tensor);
  const shape = Array.from(tensor.shape ?? []);
  if (bytes === null || type === null || !densified.has(type) || tensor.sparsity !== null || shape.length === 0)
    return null;
  const width = bytesOfElements(type, 1);
  const columns = defined(shape.at(-1));
  const forms = blockLengths
    .filter((block) => columns % block === 0)
    .map((block) => formOf(bytes, width, shape, block));
  const [shortest] = forms.toSorted((a, b) => a.size - b.size);
  if (shortest === undefined || shortest.size >= bytes.byteLength) return null;
  const output =
    subgraph.tensors.push(create(schema.Tensor, { ...tensor, buffer: 0, name: `${tensor.name ?? ''}/dense` })) - 1;
  subgraph.tensors[index] = { ...tensor, buffer: addBuffer(model, shortest.stored), sparsity: shortest.sparsity };
  operators.push(unaryOperator(model, 'DENSIFY', 1, index, output));
  return output;
}

interface SparseForm {
  readonly stored: Uint8Array;
  readonly sparsity: SparsityParameters;
  /** Bytes of elements and indices in the file. */
  readonly size: number;
}

/** All dimensions are dense except the last one, of which the non-zero blocks are listed. */
function formOf(bytes: Uint8Array, width: number, shape: readonly number[], block: number): SparseForm {
  const rank = shape.length;
  const columns = elementAt(shape, rank - 1);
  const blockBytes = block * width;
  const perRow = columns / block;
  const rows = bytes.byteLength / (perRow * blockBytes);
  const [segments, indices, kept]: [number[], number[], Uint8Array[]] = [[0], [], []];
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < perRow; i++) {
      const at = (row * perRow + i) * blockBytes;
      const part = bytes.subarray(at, at + blockBytes);
      if (part.every((byte) => byte === 0)) continue;
      indices.push(i);
      kept.push(part);
    }
    segments.push(indices.length);
  }
  const [arraySegments, arrayIndices] = [indexVector(segments), indexVector(indices)];
  const levels = shape.slice(0, -1).map((denseSize) => create(schema.DimensionMetadata, { denseSize }));
  const last = create(schema.DimensionMetadata, { format: DimensionType.SPARSE_CSR, arraySegments, arrayIndices });
  const blocks = block === 1 ? [] : [create(schema.DimensionMetadata, { denseSize: block })];
  const stored = new Uint8Array(Buffer.concat(kept));
  return {
    stored,
    sparsity: create(schema.SparsityParameters, {
      traversalOrder: Int32Array.from({ length: rank + blocks.length }, (_, i) => i),
      blockMap: block === 1 ? null : Int32Array.of(rank - 1),
      dimMetadata: [...levels, last, ...blocks],
    }),
    size:
      stored.byteLength +
      overheadBytes +
      (arraySegments?.values?.byteLength ?? 0) +
      (arrayIndices?.values?.byteLength ?? 0),
  };
}

/** In the narrowest type that holds all values. */
function indexVector(values: readonly number[]): SparsityParameters['dimMetadata'][number]['arrayIndices'] {
  const largest = values.reduce((most, value) => Math.max(most, value), 0);
  if (largest < 256) return { kind: 'Uint8Vector', ...create(schema.Uint8Vector, { values: Uint8Array.from(values) }) };
  if (largest < 65536)
    return { kind: 'Uint16Vector', ...create(schema.Uint16Vector, { values: Uint16Array.from(values) }) };
  return { kind: 'Int32Vector', ...create(schema.Int32Vector, { values: Int32Array.from(values) }) };
}
