// CAST: C's static_cast between element types: truncation from float, modulo 2^n between integers, saturation where C
// leaves the result undefined.

import type { ElementType } from '../../formats/tflite/index.js';
import { clamp } from './activation.js';
import {
  anyType,
  byType,
  type ElementArray,
  inputOf,
  type OperatorContext,
  type OperatorFamily,
  outputOf,
} from './operator.js';
import { sameShape } from './shapes.js';

const limits: Partial<Record<ElementType, readonly [number, number]>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint32: [0, 2 ** 32 - 1],
  int64: [-(2 ** 63), 2 ** 63 - 1024],
};

function prepare(context: OperatorContext): () => void {
  const input = inputOf(context, 0);
  const output = outputOf(context);
  const converted = converter(context, input.type, output.type);
  const from = input.data as ArrayLike<number | bigint>;
  const to = output.data as ElementArray & { [index: number]: number | bigint };
  return () => {
    for (let i = 0; i < to.length; i++) to[i] = converted(from[i] as number | bigint);
  };
}

/** Value stored in a typed array of the output's type, which wraps integers itself. */
function converter(
  context: OperatorContext,
  from: ElementType,
  to: ElementType,
): (value: number | bigint) => number | bigint {
  if (to === 'bool') return (value) => (Number(value) === 0 ? 0 : 1);
  const integer = byType(context, outputOf(context), { ...limits, float32: null });
  const isFloat = from === 'float32';
  if (to === 'int64') {
    const [low, high] = limits.int64 as readonly [number, number];
    return (value) =>
      typeof value === 'bigint' ? value : BigInt(isFloat ? Math.trunc(clamp(value || 0, low, high)) : value);
  }
  if (integer === null) return Number;
  const [low, high] = integer;
  if (isFloat) return (value) => Math.trunc(clamp((value as number) || 0, low, high));
  return (value) => Number(BigInt.asIntN(32, BigInt(value)));
}

export const cast: OperatorFamily = {
  name: 'CAST',
  types: anyType,
  shapes: sameShape,
  prepare,
  work: () => ({ kind: 'elementwise', macs: 0 }),
  memory: () => ({ options: [2, 1] }),
};
