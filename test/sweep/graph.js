// A model that grows operator by operator, valid by construction.

import { buildGraphs, count } from '../fixtures/operators/build.js';
import { randomFrom } from './random.js';

const limits = { int8: [-128, 127], uint8: [0, 255], int16: [-32768, 32767] };
const arrays = {
  float32: Float32Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  bool: Uint8Array,
};
const maxElements = 6000;

export const isQuantized = (type) => type in limits;

/** A graph of one main element type; `styles` say how scales are drawn. */
export class RandomGraph {
  tensors = [];
  operators = [];
  inputs = [];
  /** What operators may read: activations with their type, shape and quantization. */
  values = [];

  /**
   * @param {number} seed
   * @param {{
   *   type: 'float32' | 'int8' | 'uint8' | 'int16',
   *   style: 'realistic' | 'extreme',
   *   weightKind: 'float32' | 'float16' | 'int8',
   *   runtimes: ('tflm' | 'tflite')[],
   * }} choice type of the activations, style of the scales, type of the weights in float graphs, runtimes for the graph
   */
  constructor(seed, { type, style, weightKind, runtimes }) {
    this.random = randomFrom(seed);
    this.type = type;
    this.style = style;
    this.weightKind = weightKind;
    this.isFor = (runtime) => runtimes.includes(runtime);
    this.batches = this.random.pick([1, 1, 1, 2, 3]);
  }

  /** A scale for values of a magnitude: of the same order, or of any. */
  scaleNear(magnitude) {
    const { random } = this;
    if (random.chance(0.15)) return magnitude;
    if (this.style === 'extreme' && random.chance(0.5))
      return Math.min(1e6, Math.max(1e-8, magnitude * 2 ** random.whole(-14, 14)));
    if (random.chance(0.15)) return magnitude * 2 ** random.whole(-2, 2);
    return magnitude * random.logarithmic(0.3, 3);
  }

  zeroOf(type) {
    if (type === 'int16' || type === 'float32') return 0;
    const [low, high] = limits[type];
    return this.random.pick([
      low,
      high,
      type === 'uint8' ? 128 : 0,
      this.random.whole(low, high),
      this.random.whole(low, high),
    ]);
  }

  /** Quantization of an activation of a type around a scale; nothing for types that have none. */
  quantized(type, magnitude = type === 'int16' ? 3e-4 : 0.05) {
    return isQuantized(type) ? { scale: this.scaleNear(magnitude), zero: this.zeroOf(type) } : {};
  }

  /** Elements of a type: over the whole range, or small. */
  elements(type, shape, [low, high] = limits[type] ?? [-4, 4]) {
    const { random } = this;
    const length = count(shape);
    if (type === 'float32') {
      const size = random.logarithmic(0.1, 10);
      return Float32Array.from({ length }, () => random.bell() * size);
    }
    if (type === 'bool') return Uint8Array.from({ length }, () => random.whole(0, 1));
    const make = arrays[type];
    const [from, to] = random.chance(0.2)
      ? [Math.max(low, -9), Math.max(Math.max(low, -9), Math.min(high, 9))]
      : [low, high];
    return make.from({ length }, () =>
      make === BigInt64Array ? BigInt(random.whole(from, to)) : random.whole(from, to),
    );
  }

  /** Adds a tensor without saying where its elements come from. */
  place(tensor) {
    this.tensors.push(tensor);
    return { ...tensor, index: this.tensors.length - 1 };
  }

  /** An input of the model, with what it is fed. */
  feed(type, shape, quantization = this.quantized(type), range = undefined) {
    const operand = this.place({ type, shape, ...quantization });
    this.inputs.push({ index: operand.index, data: this.elements(type, shape, range) });
    if (type === this.type && shape.length > 0) this.values.push(operand);
    return operand;
  }

  constant(type, shape, data, rest = {}) {
    return this.place({ type, shape, data, ...rest });
  }

  ints(values, shape = [values.length]) {
    return this.constant('int32', shape, Int32Array.from(values));
  }

  /** An activation of the main type, mostly a late one; a new input where there is none of the shape wanted. */
  take({ rank = null, where = () => true, shape = null } = {}) {
    const fits = this.values.filter(
      (value) =>
        (rank === null || value.shape.length === rank) && (shape === null || same(shape, value.shape)) && where(value),
    );
    if (fits.length > 0 && !this.random.chance(0.12))
      return this.random.chance(0.7) ? fits.at(-1) : this.random.pick(fits);
    return this.feed(this.type, shape ?? this.newShape(rank));
  }

  newShape(rank = null) {
    const { random } = this;
    const sizes = {
      1: () => [random.whole(1, 40)],
      2: () => [this.batches, random.whole(1, 40)],
      3: () => [this.batches, random.whole(1, 9), random.whole(1, 20)],
    };
    const four = () => [
      this.batches,
      random.whole(1, 11),
      random.whole(1, 11),
      random.pick([1, 2, 3, 4, 5, 7, 8, 9, 16, 17]),
    ];
    return (
      sizes[rank ?? random.pick([2, 3, 4, 4])] ??
      (rank === 5 ? () => [this.batches, ...four().slice(1), random.whole(1, 3)] : four)
    )();
  }

  /**
   * Appends an operator; its outputs become activations where they are of the main type.
   * @param {(object | null)[]} operands from `take`, `feed` or `constant`; null is an operand left out
   * @param {object[]} outputs type, shape and quantization of each
   */
  apply(op, operands, outputs, { options = null, version = 1 } = {}) {
    const placed = outputs.map((output) => this.place(output));
    this.operators.push({
      op,
      version,
      options,
      inputs: operands.map((operand) => operand?.index ?? -1),
      outputs: placed.map(({ index }) => index),
    });
    for (const output of placed) {
      output.produced = true;
      if (
        output.type === this.type &&
        output.shape.length > 0 &&
        count(output.shape) <= maxElements &&
        count(output.shape) > 0
      )
        this.values.push(output);
    }
    return placed;
  }

  /** The file and what its inputs are fed; every result that nothing reads is an output. */
  model() {
    const read = new Set(this.operators.flatMap(({ inputs }) => inputs));
    const outputs = this.operators.flatMap((operator) => operator.outputs).filter((index) => !read.has(index));
    const inputs = this.inputs.map(({ index }) => index);
    const bytes = buildGraphs([{ tensors: this.tensors, operators: this.operators, inputs, outputs }], 'sweep');
    return {
      model: bytes,
      inputs: this.inputs.map(({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
      produced: this.operators.flatMap((operator) => operator.outputs),
    };
  }
}

function same(a, b) {
  return a.length === b.length && a.every((size, d) => size === b[d]);
}
