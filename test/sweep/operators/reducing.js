// Operators that fold dimensions away, pools, and those between types.
import * as tflite from '../../../dist/formats/tflite/index.js';
import { outSize } from '../../fixtures/operators/build.js';
import { isQuantized } from '../graph.js';

const { Padding, TensorType } = tflite;
const any = { tflm: ['float32', 'int8', 'int16'], tflite: ['float32', 'int8', 'uint8', 'int16'] };
const eight = { tflm: ['float32', 'int8'], tflite: ['float32', 'int8', 'uint8'] };
const quantizationOf = ({ scale, zero }) => (scale === undefined ? {} : { scale, zero });

function pool(op) {
  return (g) => {
    const input = g.take({ rank: 4 });
    const [batches, height, width, depth] = input.shape;
    const padding = g.random.pick(['SAME', 'VALID']);
    const filter = (size) => Math.min(g.random.pick([1, 2, 2, 3, 5, size]), padding === 'VALID' ? size : 99);
    const [filterHeight, filterWidth] = [filter(height), filter(width)];
    const [strideH, strideW] = [g.random.whole(1, 3), g.random.whole(1, 3)];
    const shape = [
      batches,
      outSize(height, filterHeight, strideH, 1, padding),
      outSize(width, filterWidth, strideW, 1, padding),
      depth,
    ];
    g.apply(op, [input], [{ type: g.type, shape, ...quantizationOf(input) }], {
      options: {
        kind: 'Pool2DOptions',
        padding: Padding[padding],
        strideH,
        strideW,
        filterHeight,
        filterWidth,
        fusedActivationFunction: g.random.pick([0, 0, 1, 2, 3]),
      },
      version: op === 'L2_POOL_2D' ? 1 : 3,
    });
  };
}

function axesOf(g, rank) {
  const axes = g.random.shuffled(Array.from({ length: rank }, (_, d) => d)).slice(0, g.random.whole(1, rank));
  if (rank === 4 && g.random.chance(0.4)) return [1, 2];
  return axes;
}

function reduce(op, alike) {
  return (g) => {
    const input = g.take({ where: ({ shape }) => shape.length <= 4 });
    const rank = input.shape.length;
    const axes = axesOf(g, rank);
    const keepDims = g.random.chance(0.5);
    const shape = input.shape.flatMap((size, d) => (axes.includes(d) ? (keepDims ? [1] : []) : [size]));
    const given = axes.map((axis) => (g.random.chance(0.3) ? axis - rank : axis));
    const grown = op === 'SUM' ? axes.reduce((product, axis) => product * input.shape[axis], 1) ** 0.5 : 1;
    const quantization = !isQuantized(g.type)
      ? {}
      : alike(g)
        ? quantizationOf(input)
        : g.quantized(g.type, input.scale * grown);
    g.apply(op, [input, g.ints(given)], [{ type: g.type, shape, ...quantization }], {
      options: { kind: 'ReducerOptions', keepDims },
      version: 2,
    });
  };
}

function argMax(op, kind) {
  return (g) => {
    const input = g.take();
    const axis = g.random.whole(0, input.shape.length - 1);
    g.apply(op, [input, g.ints([axis])], [{ type: 'int32', shape: input.shape.toSpliced(axis, 1) }], {
      options: { kind, outputType: TensorType.INT32 },
      version: 2,
    });
  };
}

function cumsum(g) {
  const input = g.take();
  const options = { kind: 'CumsumOptions', exclusive: g.random.chance(0.5), reverse: g.random.chance(0.5) };
  const quantization = isQuantized(g.type) ? g.quantized(g.type, input.scale * 4) : {};
  g.apply(
    'CUMSUM',
    [input, g.ints([g.random.whole(0, input.shape.length - 1)], [])],
    [{ type: g.type, shape: input.shape, ...quantization }],
    { options },
  );
}

/** To another type and back: what comes in between is read again. */
function quantize(g) {
  const input = g.take();
  const between = {
    tflm: { int8: ['int8', 'int16', 'int32', 'uint8'], int16: ['int8', 'int16', 'int32'] },
    tflite: { int8: ['int8', 'uint8'], uint8: ['int8', 'uint8'], int16: ['int16', 'int32', 'int8'] },
  };
  const [kinds] = ['tflm', 'tflite']
    .filter((runtime) => g.isFor(runtime))
    .map((runtime) => between[runtime][g.type] ?? []);
  const common = ['tflm', 'tflite']
    .filter((runtime) => g.isFor(runtime))
    .reduce((list, runtime) => list.filter((type) => between[runtime][g.type]?.includes(type)), kinds);
  if (g.type === 'float32') {
    const type = g.random.pick(['int8', 'int16', 'int8']);
    const [quantized] = g.apply(
      'QUANTIZE',
      [input],
      [{ type, shape: input.shape, ...g.quantized(type, type === 'int16' ? 3e-4 : 0.05) }],
      { version: 2 },
    );
    g.apply('DEQUANTIZE', [quantized], [{ type: 'float32', shape: input.shape }], { version: 2 });
    return;
  }
  const type = g.random.pick(common);
  const scale =
    type === 'int32'
      ? { scale: g.scaleNear(input.scale), zero: 0 }
      : g.quantized(
          type,
          type === g.type
            ? input.scale
            : type === 'int16'
              ? input.scale / 200
              : input.scale * (g.type === 'int16' ? 200 : 1),
        );
  g.apply('QUANTIZE', [input], [{ type, shape: input.shape, ...scale }], { version: 2 });
}

function dequantize(g) {
  const input = g.take();
  g.apply('DEQUANTIZE', [input], [{ type: 'float32', shape: input.shape }], { version: 2 });
}

export const reducing = {
  AVERAGE_POOL_2D: { types: any, make: pool('AVERAGE_POOL_2D') },
  MAX_POOL_2D: { types: any, make: pool('MAX_POOL_2D') },
  L2_POOL_2D: { types: { tflm: ['float32'], tflite: ['float32'] }, make: pool('L2_POOL_2D') },
  MEAN: { types: any, make: reduce('MEAN', (g) => g.random.chance(0.3)) },
  SUM: { types: any, make: reduce('SUM', (g) => !g.isFor('tflm')) },
  REDUCE_MAX: {
    types: { tflm: ['float32', 'int8'], tflite: ['float32', 'int8', 'uint8', 'int16'] },
    make: reduce('REDUCE_MAX', () => true),
  },
  REDUCE_MIN: {
    types: { tflm: ['float32', 'int8'], tflite: ['float32', 'int8', 'uint8', 'int16'] },
    make: reduce('REDUCE_MIN', () => true),
  },
  ARG_MAX: { types: eight, make: argMax('ARG_MAX', 'ArgMaxOptions') },
  ARG_MIN: { types: eight, make: argMax('ARG_MIN', 'ArgMinOptions') },
  CUMSUM: { types: { tflm: ['float32', 'int8'], tflite: ['float32'] }, make: cumsum },
  QUANTIZE: { types: any, make: quantize },
  DEQUANTIZE: { types: { tflm: ['int8', 'int16'], tflite: ['int8', 'uint8', 'int16'] }, make: dequantize },
};
