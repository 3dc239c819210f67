/** Where TFLite Micro lays its buffers. */
export const arenaAlignment = 16;

/** The next multiple of `step`. */
export function alignUp(value: number, step = arenaAlignment): number {
  return Math.ceil(value / step) * step;
}
