// CONV_2D and FULLY_CONNECTED in int16x8: rows or patches of the input times int8 filters. Filters are stored back to
// back, each padded with zeros to a multiple of 8; sums fit into 32 bits, which the host checks.

import { touch } from './bounds';
import { rowUnder } from './patch';
import { sumOf4, toInt16, wideConstants } from './wide';
import { advance, Cursor, seek, Window } from './window';

/** A row of int16, padded with zeros like the filters, times `channels` of them. */
function multiply(row: usize, padded: i32, weights: usize, constants: usize, channels: i32, output: usize, low: i32,
    high: i32): void {
  touch(row, 2 * padded);
  touch(weights, channels * padded);
  touch(constants, wideConstants * <usize>channels);
  touch(output, 2 * channels);
  const end = row + 2 * padded;
  let channel = 0;
  for (; channel + 4 <= channels; channel += 4) {
    let c0 = i32x4.splat(0), c1 = c0, c2 = c0, c3 = c0;
    let w0 = weights, w1 = w0 + padded, w2 = w1 + padded, w3 = w2 + padded;
    for (let at = row; at < end; at += 16) {
      const x = v128.load(at);
      c0 = i32x4.add(c0, i32x4.dot_i16x8_s(x, v128.load8x8_s(w0)));
      c1 = i32x4.add(c1, i32x4.dot_i16x8_s(x, v128.load8x8_s(w1)));
      c2 = i32x4.add(c2, i32x4.dot_i16x8_s(x, v128.load8x8_s(w2)));
      c3 = i32x4.add(c3, i32x4.dot_i16x8_s(x, v128.load8x8_s(w3)));
      w0 += 8;
      w1 += 8;
      w2 += 8;
      w3 += 8;
    }
    store<i16>(output, toInt16(sumOf4(c0), constants, low, high));
    store<i16>(output, toInt16(sumOf4(c1), constants + wideConstants, low, high), 2);
    store<i16>(output, toInt16(sumOf4(c2), constants + 2 * wideConstants, low, high), 4);
    store<i16>(output, toInt16(sumOf4(c3), constants + 3 * wideConstants, low, high), 6);
    weights += 4 * padded;
    constants += 4 * wideConstants;
    output += 8;
  }
  for (; channel < channels; channel++) {
    let sums = i32x4.splat(0);
    for (let at = row; at < end; at += 16) {
      sums = i32x4.add(sums, i32x4.dot_i16x8_s(v128.load(at), v128.load8x8_s(weights)));
      weights += 8;
    }
    store<i16>(output, toInt16(sumOf4(sums), constants, low, high));
    constants += wideConstants;
    output += 2;
  }
}

/**
 * One group of a convolution; counts are of elements.
 * @param outputChannels of all groups; this one writes `channels` from `firstOutput`
 * @param scratch 16 bytes, then a padded row
 */
export function convInt16(
  geometry: usize, input: usize, output: usize, weights: usize, constants: usize, scratch: usize,
  depth: i32, firstInput: i32, groupChannels: i32, outputChannels: i32, firstOutput: i32, channels: i32, low: i32,
      high: i32,
): void {
  const window = changetype<Window>(geometry);
  const cursor = changetype<Cursor>(scratch);
  const positions = window.batches * window.outputHeight * window.outputWidth;
  const padded = (depth + 7) & ~7;
  const row = scratch + 16;
  touch(row, 2 * padded);
  memory.fill(row, 0, 2 * padded);
  seek(cursor, window, 0);
  let to = output + 2 * firstOutput;
  for (let position = 0; position < positions; position++) {
    const from = rowUnder(window, input, cursor, 2, 2 * firstInput, 2 * groupChannels, 0, row);
    if (from != row) copyRow(row, from, depth);
    multiply(row, padded, weights, constants, channels, to, low, high);
    to += 2 * outputChannels;
    advance(cursor, window);
  }
}

/** @param scratch a padded row */
export function denseInt16(
  input: usize, output: usize, weights: usize, constants: usize, scratch: usize, rows: i32, depth: i32, units: i32,
      low: i32, high: i32,
): void {
  const padded = (depth + 7) & ~7;
  touch(scratch, 2 * padded);
  memory.fill(scratch, 0, 2 * padded);
  for (let row = 0; row < rows; row++) {
    copyRow(scratch, input + 2 * row * depth, depth);
    multiply(scratch, padded, weights, constants, units, output + 2 * row * units, low, high);
  }
}

// @ts-ignore: decorator
@inline
function copyRow(to: usize, from: usize, depth: i32): void {
  touch(from, 2 * depth);
  memory.copy(to, from, 2 * depth);
}
