// Gathers the input for one output position of a window: the row that a convolution multiplies with its filters.

import { touch } from './bounds';
import { Cursor, isPointwise, Window } from './window';

/** Copies `bytes` bytes; the last block overlaps the previous one. The regions do not overlap. */
// @ts-ignore: decorator
@inline
function copyBytes(to: usize, from: usize, bytes: i32): void {
  touch(from, bytes);
  touch(to, bytes);
  if (bytes >= 8) {
    const last = bytes - 8;
    for (let i = 0; i < last; i += 8) store<u64>(to + i, load<u64>(from + i));
    store<u64>(to + last, load<u64>(from + last));
  } else if (bytes >= 4) {
    store<u32>(to, load<u32>(from));
    store<u32>(to + bytes - 4, load<u32>(from + bytes - 4));
  } else {
    for (let i = 0; i < bytes; i++) store<u8>(to + i, load<u8>(from + i));
  }
}

/**
 * Returns the row for an output position: the input itself if every position reads exactly one, otherwise a patch
 * written to `row`, channel after channel.
 * @param elementBytes 1, 2 or 4
 * @param run bytes of the channels that are read at each input position, from `firstByte` of its channels
 * @param outside byte for elements outside the image
 */
export function rowUnder(window: Window, input: usize, cursor: Cursor, elementBytes: i32, firstByte: i32, run: i32,
    outside: i32, row: usize): usize {
  const top = cursor.y * window.strideH - window.padTop;
  const left = cursor.x * window.strideW - window.padLeft;
  const pixel = window.inputChannels * elementBytes;
  if (isPointwise(window)) {
    const position = (cursor.batch * window.inputHeight + top) * window.inputWidth + left;
    return input + <usize>(position * pixel + firstByte);
  }
  const whole = window.dilationW == 1 && run == pixel && left >= 0 && left + window.filterWidth <= window.inputWidth;
  const rowBytes = run * window.filterWidth;
  let to = row;
  for (let ky = 0; ky < window.filterHeight; ky++) {
    const inY = top + ky * window.dilationH;
    if (<u32>inY >= <u32>window.inputHeight) {
      touch(to, rowBytes);
      memory.fill(to, <u8>outside, rowBytes);
      to += rowBytes;
      continue;
    }
    const line = input + <usize>((cursor.batch * window.inputHeight + inY) * window.inputWidth * pixel + firstByte);
    if (whole) {
      copyBytes(to, line + left * pixel, rowBytes);
      to += rowBytes;
      continue;
    }
    for (let kx = 0; kx < window.filterWidth; kx++) {
      const inX = left + kx * window.dilationW;
      if (<u32>inX >= <u32>window.inputWidth) {
        touch(to, run);
        for (let i = 0; i < run; i++) store<u8>(to + i, <u8>outside);
      } else copyBytes(to, line + inX * pixel, run);
      to += run;
    }
  }
  return row;
}
