// Activations of Keras: functions by name, and the layers that apply them (keras.activations, keras.layers.activation).

import type { Attribute } from '../../../formats/source/index.js';
import * as emit from '../emit.js';
import type { GraphBuilder, Value } from '../graph-builder.js';
import { inputAt, type NodeReader } from '../node-reader.js';
import { axisOf, combined, mapped, type NdArray, softmaxOf } from '../reference/arrays.js';
import type { OperatorTable, SourceOperator } from '../source-operator.js';

/** An activation with its parameters bound. */
export interface Activation {
  readonly lower: (graph: GraphBuilder, x: Value) => Value;
  readonly evaluate: (x: NdArray) => NdArray;
}

/** An activation of each element by itself. */
function elementwise(lower: Activation['lower'], compute: (x: number) => number): Activation {
  return { lower, evaluate: (x) => mapped(x, compute) };
}

const sigmoidOf = (x: number): number => 1 / (1 + Math.exp(-x));
const softplusOf = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const clip = (x: number, low: number, high: number): number => Math.min(high, Math.max(low, x));

const relu = (graph: GraphBuilder, x: Value): Value => emit.plain(graph, 'RELU', x);
const relu6 = (graph: GraphBuilder, x: Value): Value => emit.plain(graph, 'RELU6', x);
const sigmoid = (graph: GraphBuilder, x: Value): Value => emit.plain(graph, 'LOGISTIC', x);
const tanh = (graph: GraphBuilder, x: Value): Value => emit.plain(graph, 'TANH', x);

/** log(1 + exp(x)) in a form that does not overflow: max(x, 0) + log(1 + exp(-|x|)). */
function softplus(graph: GraphBuilder, x: Value): Value {
  const small = emit.plain(graph, 'EXP', emit.plain(graph, 'NEG', emit.plain(graph, 'ABS', x)));
  const logarithm = emit.plain(graph, 'LOG', emit.add(graph, small, graph.scalar(1)));
  return emit.add(graph, logarithm, relu(graph, x));
}

/** Values within limits. */
function clipped(graph: GraphBuilder, x: Value, low: number, high: number): Value {
  const lower = low === 0 ? relu(graph, x) : emit.plain(graph, 'MAXIMUM', x, graph.scalar(low));
  return high === Infinity ? lower : emit.plain(graph, 'MINIMUM', lower, graph.scalar(high));
}

/** scale * (alpha * (exp(x) - 1)) below 0. ELU of the model has alpha 1. */
function scaledElu(scale: number, alpha: number): Activation {
  return elementwise(
    (graph, x) => {
      if (scale === 1 && alpha === 1) return emit.plain(graph, 'ELU', x);
      const positive = emit.multiply(graph, relu(graph, x), graph.scalar(scale));
      const negative = emit.plain(graph, 'ELU', emit.plain(graph, 'MINIMUM', x, graph.scalar(0)));
      return emit.add(graph, positive, emit.multiply(graph, negative, graph.scalar(scale * alpha)));
    },
    (x) => scale * (x > 0 ? x : alpha * Math.expm1(x)),
  );
}

/** max(x, slope * x) for slopes up to 1. */
export function leakyRelu(slope: number): Activation {
  return elementwise(
    (graph, x) => graph.add('LEAKY_RELU', [x], { options: { kind: 'LeakyReluOptions', alpha: slope } }),
    (x) => (x < 0 ? slope * x : x),
  );
}

/**
 * The error function to double precision: its Maclaurin series for small arguments, a continued fraction of its
 * complement for others (Abramowitz and Stegun 7.1.5, 7.1.14).
 */
export function errorFunction(x: number): number {
  const z = Math.abs(x);
  if (z > 6) return Math.sign(x);
  if (z < 2.5) {
    let [term, sum] = [z, z];
    for (let n = 1; n < 60; n++) {
      term *= (-z * z) / n;
      sum += term / (2 * n + 1);
    }
    return (Math.sign(x) * 2 * sum) / Math.sqrt(Math.PI);
  }
  let fraction = 0;
  for (let k = 60; k > 0; k--) fraction = k / 2 / (z + fraction);
  return Math.sign(x) * (1 - Math.exp(-z * z) / (Math.sqrt(Math.PI) * (z + fraction)));
}

export function gelu(approximate: boolean): Activation {
  return elementwise(
    (graph, x) => graph.add('GELU', [x], { options: { kind: 'GeluOptions', approximate } }),
    (x) =>
      approximate
        ? 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))
        : 0.5 * x * (1 + errorFunction(x / Math.SQRT2)),
  );
}

/** ReLU with all of its parameters. */
function reluWith(maximum: number, slope: number, threshold: number): Activation | null {
  const compute = (x: number): number => (x >= maximum ? maximum : x >= threshold ? x : slope * (x - threshold));
  if (threshold !== 0) return null;
  if (slope !== 0) {
    const leaky = leakyRelu(slope);
    return elementwise((graph, x) => {
      const y = leaky.lower(graph, x);
      return maximum === Infinity ? y : emit.plain(graph, 'MINIMUM', y, graph.scalar(maximum));
    }, compute);
  }
  if (maximum === 6) return elementwise(relu6, compute);
  return elementwise((graph, x) => clipped(graph, x, 0, maximum), compute);
}

export function softmax(axis: number): Activation {
  return {
    lower: (graph, x) => {
      const at = axisOf(axis, x.shape.length);
      const last = x.shape.length - 1;
      // The model's operator works along the last dimension.
      const order = x.shape.map((_, d) => (d === at ? last : d === last ? at : d));
      return emit.transpose(graph, emit.softmax(graph, emit.transpose(graph, x, order)), order);
    },
    evaluate: (x) => softmaxOf(x, axisOf(axis, x.shape.length)),
  };
}

const hardSigmoid3 = elementwise(
  (graph, x) => emit.multiply(graph, relu6(graph, emit.add(graph, x, graph.scalar(3))), graph.scalar(1 / 6)),
  (x) => clip(x + 3, 0, 6) / 6,
);
/** Keras before 3 has another slope. */
const hardSigmoid2 = elementwise(
  (graph, x) => {
    const line = emit.add(graph, emit.multiply(graph, x, graph.scalar(0.2)), graph.scalar(0.5));
    return clipped(graph, line, 0, 1);
  },
  (x) => clip(0.2 * x + 0.5, 0, 1),
);
const hardSwish = elementwise(
  (graph, x) => emit.plain(graph, 'HARD_SWISH', x),
  (x) => (x * clip(x + 3, 0, 6)) / 6,
);
const silu = elementwise(
  (graph, x) => emit.multiply(graph, x, sigmoid(graph, x)),
  (x) => x * sigmoidOf(x),
);
const linear: Activation = { lower: (_, x) => x, evaluate: (x) => x };

const selu = { alpha: 1.6732632423543772, scale: 1.0507009873554805 } as const;

/** By the names that configurations use. */
const functions: Readonly<Record<string, Activation>> = {
  linear,
  identity: linear,
  relu: elementwise(relu, (x) => Math.max(x, 0)),
  relu6: elementwise(relu6, (x) => clip(x, 0, 6)),
  sigmoid: elementwise(sigmoid, sigmoidOf),
  tanh: elementwise(tanh, Math.tanh),
  softmax: softmax(-1),
  elu: scaledElu(1, 1),
  selu: scaledElu(selu.scale, selu.alpha),
  celu: scaledElu(1, 1),
  silu,
  swish: silu,
  gelu: gelu(false),
  leaky_relu: leakyRelu(0.2),
  hard_silu: hardSwish,
  hard_swish: hardSwish,
  exponential: elementwise((graph, x) => emit.plain(graph, 'EXP', x), Math.exp),
  softplus: elementwise(softplus, softplusOf),
  softsign: elementwise(
    (graph, x) => emit.divide(graph, x, emit.add(graph, emit.plain(graph, 'ABS', x), graph.scalar(1))),
    (x) => x / (1 + Math.abs(x)),
  ),
  mish: elementwise(
    (graph, x) => emit.multiply(graph, x, tanh(graph, softplus(graph, x))),
    (x) => x * Math.tanh(softplusOf(x)),
  ),
  log_sigmoid: elementwise(
    (graph, x) => emit.plain(graph, 'NEG', softplus(graph, emit.plain(graph, 'NEG', x))),
    (x) => -softplusOf(-x),
  ),
  log_softmax: {
    lower: (graph, x) => graph.add('LOG_SOFTMAX', [x], { options: { kind: 'LogSoftmaxOptions' } }),
    evaluate: (x) => mapped(softmaxOf(x, x.shape.length - 1), Math.log),
  },
  hard_tanh: elementwise(
    (graph, x) => clipped(graph, x, -1, 1),
    (x) => clip(x, -1, 1),
  ),
  tanh_shrink: elementwise(
    (graph, x) => emit.subtract(graph, x, tanh(graph, x)),
    (x) => x - Math.tanh(x),
  ),
  soft_shrink: elementwise(
    (graph, x) => emit.subtract(graph, x, clipped(graph, x, -0.5, 0.5)),
    (x) => x - clip(x, -0.5, 0.5),
  ),
  squareplus: elementwise(
    (graph, x) => {
      const root = emit.plain(graph, 'SQRT', emit.add(graph, emit.multiply(graph, x, x), graph.scalar(4)));
      return emit.multiply(graph, emit.add(graph, x, root), graph.scalar(0.5));
    },
    (x) => (x + Math.sqrt(x * x + 4)) / 2,
  ),
};

/**
 * The activation that an attribute names: a text, or an object with a class and its configuration.
 * @throws CONVERT_LAYER for one that is not known
 */
export function activationOf(node: NodeReader, attribute = 'activation', byDefault = 'linear'): Activation {
  const value: Attribute = node.value(attribute) ?? byDefault;
  if (typeof value === 'object' && !Array.isArray(value)) {
    const { class_name: className, config } = value as { class_name?: Attribute; config?: Attribute };
    if (className === 'function' && typeof config === 'string') return activationNamed(node, config);
    const layer = typeof className === 'string' ? parametrized[className] : undefined;
    if (layer === undefined || typeof config !== 'object' || config === null || Array.isArray(config))
      throw node.invalid(attribute, value);
    return layer(node.part(config as Record<string, Attribute>));
  }
  if (typeof value !== 'string') throw node.invalid(attribute, value);
  return activationNamed(node, value);
}

/** @throws CONVERT_LAYER for a name that is not known */
export function activationNamed(node: NodeReader, name: string): Activation {
  const plainName = name.split('>').at(-1) ?? name;
  if (plainName === 'hard_sigmoid') return node.version < 3 ? hardSigmoid2 : hardSigmoid3;
  const found = functions[plainName];
  if (found === undefined) throw node.refused(`the activation ${JSON.stringify(name)} is not known`);
  return found;
}

/** Layers that apply an activation with parameters. */
const parametrized: Readonly<Record<string, (node: NodeReader) => Activation>> = {
  Activation: (node) => activationOf(node),
  ReLU: (node) => {
    const maximum = node.has('max_value') ? node.number('max_value', Infinity) : Infinity;
    const threshold = node.number('threshold', 0);
    const activation = reluWith(maximum, node.number('negative_slope', 0), threshold);
    if (activation === null) throw node.refused(`its threshold is ${threshold}, not 0`);
    return activation;
  },
  LeakyReLU: (node) => leakyRelu(node.number('negative_slope', node.number('alpha', 0.3))),
  ELU: (node) => scaledElu(1, node.number('alpha', 1)),
  Softmax: (node) => softmax(node.integer('axis', -1)),
};

/** A layer that applies an activation to its only input. */
export function activationLayer(of: (node: NodeReader) => Activation): SourceOperator {
  return {
    lower: (node, inputs, graph) => [of(node).lower(graph, inputAt(node, inputs, 0))],
    evaluate: (node, inputs) => [of(node).evaluate(inputAt(node, inputs, 0))],
  };
}

const prelu: SourceOperator = {
  lower: (node, inputs, graph) => {
    const alpha = node.floats(0, node.weightShape(0));
    return [emit.plain(graph, 'PRELU', inputAt(node, inputs, 0), emit.constantOf(graph, alpha, 'alpha'))];
  },
  evaluate: (node, inputs) => {
    const alpha = node.floats(0, node.weightShape(0));
    return [combined(inputAt(node, inputs, 0), alpha, (x, slope) => (x < 0 ? slope * x : x))];
  },
};

export const activationLayers: OperatorTable = {
  ...Object.fromEntries(Object.entries(parametrized).map(([name, of]) => [name, activationLayer(of)])),
  PReLU: prelu,
};
