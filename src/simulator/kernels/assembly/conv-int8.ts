// CONV_2D and FULLY_CONNECTED in int8: rows or patches of the input times packed filters.

import { multiply1, multiply4, packRows } from './gemm-int8';
import { rowUnder } from './patch';
import { advance, Cursor, isDense, isPointwise, seek, Window } from './window';

/**
 * One group of a convolution.
 * @param outputChannels of all groups; this one writes `channels` from `firstOutput`
 * @param scratch 16 bytes; 64 * ceil(depth / 8) of packed rows; 4 * 8 * ceil(depth / 8) of patches
 */
export function convInt8(
  geometry: usize, input: usize, output: usize, panels: usize, scratch: usize,
  depth: i32, firstInput: i32, groupChannels: i32, outputChannels: i32, firstOutput: i32, channels: i32,
  inputZero: i32, low: i32, high: i32,
): void {
  const window = changetype<Window>(geometry);
  const cursor = changetype<Cursor>(scratch);
  const positions = window.batches * window.outputHeight * window.outputWidth;
  const padded = (depth + 7) & ~7;
  const packed = scratch + 16;
  const patches = packed + 8 * padded;
  const dense = isDense(window);
  const pointwise = isPointwise(window);
  const pixel = window.inputChannels;
  const out = output + firstOutput;
  if (dense && positions < 4) {
    for (let position = 0; position < positions; position++) {
      const row = input + firstInput + position * pixel;
      multiply1(row, depth, panels, channels, out + position * outputChannels, low, high, packed);
    }
    return;
  }
  for (let position = 0; position < positions; position += 4) {
    // The last four overlap the previous ones; if there are fewer than four in total, the last one is repeated.
    const p0 = max(0, min(position, positions - 4));
    const p1 = min(p0 + 1, positions - 1), p2 = min(p0 + 2, positions - 1), p3 = min(p0 + 3, positions - 1);
    if (dense) {
      const from = input + firstInput;
      packRows(from + p0 * pixel, from + p1 * pixel, from + p2 * pixel, from + p3 * pixel, depth, depth, packed);
    } else {
      seek(cursor, window, p0);
      const row0 = rowUnder(window, input, cursor, 1, firstInput, groupChannels, inputZero, patches);
      if (p1 > p0) advance(cursor, window);
      const row1 = rowUnder(window, input, cursor, 1, firstInput, groupChannels, inputZero, patches + padded);
      if (p2 > p1) advance(cursor, window);
      const row2 = rowUnder(window, input, cursor, 1, firstInput, groupChannels, inputZero, patches + 2 * padded);
      if (p3 > p2) advance(cursor, window);
      const row3 = rowUnder(window, input, cursor, 1, firstInput, groupChannels, inputZero, patches + 3 * padded);
      packRows(row0, row1, row2, row3, depth, pointwise ? depth : padded, packed);
    }
    multiply4(
      packed, depth, panels, channels,
      out + p0 * outputChannels, out + p1 * outputChannels, out + p2 * outputChannels, out + p3 * outputChannels,
      low, high,
    );
  }
}

/** Rows of `depth` times `units` filters. @param scratch 64 * ceil(depth / 8) bytes */
export function denseInt8(
  input: usize, output: usize, panels: usize, scratch: usize,
  rows: i32, depth: i32, units: i32, low: i32, high: i32,
): void {
  let row = 0;
  for (; row + 4 <= rows; row += 4) {
    const from = input + row * depth;
    const to = output + row * units;
    packRows(from, from + depth, from + 2 * depth, from + 3 * depth, depth, depth, scratch);
    multiply4(scratch, depth, panels, units, to, to + units, to + 2 * units, to + 3 * units, low, high);
  }
  for (; row < rows; row++) multiply1(input + row * depth, depth, panels, units, output + row * units, low, high,
      scratch);
}
