// RESIZE_BILINEAR in int8 and float32.

import { inputOf } from '../operators/operator.js';
import { resizeOf, type SampledLine } from '../operators/resize-bilinear.js';
import { addressesOf, type FastKernel } from './fast-kernel.js';

export const fastResizeBilinear: FastKernel = (context, memory) => {
  const { type } = inputOf(context, 0);
  if (type !== 'int8' && type !== 'float32') return null;
  const { input, output, rows, columns } = resizeOf(context);
  const addresses = addressesOf(input, output);
  if (addresses === null) return null;
  const float = type === 'float32';
  const [from, to] = addresses as [number, number];
  const [batches, height, width, channels] = input.shape as [number, number, number, number];
  const [placedRows, placedColumns] = [memory.place(linesOf(rows, float)), memory.place(linesOf(columns, float))];
  const geometry = [from, to, placedRows, rows.length, placedColumns, columns.length, batches, height, width, channels];
  return (kernels) => (float ? kernels.resizeBilinearFloat : kernels.resizeBilinearInt8)(...geometry);
};

/** Two int32 and a distance: int32, or float32. */
function linesOf(lines: readonly SampledLine[], float: boolean): Uint8Array {
  const out = new DataView(new ArrayBuffer(12 * lines.length));
  for (const [i, { first, second, distance }] of lines.entries()) {
    out.setInt32(12 * i, first, true);
    out.setInt32(12 * i + 4, second, true);
    if (float) out.setFloat32(12 * i + 8, distance, true);
    else out.setInt32(12 * i + 8, distance, true);
  }
  return new Uint8Array(out.buffer);
}
