// The two ways in which the kernels bring int32 sums to int8 (src/kernels/assembly/requantize.ts), and where each is exact.

/** A channel's multiplier and shift, as quantizeMultiplier gives them. */
export interface Rescaling {
  readonly multiplier: number;
  readonly shift: number;
}

/** Constants of 8 channels: 8 x int32 multiplier and 8 x float32 2^shift / 2; or, for positive results, 8 x float64 factor and 8 x float64 offset. */
export const constantsBytes = 128;

export function writeConstants(constants: DataView, column: number, { multiplier, shift }: Rescaling, positive: boolean): void {
  if (positive) {
    constants.setFloat64(8 * column, multiplier * 2 ** (shift - 31), true);
    // The half of a unit that the first of two roundings adds, and a trace less than any sum can make.
    constants.setFloat64(64 + 8 * column, (shift === 0 ? 0 : 2 ** (shift - 1)) + 2 ** (shift - 32), true);
  } else {
    constants.setInt32(4 * column, multiplier, true);
    constants.setFloat32(32 + 4 * column, 2 ** (shift - 1), true);
  }
}

/**
 * Whether every int8 result is exact. Larger ones saturate in either way.
 *
 * Positive: sums times the factor are multiples of 2^(shift - 31), the offset of half of that; up to 255 this fits 53 bits, and with sums
 * of 21 bits it always does.
 * Any: twice the rounded sum must stay whole in float32: with 14 bits of fraction and 8 before the point it does; or else all sums are
 * small enough.
 */
export function isExact({ multiplier, shift }: Rescaling, positive: boolean, largestSum: number): boolean {
  if (positive) return shift <= 0 && largestSum < 2 ** 31 && (shift >= -13 || largestSum < 2 ** 21);
  const largest = (largestSum * multiplier) / 2 ** 31;
  return shift <= -1 && largest < 2 ** 30 && (shift >= -14 || largest < 2 ** 23 - 1) && largest * 2 ** shift < 2 ** 22 - 512;
}

/** With it, a channel without weights gives the same result whatever the input: half of its bias, in halves. */
export const constantRescaling: Rescaling = { multiplier: 2 ** 30, shift: -1 };

export function constantBias(result: number): number {
  return 4 * result;
}
