// A small model, and what a compiler would have made of it: a convolution on the Edge TPU, in tiles and with parameters
// that are cached, and a RELU after it.

import { create, type Model, TensorType } from '../../src/formats/tflite/index.js';
import { edgeTpuSchema } from '../../src/targets/compiled/index.js';
import { withExecutables } from './edgetpu-package.js';
import { convOptions, modelOf } from './models.js';

const {
  DmaDescriptorHintTable,
  DmaHintsTable,
  DmaHintTable,
  ExecutableTable,
  FieldOffsetTable,
  InputLayerTable,
  InstructionBitstreamTable,
} = edgeTpuSchema;
const { InstructionHintTable, InterruptHintTable, LayerTable, MetaTable, OutputLayerTable, OutputLayoutTable } =
  edgeTpuSchema;
type Hint = NonNullable<ReturnType<typeof create<typeof DmaHintTable>>['hint']>;

export interface Pair {
  readonly compiled: Model;
  readonly uncompiled: Model;
}

const [height, width, channels] = [4, 5, 32];

/** @param seed what tells it from others: its weights, its instructions, its token */
export function compiledPair(seed = 1, minRuntimeVersion = 13): Pair {
  const quantized = { type: TensorType.INT8, scale: 0.1 };
  const weights = Int8Array.from({ length: channels * 4 }, (_, i) => ((i * 37 * seed) % 255) - 127);
  const uncompiled = modelOf(
    [
      { name: 'image', shape: [1, height, width, 4], ...quantized },
      { name: 'weights', shape: [channels, 1, 1, 4], data: weights, scale: 0.01 },
      { name: 'conv', shape: [1, height, width, channels], type: TensorType.INT8, scale: 0.2, zeroPoint: 3 },
      { name: 'relu', shape: [1, height, width, channels], type: TensorType.INT8, scale: 0.2, zeroPoint: 3 },
    ],
    [
      { op: 'CONV_2D', inputs: [0, 1, -1], outputs: [2], options: convOptions() },
      { op: 'RELU', inputs: [2], outputs: [3] },
    ],
    [0],
    [3],
  );
  return {
    uncompiled,
    compiled: withExecutables(uncompiled, {
      count: 1,
      outputs: [2],
      executables: executables(seed),
      minRuntimeVersion,
    }),
  };
}

/** The same between operators that stay on the host: from real values, and to the largest channel of each place. */
export function pairWithEdges(seed = 1): Pair {
  const weights = Int8Array.from({ length: channels * 4 }, (_, i) => ((i * 37 * seed) % 255) - 127);
  const uncompiled = modelOf(
    [
      { name: 'real', shape: [1, height, width, 4] },
      { name: 'image', shape: [1, height, width, 4], type: TensorType.INT8, scale: 0.1 },
      { name: 'weights', shape: [channels, 1, 1, 4], data: weights, scale: 0.01 },
      { name: 'conv', shape: [1, height, width, channels], type: TensorType.INT8, scale: 0.2, zeroPoint: 3 },
      { name: 'axis', shape: [], data: Int32Array.of(3) },
      { name: 'largest', shape: [1, height, width], type: TensorType.INT32 },
    ],
    [
      { op: 'QUANTIZE', inputs: [0], outputs: [1] },
      { op: 'CONV_2D', inputs: [1, 2, -1], outputs: [3], options: convOptions() },
      { op: 'ARG_MAX', inputs: [3, 4], outputs: [5], options: { kind: 'ArgMaxOptions', outputType: TensorType.INT32 } },
    ],
    [0],
    [5],
  );
  const part = { from: 1, count: 1, inputs: [1], outputs: [3], executables: executables(seed), minRuntimeVersion: 13 };
  return { uncompiled, compiled: withExecutables(uncompiled, part) };
}

function executables(seed: number): ReturnType<typeof create<typeof ExecutableTable>>[] {
  const parameterCachingToken = BigInt(1000 + seed);
  const common = { batchSize: 1, chip: 'beagle', parameterCachingToken };
  const parameters = Uint8Array.from({ length: 3000 }, (_, i) => (i * seed) & 255);
  const signed = 8;
  const input = create(LayerTable, {
    name: 'image',
    bytes: height * width * 4,
    y: height,
    x: width,
    z: 4,
    dataType: signed,
    details: { kind: 'InputLayer', ...create(InputLayerTable) },
  });
  // The example of executable.fbs: 2 x 2 tiles.
  const layout = create(OutputLayoutTable, {
    yToTile: Int32Array.of(0, 0, 2, 2),
    xToTile: Int32Array.of(0, 0, 0, 1, 1),
    tileOffsets: Int32Array.of(0, 192, 320, 512),
    xToLocalOffset: Int32Array.of(0, 32, 64, 0, 32),
    yToLocalRow: Int32Array.of(0, 1, 0, 1),
    xToRowBytes: Int32Array.of(96, 96, 96, 64, 64),
  });
  const output = create(LayerTable, {
    name: 'conv',
    bytes: height * width * channels,
    y: height,
    x: width,
    z: channels,
    dataType: signed,
    details: { kind: 'OutputLayer', ...create(OutputLayerTable, { layout }) },
  });
  const caching = create(ExecutableTable, {
    ...common,
    type: 1,
    parameters,
    instructions: [chunk(seed, 320, [field(2, '', 0, 70), field(2, '', 1, 198)])],
    dmaHints: hints([instructions(0), data(2, '', 0, 2000), data(2, '', 2000, 1000), interrupt()]),
  });
  const execution = create(ExecutableTable, {
    ...common,
    type: 2,
    instructions: [
      chunk(seed + 100, 640, [
        field(1, 'image', 0, 70),
        field(1, 'image', 1, 198),
        field(0, 'conv', 0, 333),
        field(0, 'conv', 1, 461),
      ]),
      chunk(seed + 200, 64, []),
    ],
    inputs: [input],
    outputs: [output],
    // The input in two pieces that overlap, as those of large models.
    dmaHints: hints([
      instructions(0),
      data(1, 'image', 0, 48),
      data(1, 'image', 32, 48),
      instructions(1),
      data(0, 'conv', 0, 640),
      interrupt(),
    ]),
  });
  return [execution, caching];
}

function chunk(seed: number, bytes: number, fieldOffsets: ReturnType<typeof field>[]) {
  return create(InstructionBitstreamTable, {
    bitstream: Uint8Array.from({ length: bytes }, (_, i) => (i * 11 + seed) & 255),
    fieldOffsets,
  });
}

function field(description: number, name: string, position: number, bit: number) {
  return create(FieldOffsetTable, { bit, meta: create(MetaTable, { description, name, position }) });
}

function hints(list: readonly { readonly hint: Hint; readonly direction: number }[]) {
  return create(DmaHintsTable, { fullyDeterministic: true, hints: list.map((one) => create(DmaHintTable, one)) });
}

function instructions(index: number) {
  return {
    hint: { kind: 'InstructionHint' as const, ...create(InstructionHintTable, { chunk: index }) },
    direction: 0,
  };
}

function data(description: number, name: string, offset: number, bytes: number) {
  const meta = create(MetaTable, { description, name });
  return {
    hint: { kind: 'DmaDescriptorHint' as const, ...create(DmaDescriptorHintTable, { meta, offset, bytes }) },
    direction: description === 0 ? 1 : 0,
  };
}

function interrupt() {
  return { hint: { kind: 'InterruptHint' as const, ...create(InterruptHintTable) }, direction: 1 };
}
