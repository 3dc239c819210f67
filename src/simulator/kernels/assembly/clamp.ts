// Limits of floats, as the reference kernels apply them.

/** min(high, max(low, x)) for numbers; NaN stays NaN. */
// @ts-ignore: decorator
@inline
export function clampFloat(x: v128, low: v128, high: v128): v128 {
  return f32x4.pmin(f32x4.pmax(x, low), high);
}
