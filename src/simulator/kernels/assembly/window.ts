// The geometry of convolutions and pools, as written by the host (src/simulator/fast/packed-window.ts): 14 int32
// values.

@unmanaged
export class Window {
  batches: i32;
  inputHeight: i32;
  inputWidth: i32;
  inputChannels: i32;
  outputHeight: i32;
  outputWidth: i32;
  filterHeight: i32;
  filterWidth: i32;
  strideH: i32;
  strideW: i32;
  dilationH: i32;
  dilationW: i32;
  padTop: i32;
  padLeft: i32;
}

/** Whether each output position reads exactly one input position, which is inside the image. */
// @ts-ignore: decorator
@inline
export function isPointwise(window: Window): bool {
  return window.filterHeight == 1 && window.filterWidth == 1 && window.padTop == 0 && window.padLeft == 0;
}

/** Whether rows of the input can be used as matrix rows without copying. */
// @ts-ignore: decorator
@inline
export function isDense(window: Window): bool {
  return isPointwise(window) && window.strideH == 1 && window.strideW == 1;
}

/** Batch, row and column of an output position, as a cursor. */
@unmanaged
export class Cursor {
  batch: i32;
  y: i32;
  x: i32;
}

/** Sets the cursor to an output position. */
// @ts-ignore: decorator
@inline
export function seek(cursor: Cursor, window: Window, position: i32): void {
  const line = position / window.outputWidth;
  cursor.x = position - line * window.outputWidth;
  cursor.batch = line / window.outputHeight;
  cursor.y = line - cursor.batch * window.outputHeight;
}

/** Advances to the next output position, if there is one. */
// @ts-ignore: decorator
@inline
export function advance(cursor: Cursor, window: Window): void {
  cursor.x += 1;
  if (cursor.x < window.outputWidth) return;
  cursor.x = 0;
  cursor.y += 1;
  if (cursor.y < window.outputHeight) return;
  cursor.y = 0;
  cursor.batch += 1;
}

/** The first output position along one dimension whose window starts inside the image. */
// @ts-ignore: decorator
@inline
export function insideBegin(pad: i32, stride: i32, outputs: i32): i32 {
  return min((pad + stride - 1) / stride, outputs);
}

/**
 * One after the last output position whose window ends inside the image, but not before `insideBegin`.
 * @param reach distance from the first to the last tap
 */
// @ts-ignore: decorator
@inline
export function insideEnd(pad: i32, stride: i32, outputs: i32, inputs: i32, reach: i32): i32 {
  const room = inputs - 1 - reach + pad;
  return max(insideBegin(pad, stride, outputs), room < 0 ? 0 : min(room / stride + 1, outputs));
}
