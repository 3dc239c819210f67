// The tables of TFLite's int16 operators: logistic and tanh share one of 256 values, softmax has two of 513 with interpolation
// (tensorflow/lite/kernels/internal/common.h).

const { fround } = Math;

/** Where the table of common.h is one above the rounded value, to halve the error of the interpolation. */
const raised = new Set([
  4, 8, 12, 14, 15, 16, 17, 19, 20, 21, 22, 25, 27, 28, 29, 30, 31, 33, 34, 35, 37, 39, 40, 41, 43, 44, 45, 46, 49, 50, 54, 62, 63, 64, 66, 82, 86, 93, 100,
  103, 112, 116, 135, 255,
]);

/** 65536 / (1 + exp(-i / 24)). */
export const logisticTable: Uint16Array = Uint16Array.from({ length: 256 }, (_, i) =>
  Math.min(65535, Math.round(65536 / (1 + Math.exp(-i / 24))) + (raised.has(i) ? 1 : 0)),
);

const steps = 512;
const range = 65535;

/** A function of [low, high] as int16 at 513 places, each half an interpolation error off (LUTPopulateInt16, in float32). */
export function interpolationTable(low: number, high: number, outputLow: number, outputHigh: number, real: (x: number) => number): Int16Array {
  const [inputMin, inputMax] = [fround(low), fround(high)];
  const step = fround(fround(inputMax - inputMin) / steps);
  const half = fround(step / 2);
  const scale = fround((range + 1) / fround(fround(outputHigh) - fround(outputLow)));
  const transform = (x: number): number => fround(real(x));
  const rounded = (x: number): number => (x < 0 ? -Math.floor(-x + 0.5) : Math.floor(x + 0.5));
  const table = new Int16Array(steps + 1);
  const limit = (value: number): number => Math.max(-32768, Math.min(32767, value));
  for (let i = 0; i < steps; i++) {
    const at = fround(inputMin + fround(i * step));
    const value = fround(transform(at) * scale);
    const next = fround(transform(fround(inputMin + fround((i + 1) * step))) * scale);
    const middle = rounded(fround(transform(fround(at + half)) * scale));
    const interpolated = rounded(fround(fround(next + rounded(value)) / 2));
    table[i] = limit(rounded(value) - rounded((interpolated - middle) / 2));
  }
  table[steps] = limit(rounded(fround(transform(inputMax) * scale)));
  return table;
}

/** The table's value at an int16, interpolated (LUTLookup). */
export function interpolate(table: Int16Array, value: number): number {
  const index = 256 + (value >> 7);
  const base = table[index] as number;
  return ((base + ((((table[index + 1] as number) - base) * (value & 0x7f) + 64) >> 7)) << 16) >> 16;
}
