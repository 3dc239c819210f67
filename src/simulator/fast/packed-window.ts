// The geometry of a window as src/simulator/kernels/assembly/window.ts reads it.

import type { LinearMemory } from '../kernels/index.js';
import type { Window } from '../operators/window.js';

/** @returns the address of 14 times int32 */
export function placeWindow(memory: LinearMemory, window: Window): number {
  return memory.place(
    Int32Array.of(
      window.batches,
      window.inputHeight,
      window.inputWidth,
      window.inputChannels,
      window.outputHeight,
      window.outputWidth,
      window.filterHeight,
      window.filterWidth,
      window.strideH,
      window.strideW,
      window.dilationH,
      window.dilationW,
      window.padTop,
      window.padLeft,
    ),
  );
}
