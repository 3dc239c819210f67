// BATCH_MATMUL: the last two dimensions are matrices, the others broadcast. int8, int16: TFLite
// reference_ops::BatchMatMul.

import { elementCount } from '../../formats/tflite/index.js';
import { quantizeMultiplier } from '../arithmetic/fixed-point.js';
import { clamp, integerLimits } from './activation.js';
import {
  byType,
  inputOf,
  invalid,
  type Operand,
  type OperatorContext,
  type OperatorFamily,
  optionsOf,
  outputOf,
  quantizationOf,
  requireType,
} from './operator.js';

interface Matmul {
  readonly left: Operand;
  readonly right: Operand;
  readonly output: Operand;
  /** The output's. */
  readonly shape: readonly number[];
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  readonly products: number;
  /** Index of the first element of both matrices. */
  readonly starts: (product: number) => readonly [number, number];
  /** Strides along rows and depth of the left matrix, along columns and depth of the right one. */
  readonly leftStride: readonly [number, number];
  readonly rightStride: readonly [number, number];
}

function matmulOf(context: OperatorContext): Matmul {
  const [left, right, output] = [inputOf(context, 0), inputOf(context, 1), outputOf(context)];
  const { adjX, adjY } = optionsOf(context, 'BatchMatMulOptions');
  if (left.shape.length < 2 || right.shape.length < 2)
    throw invalid(context, 'its inputs must have at least two dimensions');
  const [leftRows, leftColumns] = left.shape.slice(-2) as [number, number];
  const [rightRows, rightColumns] = right.shape.slice(-2) as [number, number];
  const [rows, depth] = adjX ? [leftColumns, leftRows] : [leftRows, leftColumns];
  const [rightDepth, columns] = adjY ? [rightColumns, rightRows] : [rightRows, rightColumns];
  if (depth !== rightDepth) throw invalid(context, `matrices of depth ${depth} and ${rightDepth}`);
  const rank = Math.max(left.shape.length, right.shape.length) - 2;
  const batch = (operand: Operand, d: number): number => operand.shape[d - rank + operand.shape.length - 2] ?? 1;
  const batches = Array.from({ length: rank }, (_, d) => Math.max(batch(left, d), batch(right, d)));
  if (batches.some((size, d) => [left, right].some((operand) => ![1, size].includes(batch(operand, d)))))
    throw invalid(context, 'batches that do not broadcast');
  const startOf = (operand: Operand, index: number): number => {
    let [at, stride, rest] = [0, operand.shape.slice(-2).reduce((a, b) => a * b, 1), index];
    for (let d = rank - 1; d >= 0; d--) {
      const position = rest % (batches[d] as number);
      rest = Math.floor(rest / (batches[d] as number));
      if (batch(operand, d) !== 1) at += position * stride;
      stride *= batch(operand, d);
    }
    return at;
  };
  return {
    left,
    right,
    output,
    shape: [...batches, rows, columns],
    rows,
    columns,
    depth,
    products: elementCount(batches),
    starts: (product) => [startOf(left, product), startOf(right, product)],
    leftStride: adjX ? [1, leftColumns] : [leftColumns, 1],
    rightStride: adjY ? [rightColumns, 1] : [1, rightColumns],
  };
}

function prepareWith(
  { left, right, output, rows, columns, depth, products, starts, leftStride, rightStride }: Matmul,
  multiplyAdd: (sum: number, x: number, y: number) => number,
  finish: (sum: number) => number,
): () => void {
  const [a, b, to] = [left.data, right.data, output.data] as [Float32Array, Float32Array, Float32Array];
  return () => {
    let index = 0;
    for (let product = 0; product < products; product++) {
      const [leftStart, rightStart] = starts(product);
      for (let r = 0; r < rows; r++) {
        for (let c = 0; c < columns; c++) {
          let sum = 0;
          for (let k = 0; k < depth; k++) {
            const x = a[leftStart + r * leftStride[0] + k * leftStride[1]] as number;
            sum = multiplyAdd(sum, x, b[rightStart + c * rightStride[0] + k * rightStride[1]] as number);
          }
          to[index++] = finish(sum);
        }
      }
    }
  };
}

const { fround } = Math;

function prepareFloat(context: OperatorContext): () => void {
  const matmul = matmulOf(context);
  requireType(context, matmul.right, 'float32');
  requireType(context, matmul.output, 'float32');
  return prepareWith(
    matmul,
    (sum, x, y) => fround(sum + fround(x * y)),
    (sum) => sum,
  );
}

function prepareInteger(context: OperatorContext): () => void {
  const matmul = matmulOf(context);
  const { left, right, output } = matmul;
  requireType(context, right, left.type);
  requireType(context, output, left.type);
  const [ql, qr, qo] = [quantizationOf(context, left), quantizationOf(context, right), quantizationOf(context, output)];
  const { multiplier, shift } = quantizeMultiplier(fround(ql.scale * qr.scale) / qo.scale);
  const [low, high] = integerLimits(output);
  const { requantize, requantizeWide } = context.arithmetic;
  const wide = left.type === 'int16';
  return prepareWith(
    matmul,
    wide
      ? (sum, x, y) => sum + (x - ql.zeroPoint) * (y - qr.zeroPoint)
      : (sum, x, y) => (sum + (x - ql.zeroPoint) * (y - qr.zeroPoint)) | 0,
    (sum) => clamp((wide ? requantizeWide : requantize)(sum, multiplier, shift) + qo.zeroPoint, low, high),
  );
}

export const batchMatmul: OperatorFamily = {
  name: 'BATCH_MATMUL',
  types: ['float32', 'int8', 'int16'],
  shapes: (context) => [matmulOf(context).shape],
  prepare: (context) =>
    byType(context, inputOf(context, 0), { float32: prepareFloat, int8: prepareInteger, int16: prepareInteger })(
      context,
    ),
  work: (context) => {
    const { rows, columns, depth, products } = matmulOf(context);
    return { kind: 'fullyConnected', macs: products * rows * columns * depth };
  },
  memory: () => ({ options: [3, 1], persistent: [48] }),
};
