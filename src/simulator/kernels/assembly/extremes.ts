// The smallest and largest of float values, and their sum, which is not finite if a value is not.

import { touch } from './bounds';

let smallest: f32 = 0;
let largest: f32 = 0;
let sum: f32 = 0;

export function scanFloats(input: usize, count: i32): void {
  touch(input, 4 * count);
  let low = f32x4.splat(f32.MAX_VALUE);
  let high = f32x4.splat(-f32.MAX_VALUE);
  let total = f32x4.splat(0);
  let i = 0;
  for (; i + 4 <= count; i += 4) {
    const x = v128.load(input + 4 * i);
    low = f32x4.pmin(low, x);
    high = f32x4.pmax(high, x);
    total = f32x4.add(total, x);
  }
  smallest = min(min(f32x4.extract_lane(low, 0), f32x4.extract_lane(low, 1)), min(f32x4.extract_lane(low, 2),
      f32x4.extract_lane(low, 3)));
  largest = max(max(f32x4.extract_lane(high, 0), f32x4.extract_lane(high, 1)), max(f32x4.extract_lane(high, 2),
      f32x4.extract_lane(high, 3)));
  sum = f32x4.extract_lane(total, 0) + f32x4.extract_lane(total, 1) + f32x4.extract_lane(total,
      2) + f32x4.extract_lane(total, 3);
  for (; i < count; i++) {
    const x = load<f32>(input + 4 * i);
    if (x < smallest) smallest = x;
    if (x > largest) largest = x;
    sum += x;
  }
}

export function smallestFloat(): f32 {
  return smallest;
}

export function largestFloat(): f32 {
  return largest;
}

export function sumOfFloats(): f32 {
  return sum;
}
