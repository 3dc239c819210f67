// Elementwise operators with one input.

import { clamp, integerLimits } from './activation.js';
import { inputOf, type Operand, type OperatorContext, outputOf, requireType } from './operator.js';

/** Input and output of the same type and shape. */
export function sameOperands(context: OperatorContext): { input: Operand; output: Operand } {
  const input = inputOf(context, 0);
  const output = outputOf(context);
  requireType(context, output, input.type);
  return { input, output };
}

/** The same, as rows along the last dimension. */
export function rowsOf(context: OperatorContext): { input: Operand; output: Operand; rows: number; depth: number } {
  const { input, output } = sameOperands(context);
  const depth = input.shape.at(-1) ?? 1;
  return { input, output, rows: depth === 0 ? 0 : input.count / depth, depth };
}

/** Applies a function to every element of the first input. */
export function mapElements(context: OperatorContext, map: (value: number) => number): () => void {
  const { input, output } = sameOperands(context);
  const from = input.data as Float32Array;
  const to = output.data as Float32Array;
  return () => {
    for (let i = 0; i < to.length; i++) to[i] = map(from[i] as number);
  };
}

/** The same for 8 bits, through a table of 256 values. */
export function mapTable(context: OperatorContext, map: (value: number) => number): () => void {
  const { input, output } = sameOperands(context);
  return mapBytes(input, output, map);
}

/** SIMD block size of requantization. */
export const quantizeBlock = 16;

/** The same if SIMD blocks may round differently from the scalar code for the rest. */
export function mapBytesInBlocks(
  input: Operand,
  output: Operand,
  inBlocks: (value: number) => number,
  alone: (value: number) => number,
): () => void {
  const first = output.count - (output.count % quantizeBlock);
  const part = (operand: Operand, from: number, to: number): Operand =>
    ({ ...operand, data: operand.data.subarray(from, to) }) as Operand;
  const steps = [
    mapBytes(part(input, 0, first), part(output, 0, first), inBlocks),
    mapBytes(part(input, first, input.count), part(output, first, output.count), alone),
  ];
  return () => {
    for (const step of steps) step();
  };
}

/** From 8 bits to any integer type through a table; results are clamped to the type. */
export function mapBytes(input: Operand, output: Operand, map: (value: number) => number): () => void {
  const [lowest] = integerLimits(input);
  const [low, high] = integerLimits(output);
  const table = Int32Array.from({ length: 256 }, (_, i) => clamp(map(i + lowest), low, high));
  const from = input.data as Int8Array;
  const to = output.data as Int8Array;
  return () => {
    for (let i = 0; i < to.length; i++) to[i] = table[(from[i] as number) - lowest] as number;
  };
}
