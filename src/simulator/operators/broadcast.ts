// Element indices of two operands that broadcast as in NumPy: sizes are compared from the last dimension backwards, and
// a size of 1 repeats.

import { invalid, type Operand, type OperatorContext } from './operator.js';

/** For every output element, the index of the element of `operand` that it reads; null if the indices are the same. */
export function broadcastIndex(context: OperatorContext, operand: Operand, output: Operand): Int32Array | null {
  const rank = output.shape.length;
  if (operand.shape.length > rank)
    throw invalid(context, `tensor ${operand.label} has more dimensions than the output`);
  const offset = rank - operand.shape.length;
  const strides = new Array<number>(rank).fill(0);
  let stride = 1;
  for (let d = rank - 1; d >= offset; d--) {
    const size = operand.shape[d - offset] as number;
    if (size !== 1 && size !== output.shape[d]) {
      throw invalid(context, `shapes [${operand.shape.join(', ')}] and [${output.shape.join(', ')}] do not broadcast`);
    }
    strides[d] = size === 1 ? 0 : stride;
    stride *= size;
  }
  if (operand.data.length === output.data.length) return null;
  const index = new Int32Array(output.data.length);
  const position = new Array<number>(rank).fill(0);
  let at = 0;
  for (let i = 0; i < index.length; i++) {
    index[i] = at;
    for (let d = rank - 1; d >= 0; d--) {
      position[d] = (position[d] as number) + 1;
      at += strides[d] as number;
      if ((position[d] as number) < (output.shape[d] as number)) break;
      at -= (strides[d] as number) * (output.shape[d] as number);
      position[d] = 0;
    }
  }
  return index;
}

/** Applies the operation to every pair of elements, with broadcasting; it also receives the output index. */
export function elementwise(
  context: OperatorContext,
  a: Operand,
  b: Operand,
  output: Operand,
  combine: (x: number, y: number, index: number) => number,
): () => void {
  const indexA = broadcastIndex(context, a, output);
  const indexB = broadcastIndex(context, b, output);
  const dataA = a.data as Float32Array;
  const dataB = b.data as Float32Array;
  const out = output.data as Float32Array;
  return () => {
    for (let i = 0; i < out.length; i++) {
      out[i] = combine(
        dataA[indexA === null ? i : (indexA[i] as number)] as number,
        dataB[indexB === null ? i : (indexB[i] as number)] as number,
        i,
      );
    }
  };
}
