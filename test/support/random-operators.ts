// Random one-operator models, valid by construction, from a seed: what the plain and the fast kernels must agree on.

import { type BuiltinOptions, type Model, TensorType } from '../../src/formats/tflite/index.js';
import { modelOf, type TensorSpec } from './models.js';

export interface RandomOperator {
  readonly model: Model;
  /** What was drawn, for messages. */
  readonly description: string;
}

export type Draw = (low: number, high: number) => number;

/** Whole numbers in [low, high] from a linear congruential generator. */
export function drawFrom(seed: number): Draw {
  let state = seed >>> 0;
  return (low, high) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return low + Math.floor((state / 2 ** 32) * (high - low + 1));
  };
}

const count = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);
const pick = <T>(draw: Draw, choices: readonly T[]): T => choices[draw(0, choices.length - 1)] as T;

/** Any input bytes; for floats, values of several magnitudes. */
export function randomInput(draw: Draw, bytes: number, float: boolean): Uint8Array {
  if (!float) return Uint8Array.from({ length: bytes }, () => draw(0, 255));
  const values = Float32Array.from({ length: bytes / 4 }, () => (draw(-1000, 1000) / 333) * 2 ** draw(-8, 8));
  return new Uint8Array(values.buffer);
}

function weightsOf(draw: Draw, shape: readonly number[], float: boolean): Float32Array | Int8Array {
  const length = count(shape);
  return float
    ? Float32Array.from({ length }, () => draw(-1000, 1000) / 777)
    : Int8Array.from({ length }, () => draw(-127, 127));
}

/** Scales from ordinary to those of dead channels. */
function scalesOf(draw: Draw, channels: number): number[] {
  return Array.from({ length: channels }, () => draw(1, 1000) * 2 ** -pick(draw, [14, 16, 17, 18, 30]));
}

function biasOf(
  draw: Draw,
  channels: number,
  kind: 'float32' | 'int8' | 'int16',
): Float32Array | Int32Array | BigInt64Array {
  if (kind === 'float32') return Float32Array.from({ length: channels }, () => draw(-1000, 1000) / 99);
  const large = draw(0, 9) === 0 ? 2 ** 30 : 30000;
  if (kind === 'int16' && draw(0, 5) > 0)
    return BigInt64Array.from({ length: channels }, () => BigInt(draw(-large, large)) * 1000n);
  return Int32Array.from({ length: channels }, () => draw(-large, large));
}

interface Weighted {
  readonly op: 'CONV_2D' | 'DEPTHWISE_CONV_2D' | 'FULLY_CONNECTED';
  readonly input: readonly number[];
  readonly filter: readonly number[];
  readonly output: readonly number[];
  readonly channels: number;
  readonly options: BuiltinOptions;
}

function weighted(draw: Draw, { op, input, filter, output, channels, options }: Weighted): RandomOperator {
  const kind = pick(draw, ['float32', 'int8', 'int8', 'int16'] as const);
  const float = kind === 'float32';
  const zeroPoint = (): number => (kind === 'int16' ? 0 : draw(-128, 127));
  const quantized = float
    ? [{}, {}, {}]
    : [
        { scale: draw(1, 300) / 5000, zeroPoint: zeroPoint() },
        {
          scale:
            op === 'FULLY_CONNECTED' && draw(0, 1) === 0 ? (scalesOf(draw, 1)[0] as number) : scalesOf(draw, channels),
          axis: op === 'DEPTHWISE_CONV_2D' ? 3 : 0,
        },
        { scale: draw(1, 300) / 3000, zeroPoint: zeroPoint() },
      ];
  const type = { float32: TensorType.FLOAT32, int8: TensorType.INT8, int16: TensorType.INT16 }[kind];
  const tensors: TensorSpec[] = [
    { shape: input, type, ...quantized[0] },
    { shape: filter, data: weightsOf(draw, filter, float), ...quantized[1] },
    { shape: output, type, ...quantized[2] },
    { shape: [channels], data: biasOf(draw, channels, kind) },
  ];
  const inputs = draw(0, 4) === 0 ? [0, 1] : [0, 1, 3];
  const model = modelOf(tensors, [{ op, inputs, outputs: [2], options }], [0], [2]);
  return {
    model,
    description: `${op} ${kind} input ${input.join('x')} filter ${filter.join('x')} ${JSON.stringify(options)}`,
  };
}

interface Axis {
  readonly size: number;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly output: number;
}

function drawAxis(draw: Draw, same: boolean, onlyDilation?: number): Axis {
  const kernel = pick(draw, [1, 1, 2, 3, 3, 4, 5]);
  const stride = draw(1, 3);
  const dilation = onlyDilation ?? (draw(0, 3) === 0 ? 2 : 1);
  const reach = (kernel - 1) * dilation + 1;
  const size = same ? draw(1, 9) : reach + draw(0, 7);
  return {
    size,
    kernel,
    stride,
    dilation,
    output: same ? Math.ceil(size / stride) : Math.ceil((size - reach + 1) / stride),
  };
}

function windowed(draw: Draw) {
  const same = draw(0, 1) === 0;
  const y = drawAxis(draw, same);
  const x = drawAxis(draw, same);
  const options = {
    padding: same ? 0 : 1,
    strideH: y.stride,
    strideW: x.stride,
    dilationHFactor: y.dilation,
    dilationWFactor: x.dilation,
    fusedActivationFunction: draw(0, 3),
  };
  return { batches: draw(1, 2), y, x, options };
}

function pooled(draw: Draw, op: 'AVERAGE_POOL_2D' | 'MAX_POOL_2D'): RandomOperator {
  const same = draw(0, 1) === 0;
  const [y, x] = [drawAxis(draw, same, 1), drawAxis(draw, same, 1)];
  const channels = pick(draw, [3, 8, 9, 16, 33]);
  const float = draw(0, 2) === 0;
  const type = float ? TensorType.FLOAT32 : TensorType.INT8;
  const quantized = float ? {} : { scale: 0.07, zeroPoint: draw(-128, 127) };
  const options: BuiltinOptions = {
    kind: 'Pool2DOptions',
    padding: same ? 0 : 1,
    strideH: y.stride,
    strideW: x.stride,
    filterHeight: y.kernel,
    filterWidth: x.kernel,
    fusedActivationFunction: draw(0, 3),
  };
  const batches = draw(1, 2);
  const tensors = [
    { shape: [batches, y.size, x.size, channels], type, ...quantized },
    { shape: [batches, y.output, x.output, channels], type, ...quantized },
  ];
  const model = modelOf(tensors, [{ op, inputs: [0], outputs: [1], options }], [0], [1]);
  return { model, description: `${op} ${JSON.stringify(options)} ${y.size}x${x.size}x${channels}` };
}

const bytePairs = ['DIV', 'MAXIMUM', 'MINIMUM', 'MUL', 'PRELU', 'SQUARED_DIFFERENCE', 'SUB'] as const;

const pairOptions: Partial<Record<(typeof bytePairs)[number], (fusedActivationFunction: number) => BuiltinOptions>> = {
  DIV: (fusedActivationFunction) => ({ kind: 'DivOptions', fusedActivationFunction }),
  MUL: (fusedActivationFunction) => ({ kind: 'MulOptions', fusedActivationFunction }),
  SUB: (fusedActivationFunction) => ({ kind: 'SubOptions', fusedActivationFunction, potScaleInt16: false }),
};

/** Large enough for a table of pairs; the second operand broadcasts along some dimensions. */
function ofPairs(draw: Draw, op: (typeof bytePairs)[number]): RandomOperator {
  const shape = [draw(1, 2), draw(20, 30), draw(10, 12), draw(11, 17)];
  const second = shape.map((size) => (draw(0, 1) === 0 ? 1 : size)).slice(draw(0, 3));
  const alike = op === 'MAXIMUM' || op === 'MINIMUM' ? { scale: 0.1, zeroPoint: 3 } : null;
  const operand = (own: readonly number[]): TensorSpec => ({
    shape: own,
    type: TensorType.INT8,
    ...(alike ?? { scale: draw(300, 3000) / 50000, zeroPoint: draw(-128, 127) }),
  });
  const options = pairOptions[op]?.(draw(0, 3));
  const constant = draw(0, 2) === 0;
  const other = constant
    ? { ...operand(second), data: Int8Array.from({ length: count(second) }, () => draw(-128, 127)) }
    : operand(second);
  const swapped = op !== 'PRELU' && !constant && draw(0, 1) === 0;
  const model = modelOf(
    [operand(shape), other, operand(shape)],
    [{ op, inputs: swapped ? [1, 0] : [0, 1], outputs: [2], ...(options === undefined ? {} : { options }) }],
    constant ? [0] : [0, 1],
    [2],
  );
  return { model, description: `${op} ${shape.join('x')} and ${second.join('x')}` };
}

const generators = {
  CONV_2D: (draw: Draw) => {
    const { batches, y, x, options } = windowed(draw);
    const groups = pick(draw, [1, 1, 1, 2, 3]);
    const perGroup = draw(1, 19);
    const channels = groups * draw(1, 21);
    return weighted(draw, {
      op: 'CONV_2D',
      input: [batches, y.size, x.size, groups * perGroup],
      filter: [channels, y.kernel, x.kernel, perGroup],
      output: [batches, y.output, x.output, channels],
      channels,
      options: { kind: 'Conv2DOptions', ...options, quantizedBiasType: 0 },
    });
  },
  DEPTHWISE_CONV_2D: (draw: Draw) => {
    const { batches, y, x, options } = windowed(draw);
    const inputChannels = pick(draw, [1, 2, 7, 8, 9, 16, 31, 32, 33, 44, 64]);
    const depthMultiplier = pick(draw, [1, 1, 1, 2, 9]);
    const channels = inputChannels * depthMultiplier;
    return weighted(draw, {
      op: 'DEPTHWISE_CONV_2D',
      input: [batches, y.size, x.size, inputChannels],
      filter: [1, y.kernel, x.kernel, channels],
      output: [batches, y.output, x.output, channels],
      channels,
      options: { kind: 'DepthwiseConv2DOptions', ...options, depthMultiplier },
    });
  },
  FULLY_CONNECTED: (draw: Draw) => {
    const rows = draw(1, 9);
    const depth = draw(1, 70);
    const units = draw(1, 40);
    return weighted(draw, {
      op: 'FULLY_CONNECTED',
      input: [rows, depth],
      filter: [units, depth],
      output: [rows, units],
      channels: units,
      options: {
        kind: 'FullyConnectedOptions',
        fusedActivationFunction: draw(0, 3),
        weightsFormat: 0,
        keepNumDims: false,
        asymmetricQuantizeInputs: false,
        quantizedBiasType: 0,
      },
    });
  },
  ADD: (draw: Draw) => {
    const shape = [draw(1, 3), draw(1, 9), draw(1, 30)];
    const operand = (): TensorSpec => ({
      shape,
      type: TensorType.INT8,
      scale: draw(1, 3000) / 50000,
      zeroPoint: draw(-128, 127),
    });
    const options: BuiltinOptions = { kind: 'AddOptions', fusedActivationFunction: draw(0, 3), potScaleInt16: false };
    const model = modelOf(
      [operand(), operand(), operand()],
      [{ op: 'ADD', inputs: [0, 1], outputs: [2], options }],
      [0, 1],
      [2],
    );
    return { model, description: `ADD ${shape.join('x')}` };
  },
  SOFTMAX: (draw: Draw) => {
    const shape = [draw(1, 4), draw(1, 300)];
    const tensors: TensorSpec[] = [
      { shape, type: TensorType.INT8, scale: draw(1, 3000) / 5000, zeroPoint: draw(-128, 127) },
      { shape, type: TensorType.INT8, scale: 1 / 256, zeroPoint: -128 },
    ];
    const options: BuiltinOptions = { kind: 'SoftmaxOptions', beta: draw(1, 20) / 10 };
    return {
      model: modelOf(tensors, [{ op: 'SOFTMAX', inputs: [0], outputs: [1], options }], [0], [1]),
      description: `SOFTMAX ${shape.join('x')}`,
    };
  },
  RESIZE_BILINEAR: (draw: Draw) => {
    const [batches, height, width, channels] = [draw(1, 2), draw(1, 7), draw(1, 7), pick(draw, [1, 3, 4, 8, 11, 16])];
    const [newHeight, newWidth] = [draw(1, 12), draw(1, 12)];
    const centered = draw(0, 2);
    const options: BuiltinOptions = {
      kind: 'ResizeBilinearOptions',
      deprecatedNewHeight: 0,
      deprecatedNewWidth: 0,
      alignCorners: centered === 1,
      halfPixelCenters: centered === 2,
    };
    const operand =
      draw(0, 1) === 0 ? { type: TensorType.FLOAT32 } : { type: TensorType.INT8, scale: 0.1, zeroPoint: 3 };
    const tensors: TensorSpec[] = [
      { shape: [batches, height, width, channels], ...operand },
      { shape: [2], data: Int32Array.of(newHeight, newWidth) },
      { shape: [batches, newHeight, newWidth, channels], ...operand },
    ];
    const model = modelOf(tensors, [{ op: 'RESIZE_BILINEAR', inputs: [0, 1], outputs: [2], options }], [0], [2]);
    return {
      model,
      description:
        `RESIZE_BILINEAR ${height}x${width}x${channels} to ` + `${newHeight}x${newWidth} ${JSON.stringify(options)}`,
    };
  },
  ...Object.fromEntries(bytePairs.map((op) => [op, (draw: Draw) => ofPairs(draw, op)])),
  AVERAGE_POOL_2D: (draw: Draw) => pooled(draw, 'AVERAGE_POOL_2D'),
  MAX_POOL_2D: (draw: Draw) => pooled(draw, 'MAX_POOL_2D'),
  MEAN: (draw: Draw) => {
    const shape = [draw(1, 2), draw(1, 9), draw(1, 9), pick(draw, [7, 8, 9, 16, 33])];
    const operand = (own: readonly number[]): TensorSpec => ({
      shape: own,
      type: TensorType.INT8,
      scale: draw(1, 3000) / 50000,
      zeroPoint: draw(-128, 127),
    });
    const axes = pick(draw, [
      [1, 2],
      [2, 1],
      [-2, -3],
    ]);
    const options: BuiltinOptions = { kind: 'ReducerOptions', keepDims: true };
    const tensors = [
      operand(shape),
      { shape: [2], data: Int32Array.from(axes) },
      operand([shape[0] as number, 1, 1, shape[3] as number]),
    ];
    return {
      model: modelOf(tensors, [{ op: 'MEAN', inputs: [0, 1], outputs: [2], options }], [0], [2]),
      description: `MEAN ${shape.join('x')}`,
    };
  },
  ...Object.fromEntries(
    (
      [
        'ABS',
        'ELU',
        'HARD_SWISH',
        'LEAKY_RELU',
        'LOGISTIC',
        'QUANTIZE',
        'RELU',
        'RELU6',
        'RELU_N1_TO_1',
        'TANH',
      ] as const
    ).map((op) => [
      op,
      (draw: Draw): RandomOperator => {
        const shape = [draw(1, 9), draw(1, 40)];
        const scale = draw(300, 3000) / 50000;
        const output = op === 'HARD_SWISH' ? scale : draw(300, 3000) / 50000;
        const options: BuiltinOptions | undefined =
          op === 'LEAKY_RELU' ? { kind: 'LeakyReluOptions', alpha: draw(-100, 100) / 70 } : undefined;
        const zeroPoint = draw(-128, 127);
        // Between int8 and uint8 of the same scale QUANTIZE only turns the highest bit.
        const turned = op === 'QUANTIZE' && draw(0, 3) === 0;
        const result = turned
          ? { type: TensorType.UINT8, scale, zeroPoint: zeroPoint + 128 }
          : { type: TensorType.INT8, scale: output, zeroPoint: draw(-128, 127) };
        const tensors: TensorSpec[] = [
          { shape, type: TensorType.INT8, scale, zeroPoint },
          { shape, ...result },
        ];
        const model = modelOf(
          tensors,
          [{ op, inputs: [0], outputs: [1], ...(options === undefined ? {} : { options }) }],
          [0],
          [1],
        );
        return { model, description: `${op} ${shape.join('x')}` };
      },
    ]),
  ),
} as const satisfies Record<string, (draw: Draw) => RandomOperator>;

export const randomOperators: Readonly<Record<string, (draw: Draw) => RandomOperator>> = generators;
