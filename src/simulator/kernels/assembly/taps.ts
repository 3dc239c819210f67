// Addresses of the input for each tap of a filter, for kernels that traverse the taps for every channel.

import { Window } from './window';

/** Writes the input address for every tap of an output position; `outside` for taps outside the image. */
export function tapAddresses(window: Window, input: usize, b: i32, y: i32, x: i32, elementBytes: i32, outside: usize,
    table: usize): void {
  const top = y * window.strideH - window.padTop;
  const left = x * window.strideW - window.padLeft;
  const pixel = window.inputChannels * elementBytes;
  const bottom = top + window.filterHeight * window.dilationH;
  const right = left + window.filterWidth * window.dilationW;
  for (let inY = top; inY < bottom; inY += window.dilationH) {
    const line = input + <usize>((b * window.inputHeight + inY) * window.inputWidth * pixel);
    const isInside = <u32>inY < <u32>window.inputHeight;
    for (let inX = left; inX < right; inX += window.dilationW) {
      store<u32>(table, isInside && <u32>inX < <u32>window.inputWidth ? <u32>(line + inX * pixel) : <u32>outside);
      table += 4;
    }
  }
}

/** Writes the distance of every tap from the first one. */
export function tapOffsets(window: Window, elementBytes: i32, table: usize): void {
  const pixel = window.inputChannels * elementBytes;
  for (let ky = 0; ky < window.filterHeight; ky++) {
    for (let kx = 0; kx < window.filterWidth; kx++) {
      store<u32>(table, <u32>((ky * window.dilationH * window.inputWidth + kx * window.dilationW) * pixel));
      table += 4;
    }
  }
}
