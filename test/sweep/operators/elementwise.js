// Operators that compute each element on its own, or from two operands that broadcast.
import { count } from '../../fixtures/operators/build.js';
import { isQuantized } from '../graph.js';

const activation = (g) => g.random.pick([0, 0, 1, 2, 3]);
const only = (...types) => ({ tflm: types, tflite: types });

/** A second operand that broadcasts against a shape, or the other way round. */
function broadcastPair(g) {
  const { random } = g;
  const first = g.take();
  const kind = random.pick(['same', 'same', 'scalar', 'one', 'suffix', 'ones', 'ones', 'outer']);
  let shape = first.shape;
  if (kind === 'scalar') shape = [];
  if (kind === 'one') shape = [1];
  if (kind === 'suffix') shape = first.shape.slice(random.whole(0, first.shape.length - 1));
  if (kind === 'ones') shape = first.shape.map((size) => (random.chance(0.5) ? 1 : size));
  if (kind === 'outer')
    shape = first.shape.map((size) => (size === 1 ? random.whole(1, 4) : random.chance(0.3) ? 1 : size));
  return { first, shape };
}

const joined = (a, b) => {
  const rank = Math.max(a.length, b.length);
  const at = (shape, d) => shape[d - rank + shape.length] ?? 1;
  return Array.from({ length: rank }, (_, d) => Math.max(at(a, d), at(b, d)));
};

/** Two operands and the magnitude of what a combination of their values is like. */
function pair(op, kind, types, magnitudeOf, { version = 2, alike = false, options = {}, range } = {}) {
  const make = (g) => {
    const { random } = g;
    const { first, shape } = broadcastPair(g);
    const shared = alike && isQuantized(g.type) ? { scale: first.scale, zero: first.zero } : undefined;
    const quantization = shared ?? g.quantized(g.type, first.scale);
    const others = g.values.filter(
      (value) =>
        joined(first.shape, value.shape).every((size) => size > 0) && value.shape.join() === shape.join() && !alike,
    );
    const second =
      others.length > 0 && random.chance(0.5)
        ? random.pick(others)
        : random.chance(0.5)
          ? g.constant(g.type, shape, g.elements(g.type, shape, range), quantization)
          : g.feed(g.type, shape, quantization, range);
    const swapped = random.chance(0.4);
    const output = joined(first.shape, second.shape);
    if (count(output) > 8000) return;
    const result = {
      type: g.type,
      shape: output,
      ...(isQuantized(g.type) ? (shared ?? g.quantized(g.type, magnitudeOf(first, second))) : {}),
    };
    const operands = swapped ? [second, first] : [first, second];
    const extra =
      kind === null
        ? null
        : {
            kind,
            ...options,
            ...('fusedActivationFunction' in options ? { fusedActivationFunction: activation(g) } : {}),
          };
    g.apply(op, operands, [result], { options: extra, version });
  };
  return { types, make };
}

const quantizedTypes = { tflm: ['float32', 'int8', 'int16'], tflite: ['float32', 'int8', 'uint8', 'int16'] };
const sum = (a, b) => 1.5 * Math.max(a.scale, b.scale);
const product = (a, b) => a.scale * b.scale * 40;
const fused = { fusedActivationFunction: 0 };
const additive = { ...fused, potScaleInt16: false };

function unary(op, types, outputOf, { options = null, version = 1, input } = {}) {
  const make = (g) => {
    const from =
      input === undefined
        ? g.take()
        : g.feed(g.type, g.newShape(), input(g), g.type === 'int16' ? [0, 32767] : undefined);
    g.apply(op, [from], [{ type: g.type, shape: from.shape, ...(isQuantized(g.type) ? outputOf(g, from) : {}) }], {
      options: typeof options === 'function' ? options(g) : options,
      version,
    });
  };
  return { types, make };
}

const near = (g, from) => g.quantized(g.type, from.scale);
const likeInput = (_, { scale, zero }) => ({ scale, zero });
/** RELU6 and the like: alike mostly; where scales differ TensorFlow rescales. */
const mostlyAlike = (g, from) => (g.random.chance(0.5) || g.isFor('tflm') ? likeInput(g, from) : near(g, from));
/** An input whose quantization has no negative values; int16 is symmetric and has some. */
const fromZero = (g) => ({ scale: g.scaleNear(g.type === 'int16' ? 3e-4 : 0.03), zero: g.type === 'int16' ? 0 : -128 });
const fixed = (g, exponent) => {
  if (g.type === 'int16') return { scale: 1 / 32768, zero: 0 };
  return { scale: 2 ** -exponent, zero: (g.type === 'uint8' ? 128 : 0) - (exponent === 8 ? 128 : 0) };
};
const reluTypes = { tflm: ['float32', 'int8', 'int16'], tflite: ['float32', 'int8', 'uint8', 'int16'] };

function prelu(g) {
  const input = g.take({ rank: 4 });
  const shape = g.random.pick([[1, 1, input.shape[3]], [1, 1, input.shape[3]], [1], input.shape.slice(1)]);
  const type = g.type === 'int16' ? 'int8' : g.type;
  const alpha = g.constant(type, shape, g.elements(type, shape), g.quantized(type, 0.01));
  g.apply(
    'PRELU',
    [input, alpha],
    [{ type: g.type, shape: input.shape, ...near(g, input) }].map((out) =>
      isQuantized(g.type) ? out : { type: g.type, shape: input.shape },
    ),
  );
}

function softmax(g) {
  const input = g.take();
  const options = { kind: 'SoftmaxOptions', beta: g.random.pick([1, 1, 1, 0.5, 2, g.random.real(0.1, 3)]) };
  g.apply('SOFTMAX', [input], [{ type: g.type, shape: input.shape, ...(isQuantized(g.type) ? fixed(g, 8) : {}) }], {
    options,
    version: 3,
  });
}

function addN(g) {
  const first = g.take();
  const others = Array.from({ length: g.random.whole(1, 3) }, () =>
    g.feed(g.type, first.shape, isQuantized(g.type) ? likeInput(g, first) : {}),
  );
  g.apply(
    'ADD_N',
    [first, ...others],
    [{ type: g.type, shape: first.shape, ...(isQuantized(g.type) ? near(g, first) : {}) }],
    {
      options: { kind: 'AddNOptions' },
    },
  );
}

function compare(op, kind) {
  return (g) => {
    const { first, shape } = broadcastPair(g);
    const second = g.feed(g.type, shape, isQuantized(g.type) ? near(g, first) : {});
    g.apply(op, [first, second], [{ type: 'bool', shape: joined(first.shape, shape) }], {
      options: { kind },
      version: 2,
    });
  };
}

function selectV2(g) {
  const first = g.take();
  const quantization = isQuantized(g.type) ? likeInput(g, first) : {};
  const second = g.feed(g.type, first.shape, quantization);
  const condition = g.feed(
    'bool',
    first.shape.map((size) => (g.random.chance(0.3) ? 1 : size)),
    {},
  );
  g.apply('SELECT_V2', [condition, first, second], [{ type: g.type, shape: first.shape, ...quantization }], {
    options: { kind: 'SelectV2Options' },
  });
}

export const elementwise = {
  ADD: pair('ADD', 'AddOptions', quantizedTypes, sum, { options: additive }),
  SUB: pair('SUB', 'SubOptions', quantizedTypes, sum, { options: additive }),
  MUL: pair('MUL', 'MulOptions', quantizedTypes, product, { options: fused }),
  DIV: pair(
    'DIV',
    'DivOptions',
    { tflm: ['float32', 'int8'], tflite: ['float32', 'int8', 'uint8', 'int16'] },
    (a, b) => a.scale / b.scale / 20,
    {
      options: fused,
    },
  ),
  MAXIMUM: pair('MAXIMUM', 'MaximumMinimumOptions', quantizedTypes, sum, { alike: true }),
  MINIMUM: pair('MINIMUM', 'MaximumMinimumOptions', quantizedTypes, sum, { alike: true }),
  SQUARED_DIFFERENCE: pair(
    'SQUARED_DIFFERENCE',
    'SquaredDifferenceOptions',
    { tflm: ['float32', 'int8', 'int16'], tflite: ['float32', 'int8'] },
    (a, b) => 60 * Math.max(a.scale, b.scale) ** 2,
  ),
  PRELU: { types: { tflm: ['float32', 'int8'], tflite: ['float32', 'int8', 'uint8'] }, make: prelu },
  LEAKY_RELU: unary(
    'LEAKY_RELU',
    { tflm: ['float32', 'int8', 'int16'], tflite: ['float32', 'int8', 'uint8', 'int16'] },
    near,
    {
      options: (g) => ({
        kind: 'LeakyReluOptions',
        alpha: g.random.pick([0.1, 0.2, 0.01, 0.3, g.random.real(-1.5, 1.5)]),
      }),
      version: 2,
    },
  ),
  RELU: unary('RELU', reluTypes, near, { version: 2 }),
  RELU6: unary('RELU6', reluTypes, mostlyAlike, { version: 2 }),
  RELU_N1_TO_1: unary('RELU_N1_TO_1', { tflm: [], tflite: ['float32', 'int8', 'uint8'] }, mostlyAlike),
  RELU_0_TO_1: unary('RELU_0_TO_1', { tflm: [], tflite: ['float32', 'int8', 'uint8'] }, mostlyAlike),
  ABS: unary(
    'ABS',
    { tflm: ['float32', 'int8', 'int16'], tflite: ['float32', 'int8', 'int16'] },
    (g, from) => ({ ...near(g, from) }),
    { version: 2 },
  ),
  ELU: unary('ELU', only('float32', 'int8'), near),
  HARD_SWISH: unary('HARD_SWISH', { tflm: ['float32', 'int8'], tflite: ['float32', 'int8', 'uint8'] }, near),
  LOGISTIC: unary('LOGISTIC', quantizedTypes, (g) => fixed(g, 8), { version: 3 }),
  TANH: unary('TANH', quantizedTypes, (g) => fixed(g, 7), { version: 3 }),
  GELU: unary('GELU', { tflm: [], tflite: ['float32', 'int8', 'uint8'] }, near, {
    options: (g) => ({ kind: 'GeluOptions', approximate: g.random.chance(0.5) }),
    version: 2,
  }),
  EXP: unary(
    'EXP',
    { tflm: ['float32'], tflite: ['float32', 'int8', 'int16'] },
    (g) => g.quantized(g.type, g.type === 'int16' ? 2e-4 : 0.05),
    { version: 2 },
  ),
  SQUARE: unary('SQUARE', only('float32'), near),
  NEG: unary('NEG', { tflm: ['float32'], tflite: ['float32', 'int8', 'int16'] }, near),
  SQRT: unary(
    'SQRT',
    { tflm: [], tflite: ['int8', 'int16'] },
    (g) => g.quantized(g.type, g.type === 'int16' ? 2e-4 : 0.02),
    { input: fromZero },
  ),
  RSQRT: unary(
    'RSQRT',
    { tflm: ['int8', 'int16'], tflite: ['int8', 'int16'] },
    (g) => g.quantized(g.type, g.type === 'int16' ? 2e-4 : 0.02),
    {
      version: 2,
      input: fromZero,
    },
  ),
  SOFTMAX: { types: quantizedTypes, make: softmax },
  LOG_SOFTMAX: unary(
    'LOG_SOFTMAX',
    { tflm: ['float32', 'int8'], tflite: ['float32', 'int8', 'uint8'] },
    (g) => ({ scale: 16 / 256, zero: g.type === 'uint8' ? 255 : 127 }),
    {
      options: { kind: 'LogSoftmaxOptions' },
      version: 2,
    },
  ),
  L2_NORMALIZATION: unary(
    'L2_NORMALIZATION',
    { tflm: ['float32', 'int8'], tflite: ['float32', 'int8', 'uint8'] },
    (g) => fixed(g, 7),
    {
      options: { kind: 'L2NormOptions', fusedActivationFunction: 0 },
      version: 2,
    },
  ),
  ADD_N: { types: { tflm: ['float32', 'int8'], tflite: ['float32'] }, make: addN },
  LESS: {
    types: { tflm: ['float32', 'int8'], tflite: ['float32', 'int8', 'uint8'] },
    make: compare('LESS', 'LessOptions'),
  },
  GREATER_EQUAL: {
    types: { tflm: ['float32', 'int8'], tflite: ['float32', 'int8', 'uint8'] },
    make: compare('GREATER_EQUAL', 'GreaterEqualOptions'),
  },
  EQUAL: {
    types: { tflm: ['float32', 'int8'], tflite: ['float32', 'int8', 'uint8'] },
    make: compare('EQUAL', 'EqualOptions'),
  },
  SELECT_V2: {
    types: { tflm: ['float32', 'int8', 'int16'], tflite: ['float32', 'int8', 'uint8', 'int16'] },
    make: selectV2,
  },
};
