// Operators that move elements.
import { count } from '../../fixtures/operators/build.js';
import { isQuantized } from '../graph.js';

const any = { tflm: ['float32', 'int8', 'int16'], tflite: ['float32', 'int8', 'uint8', 'int16'] };
const noUint8 = { tflm: ['float32', 'int8', 'int16'], tflite: ['float32', 'int8', 'uint8'] };
const eight = { tflm: ['float32', 'int8'], tflite: ['float32', 'int8', 'uint8'] };
const alike = (value, shape) => ({
  type: value.type,
  shape,
  ...(value.scale === undefined ? {} : { scale: value.scale, zero: value.zero }),
});

function concatenation(g) {
  const first = g.take();
  const axis = g.random.whole(0, first.shape.length - 1);
  const rescales =
    (g.type === 'int8' || g.type === 'uint8') && !g.isFor('tflm') && g.random.chance(0.3) && g.type === 'uint8';
  const others = Array.from({ length: g.random.whole(0, 3) }, () => {
    const shape = first.shape.with(axis, g.random.whole(1, 5));
    const quantization = rescales
      ? g.quantized(g.type, first.scale)
      : isQuantized(g.type)
        ? { scale: first.scale, zero: first.zero }
        : {};
    return g.random.chance(0.3)
      ? g.constant(g.type, shape, g.elements(g.type, shape), quantization)
      : g.feed(g.type, shape, quantization);
  });
  const operands = g.random.shuffled([first, ...others]);
  const shape = first.shape.with(
    axis,
    operands.reduce((total, operand) => total + operand.shape[axis], 0),
  );
  g.apply('CONCATENATION', operands, [alike(first, shape)], {
    options: {
      kind: 'ConcatenationOptions',
      axis: g.random.chance(0.5) ? axis : axis - shape.length,
      fusedActivationFunction: 0,
    },
    version: 2,
  });
}

function split(g) {
  const input = g.take();
  const axis = g.random.whole(0, input.shape.length - 1);
  const numSplits = [2, 3, 4, 1].find((parts) => input.shape[axis] % parts === 0);
  const part = alike(input, input.shape.with(axis, input.shape[axis] / numSplits));
  g.apply(
    'SPLIT',
    [g.ints([axis], []), input],
    Array.from({ length: numSplits }, () => part),
    { options: { kind: 'SplitOptions', numSplits }, version: 3 },
  );
}

function splitV(g) {
  const input = g.take({ where: ({ shape }) => shape.some((size) => size > 1) });
  const axis = input.shape.findLastIndex((size) => size > 1);
  if (axis < 0) return;
  const first = g.random.whole(1, input.shape[axis] - 1);
  const sizes = [first, input.shape[axis] - first];
  g.apply(
    'SPLIT_V',
    [input, g.ints(sizes), g.ints([axis], [])],
    sizes.map((size) => alike(input, input.shape.with(axis, size))),
    {
      options: { kind: 'SplitVOptions', numSplits: 2 },
      version: 2,
    },
  );
}

function slice(g) {
  const input = g.take();
  const begin = input.shape.map((size) => g.random.whole(0, size - 1));
  const size = input.shape.map((whole, d) => g.random.whole(1, whole - begin[d]));
  const given = size.map((value, d) => (value === input.shape[d] - begin[d] && g.random.chance(0.5) ? -1 : value));
  g.apply('SLICE', [input, g.ints(begin), g.ints(given)], [alike(input, size)], {
    options: { kind: 'SliceOptions' },
    version: 3,
  });
}

function stridedSlice(g) {
  const input = g.take({ where: ({ shape }) => shape.length <= 4 });
  const rank = input.shape.length;
  const [begin, end, strides, shape] = [[], [], [], []];
  let [beginMask, endMask, shrinkAxisMask] = [0, 0, 0];
  for (const [d, size] of input.shape.entries()) {
    const stride = g.random.pick([1, 1, 1, 2, -1, 3]);
    const from = g.random.whole(0, size - 1);
    if (g.random.chance(0.1) && rank - shape.length > 1) {
      shrinkAxisMask |= 1 << d;
      begin.push(from);
      end.push(from + 1);
      strides.push(1);
      continue;
    }
    const [wholeFrom, wholeTo] = [g.random.chance(0.3), g.random.chance(0.3)];
    const start = wholeFrom ? (stride > 0 ? 0 : size - 1) : from;
    const stop = wholeTo
      ? stride > 0
        ? size
        : -1
      : stride > 0
        ? g.random.whole(start + 1, size)
        : g.random.whole(-1, start - 1);
    if (wholeFrom) beginMask |= 1 << d;
    // An end of -1 would count from the back: there is no other way to include element 0 but the mask.
    if (wholeTo || stop === -1) endMask |= 1 << d;
    begin.push(wholeFrom ? 0 : g.random.chance(0.2) ? start - size : start);
    end.push(stop === -1 ? 0 : stop);
    strides.push(stride);
    shape.push(Math.ceil((stop - start) / stride));
  }
  g.apply('STRIDED_SLICE', [input, g.ints(begin), g.ints(end), g.ints(strides)], [alike(input, shape)], {
    options: {
      kind: 'StridedSliceOptions',
      beginMask,
      endMask,
      ellipsisMask: 0,
      newAxisMask: 0,
      shrinkAxisMask,
      offset: false,
    },
    version: 4,
  });
}

function padded(g, most = 3) {
  const input = g.take({ where: ({ shape }) => shape.length <= 4 });
  const paddings = input.shape.map((size, d) =>
    d === 0 ? [0, 0] : [g.random.whole(0, Math.min(most, size - 1)), g.random.whole(0, Math.min(most, size - 1))],
  );
  const shape = input.shape.map((size, d) => size + paddings[d][0] + paddings[d][1]);
  return { input, paddings: g.ints(paddings.flat(), [shape.length, 2]), shape };
}

function pad(g) {
  const { input, paddings, shape } = padded(g);
  g.apply('PAD', [input, paddings], [alike(input, shape)], { options: { kind: 'PadOptions' }, version: 2 });
}

function padV2(g) {
  const { input, paddings, shape } = padded(g);
  const value = g.constant(
    g.type,
    [1],
    g.elements(g.type, [1]),
    isQuantized(g.type) ? { scale: input.scale, zero: input.zero } : {},
  );
  g.apply('PADV2', [input, paddings, value], [alike(input, shape)], { options: { kind: 'PadV2Options' }, version: 2 });
}

function mirrorPad(g) {
  const { input, paddings, shape } = padded(g);
  g.apply('MIRROR_PAD', [input, paddings], [alike(input, shape)], {
    options: { kind: 'MirrorPadOptions', mode: g.random.whole(0, 1) },
    version: 2,
  });
}

function transpose(g) {
  const input = g.take();
  const permutation = g.random.shuffled(input.shape.map((_, d) => d));
  g.apply(
    'TRANSPOSE',
    [input, g.ints(permutation)],
    [
      alike(
        input,
        permutation.map((d) => input.shape[d]),
      ),
    ],
    { options: { kind: 'TransposeOptions' }, version: 2 },
  );
}

function reshape(g) {
  const input = g.take();
  const [batches, ...rest] = input.shape;
  const elements = count(rest);
  const shape = g.random.pick([
    [batches, elements],
    [batches, 1, 1, elements],
    [batches, 1, elements],
    [batches * elements],
    [...input.shape, 1].slice(0, 5),
    [batches, elements % 2 === 0 ? 2 : 1, elements % 2 === 0 ? elements / 2 : elements],
  ]);
  if (count(shape) !== count(input.shape)) return;
  g.apply('RESHAPE', [input, g.ints(shape)], [alike(input, shape)], {
    options: { kind: 'ReshapeOptions', newShape: Int32Array.from(shape) },
  });
}

function expandDims(g) {
  const input = g.take({ where: ({ shape }) => shape.length < 4 });
  if (input.shape.length >= 5) return;
  const axis = g.random.whole(0, input.shape.length);
  g.apply('EXPAND_DIMS', [input, g.ints([axis], [])], [alike(input, input.shape.toSpliced(axis, 0, 1))], {
    options: { kind: 'ExpandDimsOptions' },
  });
}

function squeeze(g) {
  const input = g.take({ where: ({ shape }) => shape.slice(1).includes(1) });
  const axis = input.shape.lastIndexOf(1);
  if (axis < 1) return;
  g.apply('SQUEEZE', [input], [alike(input, input.shape.toSpliced(axis, 1))], {
    options: { kind: 'SqueezeOptions', squeezeDims: Int32Array.of(axis) },
  });
}

function resize(op, kind, halfPixelRefused) {
  return (g) => {
    const input = g.take({ rank: 4, where: ({ shape }) => count(shape) < 1500 });
    if (count(input.shape) > 1500) return;
    const [height, width] = [g.random.whole(1, 14), g.random.whole(1, 14)];
    const mode = g.random.whole(0, 2);
    const options = {
      kind,
      alignCorners: mode === 1,
      halfPixelCenters: mode === 2 && !(halfPixelRefused && g.isFor('tflm')),
    };
    const extra = kind === 'ResizeBilinearOptions' ? { deprecatedNewHeight: 0, deprecatedNewWidth: 0 } : {};
    g.apply(op, [input, g.ints([height, width])], [alike(input, [input.shape[0], height, width, input.shape[3]])], {
      options: { ...extra, ...options },
      version: 3,
    });
  };
}

function spaceToDepth(g) {
  const input = g.take({ rank: 4, where: ({ shape }) => shape[1] % 2 === 0 && shape[2] % 2 === 0 });
  const [batches, height, width, depth] = input.shape;
  if (height % 2 !== 0 || width % 2 !== 0) return;
  g.apply('SPACE_TO_DEPTH', [input], [alike(input, [batches, height / 2, width / 2, depth * 4])], {
    options: { kind: 'SpaceToDepthOptions', blockSize: 2 },
    version: 2,
  });
}

function depthToSpace(g) {
  const input = g.take({ rank: 4, where: ({ shape }) => shape[3] % 4 === 0 });
  const [batches, height, width, depth] = input.shape;
  if (depth % 4 !== 0) return;
  g.apply('DEPTH_TO_SPACE', [input], [alike(input, [batches, height * 2, width * 2, depth / 4])], {
    options: { kind: 'DepthToSpaceOptions', blockSize: 2 },
  });
}

function spaceToBatch(g) {
  const input = g.take({ rank: 4 });
  const [batches, height, width, depth] = input.shape;
  // What TFLM pads with is memory that nothing has written.
  const [bottom, right] = g.isFor('tflm') ? [0, 0] : [height % 2, width % 2];
  if ((height + bottom) % 2 !== 0 || (width + right) % 2 !== 0) return;
  const shape = [batches * 4, (height + bottom) / 2, (width + right) / 2, depth];
  g.apply('SPACE_TO_BATCH_ND', [input, g.ints([2, 2]), g.ints([0, bottom, 0, right], [2, 2])], [alike(input, shape)], {
    options: { kind: 'SpaceToBatchNDOptions' },
    version: 2,
  });
}

function batchToSpace(g) {
  const shape = [4 * g.batches, g.random.whole(1, 5), g.random.whole(1, 5), g.random.whole(1, 6)];
  const input = g.feed(g.type, shape);
  const crop = [g.random.whole(0, 1), 0, 0, g.random.whole(0, 1)];
  const output = [shape[0] / 4, shape[1] * 2 - crop[0] - crop[1], shape[2] * 2 - crop[2] - crop[3], shape[3]];
  g.apply('BATCH_TO_SPACE_ND', [input, g.ints([2, 2]), g.ints(crop, [2, 2])], [alike(input, output)], {
    options: { kind: 'BatchToSpaceNDOptions' },
    version: 2,
  });
}

function gather(g) {
  const input = g.take();
  const axis = g.random.whole(0, input.shape.length - 1);
  const indices = g.feed('int32', [g.random.whole(1, 5)], {}, [0, input.shape[axis] - 1]);
  g.apply('GATHER', [input, indices], [alike(input, input.shape.toSpliced(axis, 1, ...indices.shape))], {
    options: { kind: 'GatherOptions', axis, batchDims: 0 },
    version: 5,
  });
}

function pack(g) {
  const first = g.take({ where: ({ shape }) => shape.length <= 3 });
  if (first.shape.length > 4) return;
  const others = Array.from({ length: g.random.whole(0, 2) }, () =>
    g.feed(g.type, first.shape, isQuantized(g.type) ? { scale: first.scale, zero: first.zero } : {}),
  );
  const axis = g.random.whole(0, first.shape.length);
  g.apply('PACK', [first, ...others], [alike(first, first.shape.toSpliced(axis, 0, 1 + others.length))], {
    options: { kind: 'PackOptions', valuesCount: 1 + others.length, axis },
    version: 2,
  });
}

function unpack(g) {
  const input = g.take({ where: ({ shape }) => shape.length > 1 });
  if (input.shape.length < 2) return;
  const axis = g.random.whole(0, input.shape.length - 1);
  const num = input.shape[axis];
  if (num > 8) return;
  g.apply(
    'UNPACK',
    [input],
    Array.from({ length: num }, () => alike(input, input.shape.toSpliced(axis, 1))),
    { options: { kind: 'UnpackOptions', num, axis }, version: 2 },
  );
}

function tile(g) {
  const input = g.take({ where: ({ shape }) => count(shape) < 600 });
  if (count(input.shape) > 600) return;
  const times = input.shape.map((_, d) => (d === 0 ? 1 : g.random.whole(1, 2)));
  g.apply(
    'TILE',
    [input, g.ints(times)],
    [
      alike(
        input,
        input.shape.map((size, d) => size * times[d]),
      ),
    ],
    { options: { kind: 'TileOptions' }, version: 2 },
  );
}

function reverse(g) {
  const input = g.take();
  g.apply('REVERSE_V2', [input, g.ints([g.random.whole(0, input.shape.length - 1)])], [alike(input, input.shape)], {
    options: { kind: 'ReverseV2Options' },
  });
}

export const moving = {
  CONCATENATION: { types: any, make: concatenation },
  SPLIT: { types: any, make: split },
  SPLIT_V: { types: any, make: splitV },
  SLICE: { types: any, make: slice },
  STRIDED_SLICE: { types: any, make: stridedSlice },
  PAD: { types: any, make: pad },
  PADV2: { types: any, make: padV2 },
  MIRROR_PAD: { types: eight, make: mirrorPad },
  TRANSPOSE: { types: any, make: transpose },
  RESHAPE: { types: any, make: reshape },
  EXPAND_DIMS: { types: any, make: expandDims },
  SQUEEZE: { types: any, make: squeeze },
  RESIZE_NEAREST_NEIGHBOR: {
    types: any,
    make: resize('RESIZE_NEAREST_NEIGHBOR', 'ResizeNearestNeighborOptions', true),
  },
  RESIZE_BILINEAR: {
    types: { tflm: ['float32', 'int8'], tflite: ['float32', 'int8', 'uint8', 'int16'] },
    make: resize('RESIZE_BILINEAR', 'ResizeBilinearOptions', false),
  },
  SPACE_TO_DEPTH: { types: eight, make: spaceToDepth },
  DEPTH_TO_SPACE: { types: eight, make: depthToSpace },
  SPACE_TO_BATCH_ND: { types: { tflm: ['float32', 'int8'], tflite: ['float32', 'int8', 'uint8'] }, make: spaceToBatch },
  BATCH_TO_SPACE_ND: { types: { tflm: ['float32', 'int8'], tflite: ['float32', 'int8', 'uint8'] }, make: batchToSpace },
  GATHER: { types: { tflm: ['float32', 'int8'], tflite: ['float32', 'int8', 'uint8', 'int16'] }, make: gather },
  PACK: { types: { tflm: ['float32', 'int8'], tflite: ['float32', 'int8', 'uint8', 'int16'] }, make: pack },
  UNPACK: { types: { tflm: ['float32', 'int8'], tflite: ['float32', 'int8', 'uint8', 'int16'] }, make: unpack },
  TILE: { types: { tflm: [], tflite: ['float32', 'int8', 'uint8'] }, make: tile },
  REVERSE_V2: { types: noUint8, make: reverse },
};
