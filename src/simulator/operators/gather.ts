// Operators with indices as data: GATHER, GATHER_ND, EMBEDDING_LOOKUP, ONE_HOT, DYNAMIC_UPDATE_SLICE. An index out of
// range is an error of the sample, as on the device.

import { fail } from '../../base/errors.js';
import { elementCount } from '../../formats/tflite/index.js';
import { aroundAxis, constantIntegers, resolveAxis } from './axes.js';
import {
  anyType,
  byType,
  copyFamily,
  inputOf,
  invalid,
  type Operand,
  type OperatorContext,
  optionsOf,
  outputOf,
  quantizationOf,
  requireShape,
  requireType,
  type ShapeRule,
} from './operator.js';
import { forEachPosition, strides } from './positions.js';
import { sameShape, whereKnown } from './shapes.js';

/** Reads an index of an int32 or int64 tensor. */
function indexReader(context: OperatorContext, operand: Operand): (at: number) => number {
  return byType(context, operand, {
    int32: (at: number) => (operand.data as Int32Array)[at] as number,
    int64: (at: number) => Number((operand.data as BigInt64Array)[at]),
  });
}

function outside(context: OperatorContext, index: number, size: number): Error {
  return fail('OPERATOR_INVALID', { operator: context.place, reason: `index ${index} of a dimension of ${size}` });
}

interface Gathering {
  readonly axis: number;
  readonly batchDims: number;
}

function gatheringOf(context: OperatorContext): Gathering {
  const [input, indices] = [inputOf(context, 0), inputOf(context, 1)];
  const options = optionsOf(context, 'GatherOptions');
  const axis = resolveAxis(context, options.axis, input.shape.length);
  const batchDims = options.batchDims < 0 ? options.batchDims + indices.shape.length : options.batchDims;
  if (batchDims < 0 || batchDims > axis || batchDims > indices.shape.length)
    throw invalid(context, `${batchDims} batch dimensions before axis ${axis}`);
  if (input.shape.slice(0, batchDims).some((size, d) => size !== indices.shape[d]))
    throw invalid(context, 'batches of input and indices that differ');
  return { axis, batchDims };
}

const gatheredShape: ShapeRule = (context) => {
  const [input, indices] = [inputOf(context, 0), inputOf(context, 1)];
  const { axis, batchDims } = gatheringOf(context);
  return [[...input.shape.slice(0, axis), ...indices.shape.slice(batchDims), ...input.shape.slice(axis + 1)]];
};

function prepareGather(context: OperatorContext): () => void {
  const [input, indices, output] = [inputOf(context, 0), inputOf(context, 1), outputOf(context)];
  const { axis, batchDims } = gatheringOf(context);
  requireType(context, output, input.type);
  const { size, inner } = aroundAxis(input.shape, axis);
  const batches = elementCount(input.shape.slice(0, batchDims));
  const outer = elementCount(input.shape.slice(batchDims, axis));
  const perBatch = elementCount(indices.shape.slice(batchDims));
  const from = input.data as Float32Array;
  const to = output.data as Float32Array;
  const read = indexReader(context, indices);
  return () => {
    let at = 0;
    for (let b = 0; b < batches; b++) {
      for (let o = 0; o < outer; o++) {
        for (let k = 0; k < perBatch; k++) {
          const index = read(b * perBatch + k);
          if (index < 0 || index >= size) throw outside(context, index, size);
          const start = ((b * outer + o) * size + index) * inner;
          to.set(from.subarray(start, start + inner), at);
          at += inner;
        }
      }
    }
  };
}

const gatheredNdShape: ShapeRule = (context) => {
  const [input, indices] = [inputOf(context, 0), inputOf(context, 1)];
  const depth = indices.shape.at(-1) ?? 0;
  if (depth > input.shape.length)
    throw invalid(context, `indices of ${depth} numbers into ${input.shape.length} dimensions`);
  return [[...indices.shape.slice(0, -1), ...input.shape.slice(depth)]];
};

function prepareGatherNd(context: OperatorContext): () => void {
  const [input, indices, output] = [inputOf(context, 0), inputOf(context, 1), outputOf(context)];
  const depth = indices.shape.at(-1) ?? 0;
  requireType(context, output, input.type);
  const stride = strides(input.shape);
  const inner = elementCount(input.shape.slice(depth));
  const count = elementCount(indices.shape.slice(0, -1));
  const from = input.data as Float32Array;
  const to = output.data as Float32Array;
  const read = indexReader(context, indices);
  return () => {
    for (let i = 0; i < count; i++) {
      let start = 0;
      for (let d = 0; d < depth; d++) {
        const index = read(i * depth + d);
        const size = input.shape[d] as number;
        if (index < 0 || index >= size) throw outside(context, index, size);
        start += index * (stride[d] as number);
      }
      to.set(from.subarray(start, start + inner), i * inner);
    }
  };
}

function prepareEmbeddingLookup(context: OperatorContext): () => void {
  const indices = inputOf(context, 0);
  const table = inputOf(context, 1);
  const output = outputOf(context);
  requireType(context, indices, 'int32');
  const rows = table.shape[0] ?? 0;
  const width = elementCount(table.shape.slice(1));
  const from = table.data as Float32Array;
  const to = output.data as Float32Array;
  const positions = indices.data as Int32Array;
  const scale = table.type === 'int8' && output.type === 'float32' ? quantizationOf(context, table).scale : null;
  if (scale === null) requireType(context, output, table.type);
  return () => {
    for (let i = 0; i < positions.length; i++) {
      const index = positions[i] as number;
      if (index < 0 || index >= rows) throw outside(context, index, rows);
      for (let c = 0; c < width; c++) {
        const value = from[index * width + c] as number;
        to[i * width + c] = scale === null ? value : value * scale;
      }
    }
  };
}

/** The depth, and its axis. */
function oneHotOf(context: OperatorContext): { depth: number; at: number } {
  const rank = inputOf(context, 0).shape.length;
  const [depth = 0] = constantIntegers(context, inputOf(context, 1));
  const { axis } = optionsOf(context, 'OneHotOptions');
  return { depth, at: axis === -1 ? rank : resolveAxis(context, axis, rank + 1) };
}

const oneHotShape = whereKnown((context) => {
  const { depth, at } = oneHotOf(context);
  return [inputOf(context, 0).shape.toSpliced(at, 0, depth)];
}, 1);

function prepareOneHot(context: OperatorContext): () => void {
  const [indices, on, off] = [0, 2, 3].map((i) => inputOf(context, i)) as [Operand, Operand, Operand];
  const output = outputOf(context);
  const { depth, at } = oneHotOf(context);
  requireType(context, on, output.type);
  requireType(context, off, output.type);
  const inner = elementCount(indices.shape.slice(at));
  const read = indexReader(context, indices);
  const to = output.data as Float32Array;
  return () => {
    to.fill((off.data as Float32Array)[0] as number);
    for (let i = 0; i < indices.count; i++) {
      const index = read(i);
      const [outer, rest] = [Math.floor(i / inner), i % inner];
      if (index >= 0 && index < depth)
        to[(outer * depth + index) * inner + rest] = (on.data as Float32Array)[0] as number;
    }
  };
}

/** The start is clamped so that the update lies inside. */
function prepareDynamicUpdateSlice(context: OperatorContext): () => void {
  const [operand, update, start] = [0, 1, 2].map((i) => inputOf(context, i)) as [Operand, Operand, Operand];
  const output = outputOf(context);
  const rank = operand.shape.length;
  requireType(context, update, operand.type);
  requireType(context, output, operand.type);
  if (update.shape.length !== rank || update.shape.some((size, d) => size > (operand.shape[d] as number)))
    throw invalid(context, 'an update larger than its operand');
  requireShape(context, start, [rank]);
  const stride = strides(operand.shape);
  const read = indexReader(context, start);
  const from = update.data as Float32Array;
  const to = output.data as Float32Array;
  return () => {
    to.set(operand.data as Float32Array);
    const first = operand.shape.reduce(
      (sum, size, d) =>
        sum + Math.max(0, Math.min(read(d), size - (update.shape[d] as number))) * (stride[d] as number),
      0,
    );
    forEachPosition(update.shape, (position, index) => {
      to[position.reduce((sum, at, d) => sum + at * (stride[d] as number), first)] = from[index] as number;
    });
  };
}

const lookedUpShape: ShapeRule = (context) => [[...inputOf(context, 0).shape, ...inputOf(context, 1).shape.slice(1)]];

export const gather = copyFamily('GATHER', anyType, gatheredShape, prepareGather, { options: [8, 4] });
export const gatherNd = copyFamily('GATHER_ND', anyType, gatheredNdShape, prepareGatherNd);
export const embeddingLookup = copyFamily('EMBEDDING_LOOKUP', ['int32'], lookedUpShape, prepareEmbeddingLookup);
export const oneHot = copyFamily('ONE_HOT', ['int32', 'int64'], oneHotShape, prepareOneHot);
export const dynamicUpdateSlice = copyFamily('DYNAMIC_UPDATE_SLICE', anyType, sameShape, prepareDynamicUpdateSlice);
