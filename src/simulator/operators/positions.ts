// Visits the positions of a shape.

/** Strides of each dimension, row-major. */
export function strides(shape: readonly number[]): number[] {
  const out = new Array<number>(shape.length).fill(1);
  for (let d = shape.length - 2; d >= 0; d--) out[d] = (out[d + 1] as number) * (shape[d + 1] as number);
  return out;
}

/** Visits every position in order. The array is reused. */
export function forEachPosition(
  shape: readonly number[],
  visit: (position: readonly number[], index: number) => void,
): void {
  const position = new Array<number>(shape.length).fill(0);
  const count = shape.reduce((product, size) => product * size, 1);
  for (let index = 0; index < count; index++) {
    visit(position, index);
    for (let d = shape.length - 1; d >= 0; d--) {
      position[d] = (position[d] as number) + 1;
      if ((position[d] as number) < (shape[d] as number)) break;
      position[d] = 0;
    }
  }
}
