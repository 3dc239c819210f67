// The geometry of a window in the layout of src/simulator/kernels/assembly/window.ts.

import type { LinearMemory } from '../kernels/index.js';
import type { Window } from '../operators/window.js';

/** @returns the address of 14 int32 values */
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
