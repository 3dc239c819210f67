// SHAPE, PACK and STRIDED_SLICE, which converters write to compute a reshape from a dynamic batch. They support every
// element type; STRIDED_SLICE is also used on data.

import { elementCount } from '../../formats/tflite/index.js';
import { resolveAxis } from './axes.js';
import {
  anyType,
  copyFamily,
  inputOf,
  invalid,
  type Operand,
  type OperatorContext,
  type OperatorFamily,
  optionsOf,
  outputOf,
  requireShape,
  requireType,
} from './operator.js';
import { forEachPosition, strides } from './positions.js';
import { gatherElements } from './rearrange.js';
import { whereKnown } from './shapes.js';

function prepareShape(context: OperatorContext): () => void {
  const input = inputOf(context, 0);
  const output = outputOf(context);
  const { data } = output;
  if (data instanceof BigInt64Array) return () => data.set(input.shape.map(BigInt));
  requireType(context, output, 'int32');
  return () => (data as Int32Array).set(input.shape);
}

function packAxis(context: OperatorContext): number {
  return resolveAxis(context, optionsOf(context, 'PackOptions').axis, inputOf(context, 0).shape.length + 1);
}

function preparePack(context: OperatorContext): () => void {
  const inputs = context.inputs.map((_, i) => inputOf(context, i));
  const output = outputOf(context);
  const first = inputOf(context, 0);
  const at = packAxis(context);
  for (const input of inputs) {
    requireShape(context, input, first.shape);
    requireType(context, input, output.type);
  }
  const inner = elementCount(first.shape.slice(at));
  const outer = elementCount(first.shape.slice(0, at));
  return () => {
    const to = output.data as Float32Array;
    for (let o = 0; o < outer; o++) {
      inputs.forEach((input, i) => {
        to.set((input.data as Float32Array).subarray(o * inner, (o + 1) * inner), (o * inputs.length + i) * inner);
      });
    }
  };
}

interface Slice {
  readonly start: number;
  readonly stride: number;
  readonly count: number;
  readonly dropped: boolean;
}

/** One slice per input dimension, following TFLite's StartForAxis and StopForAxis. */
function slicesOf(context: OperatorContext, input: Operand): Slice[] {
  const options = optionsOf(context, 'StridedSliceOptions');
  if (options.ellipsisMask !== 0 || options.newAxisMask !== 0)
    throw invalid(context, 'ellipsis and new-axis masks are not supported');
  const [begin, end, strides] = [1, 2, 3].map((i) => {
    const operand = inputOf(context, i);
    if (!operand.constant || !(operand.data instanceof Int32Array))
      throw invalid(context, `input ${i} must be constant int32`);
    if (operand.data.length > input.shape.length)
      throw invalid(context, `${operand.data.length} limits for ${input.shape.length} dimensions`);
    return operand.data;
  }) as [Int32Array, Int32Array, Int32Array];
  if (end.length !== begin.length || strides.length !== begin.length)
    throw invalid(context, 'begin, end and strides differ in length');
  return input.shape.map((size, d) => {
    const stride = strides[d] ?? 1;
    if (stride === 0) throw invalid(context, 'a stride of 0');
    const clampTo = (index: number): number => {
      const positive = index < 0 ? index + size : index;
      return stride > 0 ? Math.max(0, Math.min(size, positive)) : Math.max(-1, Math.min(size - 1, positive));
    };
    const whole = d >= begin.length;
    const start = whole || (options.beginMask >> d) & 1 ? (stride > 0 ? 0 : size - 1) : clampTo(begin[d] as number);
    if (!whole && (options.shrinkAxisMask >> d) & 1) {
      if (start < 0 || start >= size) throw invalid(context, `index ${begin[d]} of a dimension of ${size}`);
      return { start, stride: 1, count: 1, dropped: true };
    }
    const last = options.offset && !whole ? start + (end[d] as number) : (end[d] as number);
    const stop = whole || (options.endMask >> d) & 1 ? (stride > 0 ? size : -1) : clampTo(last);
    return { start, stride, count: Math.max(0, Math.ceil((stop - start) / stride)), dropped: false };
  });
}

const slicedShape = whereKnown(
  (context) => [
    slicesOf(context, inputOf(context, 0))
      .filter((slice) => !slice.dropped)
      .map((slice) => slice.count),
  ],
  ...[1, 2, 3],
);

function prepareStridedSlice(context: OperatorContext): () => void {
  const input = inputOf(context, 0);
  const output = outputOf(context);
  requireType(context, output, input.type);
  const slices = slicesOf(context, input);
  const stride = strides(input.shape);
  const positions = new Int32Array(output.count);
  const first = slices.reduce((sum, slice, d) => sum + slice.start * (stride[d] as number), 0);
  forEachPosition(
    slices.map(({ count }) => count),
    (position, index) => {
      positions[index] = position.reduce(
        (sum, at, d) => sum + at * (slices[d] as Slice).stride * (stride[d] as number),
        first,
      );
    },
  );
  return gatherElements(input, output, positions);
}

export const shape: OperatorFamily = {
  ...copyFamily('SHAPE', anyType, (context) => [[inputOf(context, 0).shape.length]], prepareShape),
  dependsOn: 'shapes',
};
export const pack = copyFamily(
  'PACK',
  anyType,
  (context) => [inputOf(context, 0).shape.toSpliced(packAxis(context), 0, context.inputs.length)],
  preparePack,
  {
    options: [8, 4],
  },
);
export const stridedSlice = copyFamily('STRIDED_SLICE', anyType, slicedShape, prepareStridedSlice, {
  options: [24, 4],
  persistent: [84],
});
