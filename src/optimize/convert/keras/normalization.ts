// Normalizations of Keras. Batch normalization of a trained model is a factor and a summand for each channel.

import { elementAt } from '../../../base/checked.js';
import * as emit from '../emit.js';
import type { GraphBuilder, Value } from '../graph-builder.js';
import { inputAt, type NodeReader } from '../node-reader.js';
import { axisOf, combined, floats, folds, mapped, type NdArray, reduced, reshaped } from '../reference/arrays.js';
import type { OperatorTable, SourceOperator } from '../source-operator.js';

/** The only axis that an attribute names, from 0. Keras 2 stores it as a list. */
function axisAttribute(node: NodeReader, rank: number): number {
  const value = node.value('axis') ?? -1;
  const axis = Array.isArray(value) && value.length === 1 ? value[0] : value;
  if (typeof axis !== 'number' || !Number.isInteger(axis) || axis < -rank || axis >= rank)
    throw node.invalid('axis', value);
  return axisOf(axis, rank);
}

/** A shape of ones but for some axes. */
function alongAxes(shape: readonly number[], axes: readonly number[]): number[] {
  return shape.map((size, d) => (axes.includes(d) ? size : 1));
}

/** Factors and summands along an axis, as operands that broadcast. */
function affineValues(graph: GraphBuilder, x: Value, axis: number, factors: NdArray, summands: NdArray | null): Value {
  const isLast = axis === x.shape.length - 1;
  const operand = (array: NdArray, name: string): Value =>
    emit.constantOf(graph, isLast ? array : reshaped(array, alongAxes(x.shape, [axis])), name);
  const scaled = emit.multiply(graph, x, operand(factors, 'scale'));
  return summands === null ? scaled : emit.add(graph, scaled, operand(summands, 'offset'));
}

/** The statistics and parameters of a batch normalization; gamma is 1 and beta 0 where the layer has none. */
function batchParameters(node: NodeReader, channels: number) {
  const hasScale = node.flag('scale', true);
  const hasCenter = node.flag('center', true);
  const epsilon = node.number('epsilon', 0.001);
  let position = 0;
  const gamma = hasScale ? node.floats(position++, [channels]) : floats([channels], new Float32Array(channels).fill(1));
  const beta = hasCenter ? node.floats(position++, [channels]) : floats([channels]);
  const mean = node.floats(position++, [channels]);
  const variance = node.floats(position, [channels]);
  return { gamma, beta, mean, variance, epsilon };
}

const batchNormalization: SourceOperator = {
  lower: (node, inputs, graph) => {
    const x = inputAt(node, inputs, 0);
    const axis = axisAttribute(node, x.shape.length);
    const { gamma, beta, mean, variance, epsilon } = batchParameters(node, elementAt(x.shape, axis));
    const factors = combined(gamma, variance, (g, v) => g / Math.sqrt(v + epsilon));
    const shifts = combined(mean, factors, (m, factor) => m * factor);
    return [
      affineValues(
        graph,
        x,
        axis,
        factors,
        combined(beta, shifts, (b, shift) => b - shift),
      ),
    ];
  },
  evaluate: (node, inputs) => {
    const x = inputAt(node, inputs, 0);
    const axis = axisAttribute(node, x.shape.length);
    const { gamma, beta, mean, variance, epsilon } = batchParameters(node, elementAt(x.shape, axis));
    const along = (array: NdArray): NdArray => reshaped(array, alongAxes(x.shape, [axis]));
    const centered = combined(x, along(mean), (value, m) => value - m);
    const divided = combined(centered, along(variance), (value, v) => value / Math.sqrt(v + epsilon));
    return [
      combined(
        combined(divided, along(gamma), (a, b) => a * b),
        along(beta),
        (a, b) => a + b,
      ),
    ];
  },
};

/** The axes of a layer normalization, ascending. */
function layerAxes(node: NodeReader, rank: number): number[] {
  const value = node.value('axis') ?? -1;
  const list = Array.isArray(value) ? value : [value];
  return list
    .map((axis) => {
      if (typeof axis !== 'number' || !Number.isInteger(axis) || axis < -rank || axis >= rank)
        throw node.invalid('axis', value);
      return axisOf(axis, rank);
    })
    .sort((a, b) => a - b);
}

/** (x - mean) / sqrt(variance + epsilon) over some axes. */
function standardized(graph: GraphBuilder, x: Value, axes: readonly number[], epsilon: number): Value {
  const centered = emit.subtract(graph, x, emit.reduce(graph, 'MEAN', x, axes, true));
  return overRoot(graph, centered, axes, epsilon);
}

/** x / sqrt(mean of squares + epsilon). */
function overRoot(graph: GraphBuilder, x: Value, axes: readonly number[], epsilon: number): Value {
  const power = emit.reduce(graph, 'MEAN', emit.multiply(graph, x, x), axes, true);
  return emit.multiply(graph, x, emit.plain(graph, 'RSQRT', emit.add(graph, power, graph.scalar(epsilon))));
}

function standardizedArray(x: NdArray, axes: readonly number[], epsilon: number): NdArray {
  const centered = combined(x, reduced(x, axes, true, folds.mean), (a, b) => a - b);
  return overRootArray(centered, axes, epsilon);
}

function overRootArray(x: NdArray, axes: readonly number[], epsilon: number): NdArray {
  const power = reduced(
    mapped(x, (value) => value * value),
    axes,
    true,
    folds.mean,
  );
  return combined(x, power, (value, p) => value / Math.sqrt(p + epsilon));
}

/** Gamma and beta of a normalization over some axes; null where it has none. */
function layerParameters(
  node: NodeReader,
  shape: readonly number[],
  axes: readonly number[],
  hasScale: boolean,
  hasCenter: boolean,
) {
  const sizes = axes.map((axis) => elementAt(shape, axis));
  const gamma = hasScale ? reshaped(node.floats(0, sizes), alongAxes(shape, axes)) : null;
  const beta = hasCenter ? reshaped(node.floats(hasScale ? 1 : 0, sizes), alongAxes(shape, axes)) : null;
  return { gamma, beta };
}

/** The dimensions of 1 before the first that broadcasts are not needed. */
function withoutLeadingOnes(array: NdArray): NdArray {
  const first = array.shape.findIndex((size) => size !== 1);
  return reshaped(array, first < 0 ? [1] : array.shape.slice(first));
}

function scaleAndShift(graph: GraphBuilder, x: Value, gamma: NdArray | null, beta: NdArray | null): Value {
  const scaled =
    gamma === null ? x : emit.multiply(graph, x, emit.constantOf(graph, withoutLeadingOnes(gamma), 'gamma'));
  return beta === null ? scaled : emit.add(graph, scaled, emit.constantOf(graph, withoutLeadingOnes(beta), 'beta'));
}

function scaleAndShiftArray(x: NdArray, gamma: NdArray | null, beta: NdArray | null): NdArray {
  const scaled = gamma === null ? x : combined(x, gamma, (a, b) => a * b);
  return beta === null ? scaled : combined(scaled, beta, (a, b) => a + b);
}

const layerNormalization: SourceOperator = {
  lower: (node, inputs, graph) => {
    const x = inputAt(node, inputs, 0);
    const axes = layerAxes(node, x.shape.length);
    const isRms = node.flag('rms_scaling', false);
    const { gamma, beta } = layerParameters(
      node,
      x.shape,
      axes,
      isRms || node.flag('scale', true),
      !isRms && node.flag('center', true),
    );
    const epsilon = node.number('epsilon', 0.001);
    if (isRms) throw node.refused('it has rms_scaling');
    return [scaleAndShift(graph, standardized(graph, x, axes, epsilon), gamma, beta)];
  },
  evaluate: (node, inputs) => {
    const x = inputAt(node, inputs, 0);
    const axes = layerAxes(node, x.shape.length);
    const { gamma, beta } = layerParameters(node, x.shape, axes, node.flag('scale', true), node.flag('center', true));
    return [scaleAndShiftArray(standardizedArray(x, axes, node.number('epsilon', 0.001)), gamma, beta)];
  },
};

const rmsNormalization: SourceOperator = {
  lower: (node, inputs, graph) => {
    const x = inputAt(node, inputs, 0);
    const axes = layerAxes(node, x.shape.length);
    const { gamma } = layerParameters(node, x.shape, axes, true, false);
    return [scaleAndShift(graph, overRoot(graph, x, axes, node.number('epsilon', 1e-6)), gamma, null)];
  },
  evaluate: (node, inputs) => {
    const x = inputAt(node, inputs, 0);
    const axes = layerAxes(node, x.shape.length);
    const { gamma } = layerParameters(node, x.shape, axes, true, false);
    return [scaleAndShiftArray(overRootArray(x, axes, node.number('epsilon', 1e-6)), gamma, null)];
  },
};

/** The input in groups of channels: [batch, positions, groups, channels of a group]. */
function groupedShape(node: NodeReader, shape: readonly number[]): number[] {
  const rank = shape.length;
  if (axisAttribute(node, rank) !== rank - 1) throw node.refused('its axis is not the last one');
  const channels = elementAt(shape, rank - 1);
  const groups = node.integer('groups', 32) === -1 ? channels : node.integer('groups', 32);
  if (groups < 1 || channels % groups !== 0) throw node.refused(`${groups} groups do not fit ${channels} channels`);
  const positions = shape.slice(1, -1).reduce((product, size) => product * size, 1);
  return [elementAt(shape, 0), positions, groups, channels / groups];
}

const groupNormalization: SourceOperator = {
  lower: (node, inputs, graph) => {
    const x = inputAt(node, inputs, 0);
    const grouped = emit.reshape(graph, x, groupedShape(node, x.shape));
    const normal = emit.reshape(graph, standardized(graph, grouped, [1, 3], node.number('epsilon', 0.001)), x.shape);
    const last = [x.shape.length - 1];
    const { gamma, beta } = layerParameters(node, x.shape, last, node.flag('scale', true), node.flag('center', true));
    return [scaleAndShift(graph, normal, gamma, beta)];
  },
  evaluate: (node, inputs) => {
    const x = inputAt(node, inputs, 0);
    const grouped = reshaped(x, groupedShape(node, x.shape));
    const normal = reshaped(standardizedArray(grouped, [1, 3], node.number('epsilon', 0.001)), x.shape);
    const last = [x.shape.length - 1];
    const { gamma, beta } = layerParameters(node, x.shape, last, node.flag('scale', true), node.flag('center', true));
    return [scaleAndShiftArray(normal, gamma, beta)];
  },
};

/** keras.layers.UnitNormalization: x / sqrt(max(sum of squares, 1e-12)). */
const leastPower = 1e-12;

const unitNormalization: SourceOperator = {
  lower: (node, inputs, graph) => {
    const x = inputAt(node, inputs, 0);
    const axes = layerAxes(node, x.shape.length);
    const power = emit.reduce(graph, 'SUM', emit.multiply(graph, x, x), axes, true);
    const bounded = emit.plain(graph, 'MAXIMUM', power, graph.scalar(leastPower));
    return [emit.multiply(graph, x, emit.plain(graph, 'RSQRT', bounded))];
  },
  evaluate: (node, inputs) => {
    const x = inputAt(node, inputs, 0);
    const axes = layerAxes(node, x.shape.length);
    const power = reduced(
      mapped(x, (value) => value * value),
      axes,
      true,
      folds.sum,
    );
    return [combined(x, power, (value, sum) => value / Math.sqrt(Math.max(sum, leastPower)))];
  },
};

/** x * scale + offset with numbers, or lists along the last axis. */
function rescalingParameters(node: NodeReader) {
  const list = (name: string, byDefault: number): NdArray => {
    const value = node.value(name) ?? byDefault;
    const values = Array.isArray(value) ? value : [value];
    if (!values.every((one): one is number => typeof one === 'number')) throw node.invalid(name, value);
    return floats(Array.isArray(value) ? [values.length] : [], Float32Array.from(values));
  };
  return { scale: list('scale', 1), offset: list('offset', 0) };
}

const rescaling: SourceOperator = {
  lower: (node, inputs, graph) => {
    const x = inputAt(node, inputs, 0);
    const { scale, offset } = rescalingParameters(node);
    const isTrivial = (array: NdArray, value: number): boolean => array.data.every((one) => Number(one) === value);
    const scaled = isTrivial(scale, 1) ? x : emit.multiply(graph, x, emit.constantOf(graph, scale, 'scale'));
    return [isTrivial(offset, 0) ? scaled : emit.add(graph, scaled, emit.constantOf(graph, offset, 'offset'))];
  },
  evaluate: (node, inputs) => {
    const { scale, offset } = rescalingParameters(node);
    const scaled = combined(inputAt(node, inputs, 0), scale, (a, b) => a * b);
    return [combined(scaled, offset, (a, b) => a + b)];
  },
};

/** Mean and standard deviation of a Normalization layer, from its weights or its configuration. */
function normalizationStatistics(node: NodeReader, shape: readonly number[]) {
  const rank = shape.length;
  const value = node.value('axis');
  const axes = value === null ? [] : layerAxes(node, rank);
  const along = alongAxes(shape, axes);
  const sizes = axes.map((axis) => elementAt(shape, axis));
  const given = (name: string): NdArray | null => {
    const numbers = node.value(name);
    if (numbers === undefined || numbers === null) return null;
    const list = [numbers].flat(8) as unknown[];
    if (!list.every((one): one is number => typeof one === 'number')) throw node.invalid(name, numbers);
    const count = along.reduce((product, size) => product * size, 1);
    if (list.length !== 1 && list.length !== count)
      throw node.refused(`${name} has ${list.length} values instead of ${count}`);
    return list.length === 1 ? floats([1], Float32Array.from(list)) : floats(along, Float32Array.from(list));
  };
  const mean = given('mean') ?? reshaped(node.floats(0, sizes), along);
  const variance = given('variance') ?? reshaped(node.floats(1, sizes), along);
  // keras.layers.Normalization divides by max(sqrt(variance), epsilon), epsilon being 1e-7.
  return { mean, deviation: mapped(variance, (v) => Math.max(Math.sqrt(v), 1e-7)) };
}

const normalization: SourceOperator = {
  lower: (node, inputs, graph) => {
    const x = inputAt(node, inputs, 0);
    const { mean, deviation } = normalizationStatistics(node, x.shape);
    const operand = (array: NdArray, name: string): Value => emit.constantOf(graph, withoutLeadingOnes(array), name);
    if (node.flag('invert', false)) {
      const scaled = emit.multiply(graph, x, operand(deviation, 'deviation'));
      return [emit.add(graph, scaled, operand(mean, 'mean'))];
    }
    const centered = emit.subtract(graph, x, operand(mean, 'mean'));
    return [
      emit.multiply(
        graph,
        centered,
        operand(
          mapped(deviation, (value) => 1 / value),
          'scale',
        ),
      ),
    ];
  },
  evaluate: (node, inputs) => {
    const x = inputAt(node, inputs, 0);
    const { mean, deviation } = normalizationStatistics(node, x.shape);
    if (node.flag('invert', false))
      return [
        combined(
          combined(x, deviation, (a, b) => a * b),
          mean,
          (a, b) => a + b,
        ),
      ];
    return [
      combined(
        combined(x, mean, (a, b) => a - b),
        deviation,
        (a, b) => a / b,
      ),
    ];
  },
};

/** ConvNeXt's factor for each channel (keras.applications.convnext). */
const layerScale: SourceOperator = {
  lower: (node, inputs, graph) => {
    const x = inputAt(node, inputs, 0);
    const gamma = node.floats(0, [elementAt(x.shape, x.shape.length - 1)]);
    return [emit.multiply(graph, x, emit.constantOf(graph, gamma, 'gamma'))];
  },
  evaluate: (node, inputs) => {
    const x = inputAt(node, inputs, 0);
    return [combined(x, node.floats(0, [elementAt(x.shape, x.shape.length - 1)]), (a, b) => a * b)];
  },
};

export const normalizationLayers: OperatorTable = {
  BatchNormalization: batchNormalization,
  BatchNormalizationV1: batchNormalization,
  SyncBatchNormalization: batchNormalization,
  LayerNormalization: layerNormalization,
  RMSNormalization: rmsNormalization,
  GroupNormalization: groupNormalization,
  UnitNormalization: unitNormalization,
  Rescaling: rescaling,
  Normalization: normalization,
  LayerScale: layerScale,
};
