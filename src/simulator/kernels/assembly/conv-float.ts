// CONV_2D and FULLY_CONNECTED in float32. Four rows are interleaved; a panel holds 8 filters: 8 biases, then 8 weights
// for each depth element. Every output is summed in order of depth with the bias last, like the reference kernel: same
// bits.

import { touch } from './bounds';
import { clampFloat } from './clamp';
import { rowUnder } from './patch';
import { advance, Cursor, seek, Window } from './window';

/** @param scratch 16 bytes, 16 * depth of packed rows, 16 * depth of patches */
export function convFloat(
  geometry: usize, input: usize, output: usize, panels: usize, scratch: usize,
  depth: i32, firstInput: i32, groupChannels: i32, outputChannels: i32, firstOutput: i32, channels: i32,
  low: f32, high: f32,
): void {
  const window = changetype<Window>(geometry);
  const positions = window.batches * window.outputHeight * window.outputWidth;
  const rowBytes: usize = 4 * <usize>depth;
  const cursor = changetype<Cursor>(scratch);
  const packed = scratch + 16;
  const patches = packed + 16 * <usize>depth;
  const out = output + 4 * firstOutput;
  const outBytes = 4 * outputChannels;
  const first = 4 * firstInput, run = 4 * groupChannels;
  for (let position = 0; position < positions; position += 4) {
    const p0 = max(0, min(position, positions - 4));
    const p1 = min(p0 + 1, positions - 1), p2 = min(p0 + 2, positions - 1), p3 = min(p0 + 3, positions - 1);
    seek(cursor, window, p0);
    const row0 = rowUnder(window, input, cursor, 4, first, run, 0, patches);
    if (p1 > p0) advance(cursor, window);
    const row1 = rowUnder(window, input, cursor, 4, first, run, 0, patches + rowBytes);
    if (p2 > p1) advance(cursor, window);
    const row2 = rowUnder(window, input, cursor, 4, first, run, 0, patches + 2 * rowBytes);
    if (p3 > p2) advance(cursor, window);
    const row3 = rowUnder(window, input, cursor, 4, first, run, 0, patches + 3 * rowBytes);
    packRows(row0, row1, row2, row3, depth, packed);
    multiply4(packed, depth, panels, channels, out + p0 * outBytes, out + p1 * outBytes, out + p2 * outBytes,
        out + p3 * outBytes, low, high);
  }
}

/** Rows of `depth` times `units` filters. @param scratch 16 * depth bytes */
export function denseFloat(input: usize, output: usize, panels: usize, scratch: usize, rows: i32, depth: i32,
    units: i32, low: f32, high: f32): void {
  const rowBytes = 4 * depth, outBytes = 4 * units;
  let row = 0;
  for (; row + 4 <= rows; row += 4) {
    const from = input + row * rowBytes;
    const to = output + row * outBytes;
    packRows(from, from + rowBytes, from + 2 * rowBytes, from + 3 * rowBytes, depth, scratch);
    multiply4(scratch, depth, panels, units, to, to + outBytes, to + 2 * outBytes, to + 3 * outBytes, low, high);
  }
  for (; row < rows; row++) multiply1(input + row * rowBytes, depth, panels, units, output + row * outBytes, low, high);
}

/** Interleaves four rows: element by element, the four rows. */
function packRows(row0: usize, row1: usize, row2: usize, row3: usize, depth: i32, packed: usize): void {
  const bytes: usize = 4 * <usize>depth;
  touch(row0, bytes); touch(row1, bytes); touch(row2, bytes); touch(row3, bytes);
  touch(packed, 4 * bytes);
  let at: usize = 0;
  for (; at + 16 <= bytes; at += 16) {
    const a = v128.load(row0 + at), b = v128.load(row1 + at), c = v128.load(row2 + at), d = v128.load(row3 + at);
    const ab0 = v128.shuffle<i32>(a, b, 0, 4, 1, 5), ab1 = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
    const cd0 = v128.shuffle<i32>(c, d, 0, 4, 1, 5), cd1 = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
    v128.store(packed, v128.shuffle<i64>(ab0, cd0, 0, 2));
    v128.store(packed, v128.shuffle<i64>(ab0, cd0, 1, 3), 16);
    v128.store(packed, v128.shuffle<i64>(ab1, cd1, 0, 2), 32);
    v128.store(packed, v128.shuffle<i64>(ab1, cd1, 1, 3), 48);
    packed += 64;
  }
  for (; at < bytes; at += 4) {
    store<f32>(packed, load<f32>(row0 + at));
    store<f32>(packed, load<f32>(row1 + at), 4);
    store<f32>(packed, load<f32>(row2 + at), 8);
    store<f32>(packed, load<f32>(row3 + at), 12);
    packed += 16;
  }
}

// @ts-ignore: decorator
@inline
function storeChannels(out: usize, y0: v128, y1: v128, channel: i32, channels: i32): void {
  if (channels >= 8) {
    const at: usize = 4 * <usize>min(channel, channels - 8);
    touch(out + at, 32);
    v128.store(out + at, y0);
    v128.store(out + at, y1, 16);
  } else storeFew(out, y0, y1, channels);
}

function storeFew(out: usize, y0: v128, y1: v128, count: i32): void {
  touch(out, 4 * count);
  store<f32>(out, f32x4.extract_lane(y0, 0));
  if (count > 1) store<f32>(out, f32x4.extract_lane(y0, 1), 4);
  if (count > 2) store<f32>(out, f32x4.extract_lane(y0, 2), 8);
  if (count > 3) store<f32>(out, f32x4.extract_lane(y0, 3), 12);
  if (count > 4) store<f32>(out, f32x4.extract_lane(y1, 0), 16);
  if (count > 5) store<f32>(out, f32x4.extract_lane(y1, 1), 20);
  if (count > 6) store<f32>(out, f32x4.extract_lane(y1, 2), 24);
}

function multiply4(packed: usize, depth: i32, panels: usize, channels: i32, out0: usize, out1: usize, out2: usize,
    out3: usize, lowest: f32, highest: f32): void {
  const low = f32x4.splat(lowest), high = f32x4.splat(highest);
  for (let channel = 0; channel < channels; channel += 8) {
    let c00 = f32x4.splat(0), c01 = c00, c10 = c00, c11 = c00, c20 = c00, c21 = c00, c30 = c00, c31 = c00;
    touch(panels, 32 + 32 * <usize>depth);
    const b0 = v128.load(panels), b1 = v128.load(panels, 16);
    let w = panels + 32;
    let a = packed;
    const end = w + 32 * <usize>depth;
    for (; w < end; w += 32) {
      const w0 = v128.load(w), w1 = v128.load(w, 16);
      let x = v128.load32_splat(a);
      c00 = f32x4.add(c00, f32x4.mul(x, w0));
      c01 = f32x4.add(c01, f32x4.mul(x, w1));
      x = v128.load32_splat(a, 4);
      c10 = f32x4.add(c10, f32x4.mul(x, w0));
      c11 = f32x4.add(c11, f32x4.mul(x, w1));
      x = v128.load32_splat(a, 8);
      c20 = f32x4.add(c20, f32x4.mul(x, w0));
      c21 = f32x4.add(c21, f32x4.mul(x, w1));
      x = v128.load32_splat(a, 12);
      c30 = f32x4.add(c30, f32x4.mul(x, w0));
      c31 = f32x4.add(c31, f32x4.mul(x, w1));
      a += 16;
    }
    storeChannels(out0, clampFloat(f32x4.add(c00, b0), low, high), clampFloat(f32x4.add(c01, b1), low, high),
        channel, channels);
    storeChannels(out1, clampFloat(f32x4.add(c10, b0), low, high), clampFloat(f32x4.add(c11, b1), low, high),
        channel, channels);
    storeChannels(out2, clampFloat(f32x4.add(c20, b0), low, high), clampFloat(f32x4.add(c21, b1), low, high),
        channel, channels);
    storeChannels(out3, clampFloat(f32x4.add(c30, b0), low, high), clampFloat(f32x4.add(c31, b1), low, high),
        channel, channels);
    panels = end;
  }
}

function multiply1(row: usize, depth: i32, panels: usize, channels: i32, out: usize, lowest: f32, highest: f32): void {
  const low = f32x4.splat(lowest), high = f32x4.splat(highest);
  touch(row, 4 * <usize>depth);
  for (let channel = 0; channel < channels; channel += 8) {
    let c0 = f32x4.splat(0), c1 = c0;
    touch(panels, 32 + 32 * <usize>depth);
    let w = panels + 32;
    let a = row;
    const end = w + 32 * <usize>depth;
    for (; w < end; w += 32) {
      const x = v128.load32_splat(a);
      c0 = f32x4.add(c0, f32x4.mul(x, v128.load(w)));
      c1 = f32x4.add(c1, f32x4.mul(x, v128.load(w, 16)));
      a += 4;
    }
    storeChannels(out, clampFloat(f32x4.add(c0, v128.load(panels)), low, high), clampFloat(f32x4.add(c1,
        v128.load(panels, 16)), low, high), channel, channels);
    panels = end;
  }
}
