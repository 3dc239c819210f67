// Arrays of the reference interpreter, which computes a source graph as its framework defines it, slowly and plainly.
// Row-major. Floats are computed in double precision and stored as float32.

import { elementAt } from '../../../base/checked.js';
import type { ElementType } from '../../../formats/tflite/index.js';
import { elementCount } from '../../../formats/tflite/index.js';
import type { ElementArray } from '../../../simulator/index.js';

/** An array with its shape. */
export interface NdArray {
  readonly type: ElementType;
  readonly shape: readonly number[];
  readonly data: ElementArray;
}

export function floats(shape: readonly number[], data?: Float32Array): NdArray {
  return { type: 'float32', shape, data: data ?? new Float32Array(elementCount(shape)) };
}

/** An array of the type of another, with all elements 0. */
export function emptyLike({ type, data }: NdArray, shape: readonly number[]): NdArray {
  const construct = data.constructor as new (count: number) => ElementArray;
  return { type, shape, data: new construct(elementCount(shape)) };
}

/** How many elements lie between neighbours along each axis. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let d = shape.length - 2; d >= 0; d--) strides[d] = elementAt(strides, d + 1) * elementAt(shape, d + 1);
  return strides;
}

/** An axis from 0: negative ones count from the end. */
export function axisOf(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

export function reshaped(array: NdArray, shape: readonly number[]): NdArray {
  return { ...array, shape };
}

/** Applies a function to each element of a float array. */
export function mapped({ shape, data }: NdArray, compute: (value: number) => number): NdArray {
  return floats(shape, Float32Array.from(data as Float32Array, compute));
}

/**
 * Visits the elements of a shape in order, with the position in each operand, whose shapes are broadcast to it as in
 * NumPy.
 */
export function forEachBroadcast(
  shape: readonly number[],
  operands: readonly (readonly number[])[],
  visit: (at: number, positions: readonly number[]) => void,
): void {
  const steps = operands.map((operand) => {
    const strides = stridesOf(operand);
    return shape.map((_, d) => {
      const own = d - shape.length + operand.length;
      return own < 0 || operand[own] === 1 ? 0 : elementAt(strides, own);
    });
  });
  const index = new Array<number>(shape.length).fill(0);
  const positions = operands.map(() => 0);
  const count = elementCount(shape);
  for (let at = 0; at < count; at++) {
    visit(at, positions);
    for (let d = shape.length - 1; d >= 0; d--) {
      const next = elementAt(index, d) + 1;
      index[d] = next;
      const wraps = next === shape[d];
      for (let k = 0; k < positions.length; k++) {
        const step = elementAt(elementAt(steps, k), d);
        positions[k] = elementAt(positions, k) + (wraps ? -step * (next - 1) : step);
      }
      if (!wraps) break;
      index[d] = 0;
    }
  }
}

/** The shape to which shapes broadcast. */
export function broadcastShapes(...shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map(({ length }) => length));
  return Array.from({ length: rank }, (_, d) => {
    const sizes = shapes.map((shape) => shape[d - rank + shape.length] ?? 1);
    return sizes.find((size) => size !== 1) ?? 1;
  });
}

/** Combines two float arrays element by element, with broadcasting. */
export function combined(a: NdArray, b: NdArray, compute: (a: number, b: number) => number): NdArray {
  const shape = broadcastShapes(a.shape, b.shape);
  const result = floats(shape);
  const [from, other, to] = [a.data as Float32Array, b.data as Float32Array, result.data as Float32Array];
  forEachBroadcast(shape, [a.shape, b.shape], (at, [i = 0, j = 0]) => {
    to[at] = compute(from[i] as number, other[j] as number);
  });
  return result;
}

/** Reorders the axes: axis d of the result is axis `order[d]` of the array. */
export function transposed(array: NdArray, order: readonly number[]): NdArray {
  const shape = order.map((axis) => elementAt(array.shape, axis));
  const strides = stridesOf(array.shape);
  const steps = order.map((axis) => elementAt(strides, axis));
  return gatheredBy(array, shape, 0, steps);
}

/** An element of the result is at `start + sum of index[d] * steps[d]` in the array. */
export function gatheredBy(array: NdArray, shape: readonly number[], start: number, steps: readonly number[]): NdArray {
  const result = emptyLike(array, shape);
  const [from, to] = [array.data as Float32Array, result.data as Float32Array];
  const index = new Array<number>(shape.length).fill(0);
  let position = start;
  for (let at = 0; at < to.length; at++) {
    to[at] = from[position] as number;
    for (let d = shape.length - 1; d >= 0; d--) {
      index[d] = elementAt(index, d) + 1;
      position += elementAt(steps, d);
      if (index[d] !== shape[d]) break;
      position -= elementAt(steps, d) * elementAt(shape, d);
      index[d] = 0;
    }
  }
  return result;
}

/** Part of an array along one axis. */
export function slicedAxis(array: NdArray, axis: number, start: number, length: number, step = 1): NdArray {
  const strides = stridesOf(array.shape);
  const shape = array.shape.map((size, d) => (d === axis ? length : size));
  const steps = strides.map((stride, d) => (d === axis ? stride * step : stride));
  return gatheredBy(array, shape, start * elementAt(strides, axis), steps);
}

/** Joins arrays along an axis. */
export function joined(arrays: readonly NdArray[], axis: number): NdArray {
  const first = elementAt(arrays, 0);
  const length = arrays.reduce((sum, { shape }) => sum + elementAt(shape, axis), 0);
  const shape = first.shape.map((size, d) => (d === axis ? length : size));
  const result = emptyLike(first, shape);
  const outer = elementCount(shape.slice(0, axis));
  const inner = elementCount(shape.slice(axis + 1));
  let offset = 0;
  for (const { shape: own, data } of arrays) {
    const run = elementAt(own, axis) * inner;
    for (let o = 0; o < outer; o++)
      (result.data as Float32Array).set(
        (data as Float32Array).subarray(o * run, (o + 1) * run),
        o * length * inner + offset,
      );
    offset += run;
  }
  return result;
}

/** Surrounds an array by a value. @param pads before and after, for each axis; negative ones remove elements */
export function padded(array: NdArray, pads: readonly (readonly [number, number])[], value: number): NdArray {
  const shape = array.shape.map(
    (size, d) => size + elementAt(elementAt(pads, d), 0) + elementAt(elementAt(pads, d), 1),
  );
  const result = emptyLike(array, shape);
  const [from, to] = [array.data as Float32Array, result.data as Float32Array];
  to.fill(value);
  const strides = stridesOf(array.shape);
  const targets = stridesOf(shape);
  const copy = (d: number, source: number, target: number): void => {
    if (d === shape.length) {
      to[target] = from[source] as number;
      return;
    }
    const [before] = elementAt(pads, d);
    for (let i = Math.max(0, -before); i < elementAt(array.shape, d); i++) {
      const at = i + before;
      if (at >= elementAt(shape, d)) break;
      copy(d + 1, source + i * elementAt(strides, d), target + at * elementAt(targets, d));
    }
  };
  if (array.data.length > 0) copy(0, 0, 0);
  return result;
}

/**
 * Reduces some axes.
 * @param finish gets the result of the fold and the number of elements
 */
export function reduced(
  array: NdArray,
  axes: readonly number[],
  keepDimensions: boolean,
  fold: {
    readonly first: number;
    readonly next: (sum: number, value: number) => number;
    readonly finish?: (sum: number, count: number) => number;
  },
): NdArray {
  const kept = array.shape.map((size, d) => (axes.includes(d) ? 1 : size));
  const sums = new Float64Array(elementCount(kept)).fill(fold.first);
  const from = array.data as Float32Array;
  forEachBroadcast(array.shape, [kept], (at, [i = 0]) => {
    sums[i] = fold.next(sums[i] as number, from[at] as number);
  });
  const count = axes.reduce((product, axis) => product * elementAt(array.shape, axis), 1);
  const { finish } = fold;
  if (finish !== undefined) for (let i = 0; i < sums.length; i++) sums[i] = finish(sums[i] as number, count);
  const shape = keepDimensions ? kept : kept.filter((_, d) => !axes.includes(d));
  return floats(shape, Float32Array.from(sums));
}

/** The folds that frameworks have. */
export const folds = {
  sum: { first: 0, next: (sum: number, value: number) => sum + value },
  mean: {
    first: 0,
    next: (sum: number, value: number) => sum + value,
    finish: (sum: number, count: number) => sum / count,
  },
  max: { first: -Infinity, next: (sum: number, value: number) => Math.max(sum, value) },
  min: { first: Infinity, next: (sum: number, value: number) => Math.min(sum, value) },
  product: { first: 1, next: (sum: number, value: number) => sum * value },
} as const;

/** exp(x) / sum of exp over an axis. */
export function softmaxOf(array: NdArray, axis: number): NdArray {
  const largest = reduced(array, [axis], true, folds.max);
  const powers = combined(array, largest, (value, top) => Math.exp(value - top));
  return combined(powers, reduced(powers, [axis], true, folds.sum), (value, sum) => value / sum);
}

/** Matrix products over the last two axes; the others broadcast. */
export function multiplied(a: NdArray, b: NdArray): NdArray {
  const [rows, inner] = [elementAt(a.shape, a.shape.length - 2), elementAt(a.shape, a.shape.length - 1)];
  const columns = elementAt(b.shape, b.shape.length - 1);
  const [batchA, batchB] = [a.shape.slice(0, -2), b.shape.slice(0, -2)];
  const batch = broadcastShapes(batchA, batchB);
  const result = floats([...batch, rows, columns]);
  const [from, other, to] = [a.data as Float32Array, b.data as Float32Array, result.data as Float32Array];
  const sums = new Float64Array(columns);
  forEachBroadcast(batch, [batchA, batchB], (at, [i = 0, j = 0]) => {
    for (let row = 0; row < rows; row++) {
      sums.fill(0);
      for (let k = 0; k < inner; k++) {
        const factor = from[(i * rows + row) * inner + k] as number;
        const start = (j * inner + k) * columns;
        for (let column = 0; column < columns; column++)
          sums[column] = (sums[column] as number) + factor * (other[start + column] as number);
      }
      to.set(sums, (at * rows + row) * columns);
    }
  });
  return result;
}
