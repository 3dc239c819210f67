// Gathers the input at one position of a window, channel after channel, with `outside` beyond the image: the row that a
// convolution multiplies with its filters.

import type { ElementArray } from './operator.js';
import type { Window } from './window.js';

export type Row = Float32Array | Int32Array;

/**
 * Copies the patch for output position (y, x) into `row`, adding `offset` to every element. Elements outside the image
 * become 0, equivalent to the reference kernels, which skip them.
 */
export function gatherPatch(
  row: Row,
  input: ElementArray,
  window: Window,
  batch: number,
  y: number,
  x: number,
  firstChannel: number,
  channels: number,
  offset: number,
): void {
  const { inputHeight, inputWidth, inputChannels, filterHeight, filterWidth, dilationH, dilationW } = window;
  const top = y * window.strideH - window.padTop;
  const left = x * window.strideW - window.padLeft;
  let to = 0;
  for (let ky = 0; ky < filterHeight; ky++) {
    const inY = top + ky * dilationH;
    for (let kx = 0; kx < filterWidth; kx++) {
      const inX = left + kx * dilationW;
      if (inY < 0 || inY >= inputHeight || inX < 0 || inX >= inputWidth) {
        row.fill(0, to, to + channels);
        to += channels;
        continue;
      }
      const from = ((batch * inputHeight + inY) * inputWidth + inX) * inputChannels + firstChannel;
      for (let c = 0; c < channels; c++) row[to++] = (input[from + c] as number) + offset;
    }
  }
}
