// Converts float32 to float16 (IEEE 754 binary16), rounded to nearest, ties to even.

import { roundHalfEven } from '../../simulator/index.js';

/** Elements of 2 bytes, little-endian. Magnitudes beyond 65504 become infinite. */
export function float16Bytes(values: Float32Array): Uint8Array {
  return new Uint8Array(Uint16Array.from(values, halfOf).buffer);
}

function halfOf(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (Number.isNaN(value)) return sign | 0x7e00;
  // Normal numbers start at 2^-14; below, the step stays 2^-24.
  const exponent = Math.max(-14, Math.floor(Math.log2(magnitude)));
  const steps = roundHalfEven(magnitude / 2 ** (exponent - 10));
  // Rounding up past the end of a binade gives the first number of the next one, which the bit pattern handles.
  const bits = ((exponent + 14) << 10) + steps;
  return sign | Math.min(bits, 0x7c00);
}
