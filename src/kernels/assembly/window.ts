// The geometry of convolutions and pools, as the host writes it (src/simulator/fast/window.ts): 14 times int32.

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

/** Address of the input element that lies under the top left of output position `position`, for pointwise windows of `bytes` wide elements. */
// @ts-ignore: decorator
@inline
export function pointwiseRow(window: Window, input: usize, position: i32, bytes: i32): usize {
  const perImage = window.outputHeight * window.outputWidth;
  const batch = position / perImage;
  const within = position - batch * perImage;
  const y = within / window.outputWidth;
  const x = within - y * window.outputWidth;
  const row = (batch * window.inputHeight + y * window.strideH) * window.inputWidth + x * window.strideW;
  return input + <usize>(row * window.inputChannels * bytes);
}

/** The first output position along one dimension whose window begins inside the image. */
// @ts-ignore: decorator
@inline
export function insideBegin(pad: i32, stride: i32, outputs: i32): i32 {
  return min((pad + stride - 1) / stride, outputs);
}

/** One after the last output position whose window ends inside the image, and not before `insideBegin`. @param reach distance from first to last tap */
// @ts-ignore: decorator
@inline
export function insideEnd(pad: i32, stride: i32, outputs: i32, inputs: i32, reach: i32): i32 {
  const room = inputs - 1 - reach + pad;
  return max(insideBegin(pad, stride, outputs), room < 0 ? 0 : min(room / stride + 1, outputs));
}
