// AVERAGE_POOL_2D and MAX_POOL_2D, 8 channels at a time; the last block overlaps the previous one if the number of
// channels is not a multiple of 8.

import { touch } from './bounds';
import { clampFloat } from './clamp';
import { Window } from './window';

const averageOfInt8: i32 = 0;
const maxOfInt8: i32 = 1;
const averageOfFloat: i32 = 2;

/**
 * Visits the output positions, each with the part of its window inside the image; `kind` is a constant after inlining.
 */
// @ts-ignore: decorator
@inline
function pool(kind: i32, geometry: usize, input: usize, output: usize, elementBytes: i32, low: v128, high: v128): void {
  const window = changetype<Window>(geometry);
  const channels = window.inputChannels;
  const pixel = elementBytes * channels;
  const line = window.inputWidth * pixel;
  for (let b = 0; b < window.batches; b++) {
    for (let y = 0; y < window.outputHeight; y++) {
      const top = max(0, y * window.strideH - window.padTop);
      const rows = min(window.inputHeight, y * window.strideH - window.padTop + window.filterHeight) - top;
      for (let x = 0; x < window.outputWidth; x++) {
        const left = max(0, x * window.strideW - window.padLeft);
        const columns = min(window.inputWidth, x * window.strideW - window.padLeft + window.filterWidth) - left;
        const first = input + <usize>((b * window.inputHeight + top) * line + left * pixel);
        if (kind == averageOfInt8) averageInt8At(first, rows, columns, line, channels, output, low, high);
        else if (kind == maxOfInt8) maxInt8At(first, rows, columns, line, channels, output, low, high);
        else averageFloatAt(first, rows, columns, line, channels, output, low, high);
        output += pixel;
      }
    }
  }
}

export function averageInt8(geometry: usize, input: usize, output: usize, low: i32, high: i32): void {
  pool(averageOfInt8, geometry, input, output, 1, i8x16.splat(<i8>low), i8x16.splat(<i8>high));
}

export function maxInt8(geometry: usize, input: usize, output: usize, low: i32, high: i32): void {
  pool(maxOfInt8, geometry, input, output, 1, i8x16.splat(<i8>low), i8x16.splat(<i8>high));
}

/** Sums run in the order of the window's elements, as in the reference kernel. */
export function averageFloat(geometry: usize, input: usize, output: usize, low: f32, high: f32): void {
  pool(averageOfFloat, geometry, input, output, 4, f32x4.splat(low), f32x4.splat(high));
}

function averageInt8At(first: usize, rows: i32, columns: i32, line: i32, channels: i32, output: usize, low: v128,
    high: v128): void {
  const count = rows * columns;
  const half = f32x4.splat(<f32>(count / 2)), divisor = f32x4.splat(<f32>count);
  for (let channel = 0; channel < channels; channel += 8) {
    const at = <usize>min(channel, channels - 8);
    let low4 = i32x4.splat(0), high4 = i32x4.splat(0);
    for (let r = 0; r < rows; r++) {
      let from = first + at + <usize>(r * line);
      for (let c = 0; c < columns; c++) {
        touch(from, 8);
        const values = v128.load8x8_s(from);
        low4 = i32x4.add(low4, i32x4.extend_low_i16x8_s(values));
        high4 = i32x4.add(high4, i32x4.extend_high_i16x8_s(values));
        from += channels;
      }
    }
    const narrow = i16x8.narrow_i32x4_s(divide(low4, half, divisor), divide(high4, half, divisor));
    touch(output + at, 8);
    v128.store64_lane(output + at, i8x16.min_s(i8x16.max_s(i8x16.narrow_i16x8_s(narrow, narrow), low), high), 0);
  }
}

/** (sum + half with the sum's sign) / divisor, truncated: exact in float32 for fewer than 2^16 elements. */
// @ts-ignore: decorator
@inline
function divide(sums: v128, half: v128, divisor: v128): v128 {
  const value = f32x4.convert_i32x4_s(sums);
  const sign = v128.and(value, f32x4.splat(-0.0));
  return i32x4.trunc_sat_f32x4_s(f32x4.div(f32x4.add(value, v128.or(sign, half)), divisor));
}

function maxInt8At(first: usize, rows: i32, columns: i32, line: i32, channels: i32, output: usize, low: v128,
    high: v128): void {
  for (let channel = 0; channel < channels; channel += 8) {
    const at = <usize>min(channel, channels - 8);
    let largest = low;
    for (let r = 0; r < rows; r++) {
      let from = first + at + <usize>(r * line);
      for (let c = 0; c < columns; c++) {
        touch(from, 8);
        largest = i8x16.max_s(largest, v128.load64_zero(from));
        from += channels;
      }
    }
    touch(output + at, 8);
    v128.store64_lane(output + at, i8x16.min_s(largest, high), 0);
  }
}

function averageFloatAt(first: usize, rows: i32, columns: i32, line: i32, channels: i32, output: usize, low: v128,
    high: v128): void {
  const divisor = f32x4.splat(<f32>(rows * columns));
  for (let channel = 0; channel < channels; channel += 8) {
    const at: usize = 4 * <usize>min(channel, channels - 8);
    let low4 = f32x4.splat(0), high4 = f32x4.splat(0);
    for (let r = 0; r < rows; r++) {
      let from = first + at + <usize>(r * line);
      for (let c = 0; c < columns; c++) {
        touch(from, 32);
        low4 = f32x4.add(low4, v128.load(from));
        high4 = f32x4.add(high4, v128.load(from, 16));
        from += 4 * channels;
      }
    }
    touch(output + at, 32);
    v128.store(output + at, clampFloat(f32x4.div(low4, divisor), low, high));
    v128.store(output + at, clampFloat(f32x4.div(high4, divisor), low, high), 16);
  }
}

/** For every batch and channel, the int32 sum over `positions`. At least 8 channels. */
export function channelSumsInt8(input: usize, batches: i32, positions: i32, channels: i32, sums: usize): void {
  for (let b = 0; b < batches; b++) {
    for (let channel = 0; channel < channels; channel += 8) {
      const at = <usize>min(channel, channels - 8);
      let low4 = i32x4.splat(0), high4 = i32x4.splat(0);
      let from = input + at;
      for (let i = 0; i < positions; i++) {
        touch(from, 8);
        const values = v128.load8x8_s(from);
        low4 = i32x4.add(low4, i32x4.extend_low_i16x8_s(values));
        high4 = i32x4.add(high4, i32x4.extend_high_i16x8_s(values));
        from += channels;
      }
      touch(sums + 4 * at, 32);
      v128.store(sums + 4 * at, low4);
      v128.store(sums + 4 * at, high4, 16);
    }
    input += positions * channels;
    sums += 4 * channels;
  }
}
