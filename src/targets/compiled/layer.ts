// An input or output of an executable, and the layout of its elements in a transfer (libedgetpu,
// api/layer_information.cc): tile after tile, the rows of each tile one after another, channels padded; signed types
// with the highest bit inverted, since the device computes with unsigned types.

import { defined, elementAt } from '../../base/checked.js';
import { fail } from '../../base/errors.js';
import type { Limits } from './limits.js';
import type { LayerFields } from './schema.js';

const dataTypes = {
  0: { type: 'uint8', bytes: 1, signed: false },
  1: { type: 'uint16', bytes: 2, signed: false },
  2: { type: 'int32', bytes: 4, signed: false },
  3: { type: 'bfloat16', bytes: 2, signed: false },
  4: { type: 'float16', bytes: 2, signed: false },
  5: { type: 'float32', bytes: 4, signed: false },
  8: { type: 'int8', bytes: 1, signed: true },
  9: { type: 'int16', bytes: 2, signed: true },
} as const;
/** Element types of an executable's inputs and outputs. */
export type LayerType = (typeof dataTypes)[keyof typeof dataTypes]['type'];

/** An input or output of an executable, as it lies in memory. */
export interface Layer {
  readonly name: string;
  readonly shape: readonly [height: number, width: number, channels: number];
  readonly type: LayerType;
  readonly quantization: { readonly scale: number; readonly zeroPoint: number } | null;
  /** Number of reads or writes per inference. */
  readonly executions: number;
  /** Bytes of the tensor. */
  readonly bytes: number;
  /** Bytes of the transfer. */
  readonly paddedBytes: number;
  /** Bytes of one value. */
  readonly elementBytes: number;
  /** Whether the highest bit of each element is inverted in the transfer. */
  readonly flipped: boolean;
  /** Mapping between tensor and transfer; null if the tensor is at the start, unchanged. */
  readonly runs: readonly Run[] | null;
  /** Tiles of an output by row and column; null if its layout does not depend on tiles. */
  readonly tiles: readonly [across: number, down: number] | null;
}

/** A range of bytes that is contiguous in both. */
export interface Run {
  /** Offset in the transfer. */
  readonly from: number;
  /** Offset in the tensor. */
  readonly to: number;
  readonly bytes: number;
}

const maxDimensions = 8;

/** @throws EDGETPU_PACKAGE_INVALID */
export function layerOf(fields: LayerFields, role: 'input' | 'output', where: string, limits: Limits): Layer {
  const place = `${where}, ${role} ${fields.name ?? ''}`;
  const invalid = (reason: string): Error => fail('EDGETPU_PACKAGE_INVALID', { where: place, reason });
  const known = dataTypes[fields.dataType as keyof typeof dataTypes];
  if (known === undefined) throw invalid(`elements of unknown type ${fields.dataType}`);
  const { y, x, z, executions, numerics } = fields;
  const shape = [y, x, z] as const;
  if (shape.some((size) => size < 1)) throw invalid(`a shape of [${shape.join(', ')}]`);
  if (executions < 1) throw invalid(`${executions} executions`);
  const elements = fields.shape === null ? y * x * z : elementsOf(rangesOf(fields.shape.ranges, invalid));
  if (elements !== y * x * z) throw invalid(`${elements} elements for a shape of [${shape.join(', ')}]`);
  const bytes = elements * known.bytes;
  if (fields.bytes < bytes) throw invalid(`${fields.bytes} bytes for ${bytes} of elements`);
  limits.spend('bytes', executions * fields.bytes, invalid);
  const one = new Runs((count) => limits.spend('pieces', count, invalid));
  if (role === 'output') placeOutput(one, fields, known.bytes, invalid);
  else one.add({ from: 0, to: 0, bytes });
  if (one.bytes !== bytes) throw invalid(`a layout of ${one.bytes} bytes for ${bytes} of elements`);
  for (const run of one.list)
    if (run.from < 0 || run.from + run.bytes > fields.bytes)
      throw invalid(`a layout that leaves ${fields.bytes} bytes, at byte ${run.from}`);
  const runs = one.repeated(executions, bytes, fields.bytes).list;
  const layout = fields.details?.kind === 'OutputLayer' ? fields.details.layout : null;
  return {
    name: fields.name ?? '',
    shape,
    type: known.type,
    quantization: numerics === null ? null : { scale: numerics.scale, zeroPoint: numerics.zeroPoint },
    executions,
    bytes: executions * bytes,
    paddedBytes: executions * fields.bytes,
    elementBytes: known.bytes,
    flipped: known.signed,
    runs: runs.length === 1 && runs[0]?.from === 0 && runs[0].to === 0 ? null : runs,
    tiles:
      layout === null || (y === 1 && x === 1)
        ? null
        : [new Set(layout.xToTile ?? []).size, new Set(layout.yToTile ?? []).size],
  };
}

/** Converts the bytes from the device to the tensor. */
export function tensorFrom(layer: Layer, received: Uint8Array): Uint8Array {
  const tensor = new Uint8Array(layer.bytes);
  if (layer.runs === null) tensor.set(received.subarray(0, layer.bytes));
  else for (const { from, to, bytes } of layer.runs) tensor.set(received.subarray(from, from + bytes), to);
  if (layer.flipped) flipHighestBits(tensor, layer.elementBytes);
  return tensor;
}

/** Converts a tensor to the bytes of the transfer; padding is 0. */
export function laidOut(layer: Layer, tensor: Uint8Array): Uint8Array {
  const source = layer.flipped ? tensor.slice() : tensor;
  if (layer.flipped) flipHighestBits(source, layer.elementBytes);
  if (layer.runs === null && layer.bytes === layer.paddedBytes) return source;
  const sent = new Uint8Array(layer.paddedBytes);
  if (layer.runs === null) sent.set(source);
  else for (const { from, to, bytes } of layer.runs) sent.set(source.subarray(to, to + bytes), from);
  return sent;
}

function flipHighestBits(bytes: Uint8Array, elementBytes: number): void {
  for (let i = elementBytes - 1; i < bytes.length; i += elementBytes) bytes[i] = elementAt(bytes, i) ^ 0x80;
}

function placeOutput(runs: Runs, fields: LayerFields, elementBytes: number, invalid: (reason: string) => Error): void {
  const { y: height, x: width, z: channels } = fields;
  const details = fields.details?.kind === 'OutputLayer' ? fields.details : null;
  if (details?.shapeInfo != null && fields.executions === 1)
    return placeSlices(runs, fields, details.shapeInfo, elementBytes, invalid);
  // A tensor with channels only has them one after another.
  if (height === 1 && width === 1) return runs.add({ from: 0, to: 0, bytes: channels * elementBytes });
  const layout = details?.layout;
  if (layout == null) throw invalid('an output of more than one position, without a layout');
  const entry = (list: Int32Array | null, index: number, what: string): number => {
    const value = list?.[index];
    if (value === undefined || value < 0) throw invalid(`a layout without ${what} ${index}`);
    return value;
  };
  const bytes = channels * elementBytes;
  for (let y = 0; y < height; y++) {
    const [firstTile, row] = [
      entry(layout.yToTile, y, 'the tile of row'),
      entry(layout.yToLocalRow, y, 'the place of row'),
    ];
    for (let x = 0; x < width; x++) {
      const tile = firstTile + entry(layout.xToTile, x, 'the tile of column');
      const element =
        entry(layout.tileOffsets, tile, 'tile') +
        row * entry(layout.xToRowBytes, x, 'rows of column') +
        entry(layout.xToLocalOffset, x, 'the place of column');
      runs.add({ from: element * elementBytes, to: (y * width + x) * bytes, bytes });
    }
  }
}

type ShapeInfo = NonNullable<Extract<NonNullable<LayerFields['details']>, { kind: 'OutputLayer' }>['shapeInfo']>;

/** Newer compilers store which part of the tensor each slice holds, and the stride of its elements. */
function placeSlices(
  runs: Runs,
  fields: LayerFields,
  { slices, sliceOffsets }: ShapeInfo,
  elementBytes: number,
  invalid: (reason: string) => Error,
): void {
  const whole = rangesOf(fields.shape?.ranges ?? null, invalid);
  const sizes = whole.map(([first, last]) => last - first + 1);
  const inner = sizes.map((_, d) => sizes.slice(d + 1).reduce((product, size) => product * size, 1));
  slices.forEach((slice, s) => {
    const ranges = rangesOf(slice.shape?.ranges ?? null, invalid);
    const strides = slice.strides ?? new Int32Array(0);
    const base = sliceOffsets?.[s];
    const fits = ranges.every(
      ([first, last], d) => first <= last && first >= (whole[d]?.[0] ?? 1) && last <= (whole[d]?.[1] ?? -1),
    );
    if (
      base === undefined ||
      base % elementBytes !== 0 ||
      ranges.length !== whole.length ||
      strides.length !== ranges.length ||
      !fits
    )
      throw invalid(`slice ${s} does not fit the tensor`);
    const innermost = ranges.length - 1;
    if (innermost < 0 || strides[innermost] !== 1) throw invalid(`slice ${s} is not stored element by element`);
    const visit = (dimension: number, from: number, to: number): void => {
      const [first, last] = elementAt(ranges, dimension);
      const start = first - (whole[dimension]?.[0] ?? 0);
      if (dimension === innermost) {
        runs.add({
          from: base + from * elementBytes,
          to: (to + start) * elementBytes,
          bytes: (last - first + 1) * elementBytes,
        });
        return;
      }
      for (let i = 0; i <= last - first; i++)
        visit(dimension + 1, from + i * (strides[dimension] ?? 0), to + (start + i) * (inner[dimension] ?? 1));
    };
    visit(0, 0, 0);
  });
}

/** Merge ranges that are adjacent in both. */
class Runs {
  readonly list: Run[] = [];
  bytes = 0;

  /** @param count called with each number of ranges. @throws if there are too many */
  constructor(private readonly count: (runs: number) => void) {}

  add({ from, to, bytes }: Run): void {
    this.count(1);
    this.bytes += bytes;
    const last = this.list.at(-1);
    if (last !== undefined && last.from + last.bytes === from && last.to + last.bytes === to)
      this.list[this.list.length - 1] = { ...last, bytes: last.bytes + bytes };
    else this.list.push({ from, to, bytes });
  }

  /** Whether two layers have the same layout. */
  repeated(executions: number, tensorBytes: number, paddedBytes: number): Runs {
    if (executions === 1) return this;
    const all = new Runs(this.count);
    for (let i = 0; i < executions; i++)
      for (const { from, to, bytes } of this.list)
        all.add({ from: from + i * paddedBytes, to: to + i * tensorBytes, bytes });
    return all;
  }
}

function rangesOf(ranges: Int32Array | null, invalid: (reason: string) => Error): (readonly [number, number])[] {
  if ((ranges?.length ?? 0) > 2 * maxDimensions) throw invalid(`${(ranges?.length ?? 0) / 2} dimensions`);
  return Array.from(
    { length: (ranges?.length ?? 0) / 2 },
    (_, i) => [defined(ranges?.[2 * i]), defined(ranges?.[2 * i + 1])] as const,
  );
}

function elementsOf(ranges: readonly (readonly [number, number])[]): number {
  return ranges.reduce((product, [first, last]) => product * Math.max(0, last - first + 1), 1);
}
