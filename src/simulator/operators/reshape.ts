// RESHAPE, SQUEEZE and EXPAND_DIMS: the same elements with another shape. DENSIFY: the elements of a sparse constant,
// which are expanded when the model is bound.

import { resolveAxis } from './axes.js';
import {
  anyType,
  copyFamily,
  inputOf,
  invalid,
  type OperatorContext,
  optionsOf,
  outputOf,
  requireType,
  type ShapeRule,
} from './operator.js';
import { knownIntegers, sameShape } from './shapes.js';

function prepare(context: OperatorContext): () => void {
  const input = inputOf(context, 0);
  const output = outputOf(context);
  requireType(context, output, input.type);
  if (input.count !== output.count)
    throw invalid(context, `${input.count} elements do not fit shape [${output.shape.join(', ')}]`);
  const from = input.data as Float32Array;
  const to = output.data as Float32Array;
  return () => to.set(from);
}

/** The second input has priority over the options; -1 is computed. */
const reshaped: ShapeRule = (context) => {
  const asked =
    context.inputs[1] == null
      ? Array.from(optionsOf(context, 'ReshapeOptions').newShape ?? [])
      : knownIntegers(inputOf(context, 1));
  if (asked === null) return null;
  // Older converters write a scalar this way.
  if (context.inputs[1] == null && asked.length === 1 && asked[0] === 0) return [[]];
  const { count } = inputOf(context, 0);
  const free = asked.indexOf(-1);
  const rest = asked.reduce((product, size, d) => (d === free ? product : product * size), 1);
  const shape = free < 0 ? asked : asked.with(free, count / rest);
  if (shape.some((size) => !Number.isInteger(size) || size < 0) || (free < 0 && rest !== count)) {
    throw invalid(context, `${count} elements do not fit shape [${asked.join(', ')}]`);
  }
  return [shape];
};

/** Removes dimensions of 1: those in the options, or all. */
const squeezed: ShapeRule = (context) => {
  const { shape } = inputOf(context, 0);
  const dims = Array.from(optionsOf(context, 'SqueezeOptions').squeezeDims ?? [], (axis) =>
    resolveAxis(context, axis, shape.length),
  );
  const stays = dims.find((axis) => shape[axis] !== 1);
  if (stays !== undefined) throw invalid(context, `dimension ${stays} is ${shape[stays]}, not 1`);
  return [shape.filter((size, d) => size !== 1 || (dims.length > 0 && !dims.includes(d)))];
};

const expanded: ShapeRule = (context) => {
  const axis = knownIntegers(inputOf(context, 1))?.[0];
  const { shape } = inputOf(context, 0);
  return axis === undefined ? null : [shape.toSpliced(resolveAxis(context, axis, shape.length + 1), 0, 1)];
};

export const reshape = copyFamily('RESHAPE', anyType, reshaped, prepare, { options: [36, 4] });
export const squeeze = copyFamily('SQUEEZE', anyType, squeezed, prepare, { options: [36, 4] });
export const densify = copyFamily('DENSIFY', ['float32', 'float16', 'int8'], sameShape, prepare);
export const expandDims = copyFamily('EXPAND_DIMS', anyType, expanded, prepare);
