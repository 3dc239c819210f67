// Lookup tables of TFLite's int16 operators: logistic and tanh share one of 256 values; softmax has two of 513 values
// with interpolation (tensorflow/lite/kernels/internal/common.h).

/** Entries of common.h's table that are one above the rounded value, to halve the interpolation error. */
const raised = new Set([
  4, 8, 12, 14, 15, 16, 17, 19, 20, 21, 22, 25, 27, 28, 29, 30, 31, 33, 34, 35, 37, 39, 40, 41, 43, 44, 45, 46, 49, 50,
  54, 62, 63, 64, 66, 82, 86, 93, 100, 103, 112, 116, 135, 255,
]);

/** 65536 / (1 + exp(-i / 24)). */
export const logisticTable: Uint16Array = Uint16Array.from({ length: 256 }, (_, i) =>
  Math.min(65535, Math.round(65536 / (1 + Math.exp(-i / 24))) + (raised.has(i) ? 1 : 0)),
);

const steps = 512;

export interface InterpolationOptions {
  /** Quantization of the input and, with zero point 0, of the output. */
  readonly scale: number;
  readonly zero: number;
  readonly outputScale: number;
  /** Rounds every intermediate value: to float32, or not at all (double). */
  readonly round: (value: number) => number;
}

/**
 * A function of an int16 at 513 points, each shifted by half the interpolation error (LUTPopulateInt16 in common.h).
 */
export function interpolationTable(
  { scale, zero, outputScale, round }: InterpolationOptions,
  real: (x: number) => number,
): Int16Array {
  const [inputScale, resultScale] = [round(scale), round(outputScale)];
  const inputMin = round(inputScale * (-32768 - zero));
  const inputMax = round(inputScale * (32767 - zero));
  const step = round(round(inputMax - inputMin) / steps);
  const half = round(step / 2);
  const inverse = round(65536 / round(round(resultScale * 32767) - round(resultScale * -32768)));
  const transform = (x: number): number => round(real(x));
  const rounded = (x: number): number => (x < 0 ? -Math.floor(-x + 0.5) : Math.floor(x + 0.5));
  const table = new Int16Array(steps + 1);
  const limit = (value: number): number => Math.max(-32768, Math.min(32767, value));
  for (let i = 0; i < steps; i++) {
    const at = round(inputMin + round(i * step));
    const value = round(transform(at) * inverse);
    const next = round(transform(round(inputMin + round((i + 1) * step))) * inverse);
    const middle = rounded(round(transform(round(at + half)) * inverse));
    const interpolated = rounded(round(round(next + rounded(value)) / 2));
    table[i] = limit(rounded(value) - rounded((interpolated - middle) / 2));
  }
  table[steps] = limit(rounded(round(transform(inputMax) * inverse)));
  return table;
}

/** The table's value for an int16, interpolated (LUTLookup). */
export function interpolate(table: Int16Array, value: number): number {
  const index = 256 + (value >> 7);
  const base = table[index] as number;
  const slope = (((table[index + 1] as number) - base) << 16) >> 16;
  return ((base + ((slope * (value & 0x7f) + 64) >> 7)) << 16) >> 16;
}
