// CONV_2D and FULLY_CONNECTED in int8: rows of the input, or patches of it, times packed filters.

import { multiply1, multiply4, packRows } from './gemm-int8';
import { gatherPatch } from './patch';
import { isPointwise, pointwiseRow, Window } from './window';

/**
 * One group of a convolution.
 * @param depth length of a filter; `groupChannels` input channels from `firstInput`
 * @param positive whether only results at or above the zero point matter
 * @param outputChannels of all groups; this one writes `channels` from `firstOutput`
 * @param scratch 64 * ceil(depth / 8) bytes of packed rows, then 4 * depth of patches
 */
export function convInt8(
  geometry: usize, input: usize, output: usize, panels: usize, scratch: usize,
  depth: i32, firstInput: i32, groupChannels: i32, outputChannels: i32, firstOutput: i32, channels: i32,
  inputZero: i32, positive: bool, outputZero: i32, low: i32, high: i32,
): void {
  const window = changetype<Window>(geometry);
  const positions = window.batches * window.outputHeight * window.outputWidth;
  const patches = scratch + 64 * <usize>((depth + 7) / 8);
  const direct = isPointwise(window);
  const out = output + firstOutput;
  for (let position = 0; position < positions; position += 4) {
    // The last four overlap the ones before; fewer than four in all repeat the last.
    const p0 = max(0, min(position, positions - 4));
    const p1 = min(p0 + 1, positions - 1), p2 = min(p0 + 2, positions - 1), p3 = min(p0 + 3, positions - 1);
    let row0 = patches, row1 = patches + depth, row2 = row1 + depth, row3 = row2 + depth;
    if (direct) {
      row0 = pointwiseRow(window, input, p0, 1) + firstInput;
      row1 = pointwiseRow(window, input, p1, 1) + firstInput;
      row2 = pointwiseRow(window, input, p2, 1) + firstInput;
      row3 = pointwiseRow(window, input, p3, 1) + firstInput;
    } else {
      gatherPatch(window, input, p0, 1, firstInput, groupChannels, inputZero, row0);
      gatherPatch(window, input, p1, 1, firstInput, groupChannels, inputZero, row1);
      gatherPatch(window, input, p2, 1, firstInput, groupChannels, inputZero, row2);
      gatherPatch(window, input, p3, 1, firstInput, groupChannels, inputZero, row3);
    }
    packRows(row0, row1, row2, row3, depth, scratch);
    multiply4(
      scratch, depth, panels, channels,
      out + p0 * outputChannels, out + p1 * outputChannels, out + p2 * outputChannels, out + p3 * outputChannels,
      positive, outputZero, low, high,
    );
  }
}

/** Rows of `depth` times `units` filters. @param scratch 64 * ceil(depth / 8) bytes */
export function denseInt8(
  input: usize, output: usize, panels: usize, scratch: usize,
  rows: i32, depth: i32, units: i32, positive: bool, outputZero: i32, low: i32, high: i32,
): void {
  let row = 0;
  for (; row + 4 <= rows; row += 4) {
    const from = input + row * depth;
    const to = output + row * units;
    packRows(from, from + depth, from + 2 * depth, from + 3 * depth, depth, scratch);
    multiply4(scratch, depth, panels, units, to, to + units, to + 2 * units, to + 3 * units, positive, outputZero, low, high);
  }
  for (; row < rows; row++) multiply1(input + row * depth, depth, panels, units, output + row * units, positive, outputZero, low, high, scratch);
}
