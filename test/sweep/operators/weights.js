// Operators with weights: convolutions, dense layers, matrix products.
import * as tflite from '../../../dist/formats/tflite/index.js';
import { count, outSize } from '../../fixtures/operators/build.js';
import { isQuantized } from '../graph.js';

const { Padding, TensorType } = tflite;
const all = { tflm: ['float32', 'int8', 'int16'], tflite: ['float32', 'int8', 'uint8', 'int16'] };

const activation = (g) => g.random.pick([0, 0, 1, 2, 3]);

/**
 * Constant weights: int8 per channel or per tensor, int4, uint8; for float32 activations float32, float16 behind
 * DEQUANTIZE, or int8 (dynamic range). `weightScale` is that of the weights as a whole.
 */
function weightsOf(g, shape, axis, { perChannel = true, int4 = false, dynamicRange = true } = {}) {
  const { random, type } = g;
  const channels = shape[axis];
  if (type === 'float32') {
    const kind = g.weightKind;
    // TFLite Micro does not take float16.
    if (kind === 'float16' && !g.isFor('tflm')) {
      const half = g.constant(
        'float16',
        shape,
        Uint16Array.from({ length: count(shape) }, () => random.pick([0, 0x8000]) + random.whole(0x2400, 0x3a00)),
      );
      return g.apply('DEQUANTIZE', [half], [{ type: 'float32', shape, weights: true }], { version: 3 })[0];
    }
    if (kind === 'int8' && dynamicRange) {
      const scale = perChannel
        ? Array.from({ length: channels }, () => random.logarithmic(0.002, 0.02))
        : random.logarithmic(0.002, 0.02);
      return g.constant('int8', shape, g.elements('int8', shape, [-127, 127]), { scale, axis });
    }
    return g.constant(
      'float32',
      shape,
      Float32Array.from({ length: count(shape) }, () => random.real(-0.7, 0.7)),
    );
  }
  const scale = g.scaleNear(0.01);
  if (type === 'uint8')
    return g.constant('uint8', shape, g.elements('uint8', shape), { scale, zero: g.zeroOf('uint8') });
  const scales =
    perChannel && random.chance(0.75)
      ? Array.from({ length: channels }, () => scale * random.logarithmic(0.2, 2))
      : scale;
  if (int4 && type === 'int8' && random.chance(0.1)) {
    const packed = Uint8Array.from({ length: Math.ceil(count(shape) / 2) }, () => random.whole(0, 255));
    return g.constant('int4', shape, packed, { scale: scales, axis });
  }
  // Older converters write such weights; some kernels apply the zero point.
  const zero = typeof scales === 'number' && random.chance(0.15) ? { zero: random.whole(-30, 30) } : {};
  return g.constant('int8', shape, g.elements('int8', shape, [-127, 127]), { scale: scales, axis, ...zero });
}

/** Biases of about the size of the sums, now and then of any size. */
function biasOf(g, channels, input, weights, depth, { int32 = true, optional = false } = {}) {
  const { random, type } = g;
  // TensorFlow's convolutions refuse integers without a bias, or die of floats without one; its converter always writes
  // one.
  if (random.chance(0.2) && (optional || !g.isFor('tflite'))) return null;
  if (type === 'float32') return g.constant('float32', [channels], g.elements('float32', [channels]));
  const scales = [weights.scale].flat().map((scale) => scale * input.scale);
  const size = random.chance(0.05)
    ? 2 ** 30
    : Math.round(Math.min(2 ** 30, 4000 * Math.sqrt(depth) * (type === 'int16' ? 200 : 1)));
  if (type !== 'int16')
    return g.constant(
      'int32',
      [channels],
      Int32Array.from({ length: channels }, () => random.whole(-size, size)),
      { scale: scales },
    );
  if (int32 && !g.isFor('tflm') && random.chance(0.1))
    return g.constant(
      'int32',
      [channels],
      Int32Array.from({ length: channels }, () => random.whole(-size, size)),
      { scale: scales },
    );
  const data = BigInt64Array.from({ length: channels }, () => BigInt(random.whole(-size, size)));
  return g.constant('int64', [channels], data, { scale: scales });
}

/** TensorFlow's convolutions refuse a bias that is there in name only. */
const withBias = (operands, bias) => (bias === null ? operands : [...operands, bias]);

/** What sums of int16 are kept in: 32 bits where the option says so. */
const biasType = (bias) => (bias?.type === 'int32' ? TensorType.INT32 : 0);

/** Quantization of the output: so that sums of `depth` products fill it. */
function resultOf(g, input, weights, depth) {
  if (!isQuantized(g.type)) return {};
  const spread = (g.type === 'int16' ? 9000 : 70) * 70 * Math.sqrt(depth);
  const largest = [weights.scale].flat().reduce((a, b) => Math.max(a, b));
  return g.quantized(g.type, (input.scale * largest * spread) / (g.type === 'int16' ? 12000 : 50));
}

function windowOf(g, input, { dilated = true } = {}) {
  const { random } = g;
  const [, height, width] = input.shape;
  const padding = random.pick(['SAME', 'VALID']);
  const axis = (size) => {
    const kernel = random.pick([1, 1, 2, 3, 3, 4, 5]);
    const dilation = dilated && random.chance(0.15) ? 2 : 1;
    const stride = random.pick([1, 1, 2, 3]);
    const fits = padding === 'SAME' || (kernel - 1) * dilation + 1 <= size;
    return fits ? { kernel, dilation, stride } : { kernel: 1, dilation: 1, stride };
  };
  const [y, x] = [axis(height), axis(width)];
  return {
    kernel: [y.kernel, x.kernel],
    output: [
      outSize(height, y.kernel, y.stride, y.dilation, padding),
      outSize(width, x.kernel, x.stride, x.dilation, padding),
    ],
    options: {
      padding: Padding[padding],
      strideH: y.stride,
      strideW: x.stride,
      dilationHFactor: y.dilation,
      dilationWFactor: x.dilation,
    },
  };
}

function conv(g) {
  const input = g.take({ rank: 4 });
  const { kernel, output, options } = windowOf(g, input);
  const [batches, , , depth] = input.shape;
  const groups =
    g.type !== 'uint8' && g.random.chance(0.08) && depth % 2 === 0 && g.weightKind !== 'int8' && g.isFor('tflm')
      ? 2
      : 1;
  const channels = groups * g.random.pick([1, 2, 3, 4, 5, 8, 9, 16, 19]);
  const shape = [channels, ...kernel, depth / groups];
  const weights = weightsOf(g, shape, 0, { int4: groups === 1 });
  const reach = kernel[0] * kernel[1] * shape[3];
  const bias = biasOf(g, channels, input, weights, reach);
  const result = { type: g.type, shape: [batches, ...output, channels], ...resultOf(g, input, weights, reach) };
  g.apply('CONV_2D', withBias([input, weights], bias), [result], {
    options: {
      kind: 'Conv2DOptions',
      ...options,
      fusedActivationFunction: activation(g),
      quantizedBiasType: biasType(bias),
    },
    version: 3,
  });
}

function depthwise(g) {
  const input = g.take({ rank: 4 });
  const { kernel, output, options } = windowOf(g, input);
  const [batches, , , depth] = input.shape;
  const depthMultiplier = g.random.pick([1, 1, 1, 1, 2, 3]);
  const channels = depth * depthMultiplier;
  const weights = weightsOf(g, [1, ...kernel, channels], 3, { int4: depthMultiplier === 1 });
  const reach = kernel[0] * kernel[1];
  const bias = biasOf(g, channels, input, weights, reach, { int32: false });
  const result = { type: g.type, shape: [batches, ...output, channels], ...resultOf(g, input, weights, reach) };
  g.apply('DEPTHWISE_CONV_2D', withBias([input, weights], bias), [result], {
    options: { kind: 'DepthwiseConv2DOptions', ...options, depthMultiplier, fusedActivationFunction: activation(g) },
    version: 3,
  });
}

function fullyConnected(g) {
  const input = g.take();
  const keepNumDims = input.shape.length > 1 && g.random.chance(0.4);
  const flat = !keepNumDims && input.shape.length > 2 && g.random.chance(0.5);
  const depth = flat ? count(input.shape.slice(1)) : input.shape.at(-1);
  if (depth > 900) return;
  const units = g.random.pick([1, 2, 3, 5, 8, 10, 16, 23]);
  // Computed weights, as in the product of two activations.
  const computed = (g.type === 'int8' || g.type === 'uint8') && g.random.chance(0.08);
  const weights = computed
    ? g.feed(g.type, [units, depth], { scale: g.scaleNear(0.01), zero: g.zeroOf(g.type) })
    : weightsOf(g, [units, depth], 0, { perChannel: g.type !== 'float32' && g.random.chance(0.5), int4: true });
  const bias = biasOf(g, units, input, weights, depth, { optional: true });
  const rows = count(input.shape) / depth;
  const shape = keepNumDims ? input.shape.with(-1, units) : [rows, units];
  const result = { type: g.type, shape, ...resultOf(g, input, weights, depth) };
  g.apply('FULLY_CONNECTED', [input, weights, bias], [result], {
    options: {
      kind: 'FullyConnectedOptions',
      fusedActivationFunction: activation(g),
      weightsFormat: 0,
      keepNumDims,
      asymmetricQuantizeInputs: g.random.chance(0.5),
      quantizedBiasType: biasType(bias),
    },
    version: 9,
  });
}

function transposeConv(g) {
  const input = g.take({ rank: 4, where: ({ shape }) => count(shape) < 1500 });
  const [batches, height, width, depth] = input.shape;
  if (count(input.shape) > 1500) return;
  const kernel = [g.random.whole(1, 4), g.random.whole(1, 4)];
  const [strideH, strideW] = [g.random.whole(1, 3), g.random.whole(1, 3)];
  const channels = g.random.pick([1, 2, 3, 5, 8, 16]);
  const padding = g.random.pick(['SAME', 'VALID']);
  const size = (input, kernel, stride) => (padding === 'SAME' ? input * stride : (input - 1) * stride + kernel);
  const shape = [batches, size(height, kernel[0], strideH), size(width, kernel[1], strideW), channels];
  const weights = weightsOf(g, [channels, ...kernel, depth], 0, { dynamicRange: false });
  const reach = Math.ceil((kernel[0] * kernel[1] * depth) / (strideH * strideW));
  const bias = biasOf(g, channels, input, weights, reach);
  const result = { type: g.type, shape, ...resultOf(g, input, weights, reach) };
  const operands = withBias([g.ints(shape), weights, input], bias);
  g.apply('TRANSPOSE_CONV', operands, [result], {
    options: {
      kind: 'TransposeConvOptions',
      padding: Padding[padding],
      strideH,
      strideW,
      fusedActivationFunction: g.isFor('tflm') ? 0 : activation(g),
      quantizedBiasType: biasType(bias),
    },
    version: 3,
  });
}

function batchMatmul(g) {
  const left = g.take({ where: ({ shape }) => shape.length >= 2 && shape.length <= 4 });
  if (left.shape.length < 2) return;
  const [adjX, adjY] = [g.random.chance(0.25), g.random.chance(0.4)];
  const [rows, depth] = adjX ? [left.shape.at(-1), left.shape.at(-2)] : [left.shape.at(-2), left.shape.at(-1)];
  const columns = g.random.whole(1, 12);
  const outer = left.shape.slice(0, -2);
  // TensorFlow reads beyond the first matrix where one that is transposed is broadcast.
  const broadcasts = !(adjX && g.isFor('tflite'));
  const batches =
    broadcasts && g.random.chance(0.3) ? [] : outer.map((size) => (broadcasts && g.random.chance(0.3) ? 1 : size));
  const shape = [...batches, ...(adjY ? [columns, depth] : [depth, columns])];
  const quantization = g.quantized(g.type);
  const right = g.random.chance(0.3)
    ? g.constant(g.type, shape, g.elements(g.type, shape), quantization)
    : g.feed(g.type, shape, quantization);
  const result = { type: g.type, shape: [...outer, rows, columns], ...resultOf(g, left, right, depth) };
  g.apply('BATCH_MATMUL', [left, right], [result], {
    options: { kind: 'BatchMatMulOptions', adjX, adjY, asymmetricQuantizeInputs: false },
    version: g.type === 'int16' ? 3 : 2,
  });
}

export const weights = {
  CONV_2D: { types: all, make: conv },
  DEPTHWISE_CONV_2D: { types: all, make: depthwise },
  FULLY_CONNECTED: { types: all, make: fullyConnected },
  TRANSPOSE_CONV: { types: all, make: transposeConv },
  BATCH_MATMUL: {
    types: { tflm: ['float32', 'int8', 'int16'], tflite: ['float32', 'int8', 'int16'] },
    make: batchMatmul,
  },
};
