// Fixed-point arithmetic of TFLite Micro's reference kernels (tensorflow/lite/kernels/internal/common.h, gemmlowp
// fixedpoint.h).
#ifndef ATOLL_FIXED_POINT_H
#define ATOLL_FIXED_POINT_H

#include <stdbool.h>
#include <stdint.h>

/** x * multiplier * 2^(shift - 31). */
typedef struct atoll_multiplier {
  int32_t multiplier;
  int8_t shift;
} atoll_multiplier;

/** round(a * b / 2^31). */
static inline int32_t atoll_high_mul(int32_t a, int32_t b) {
  if (a == INT32_MIN && b == INT32_MIN) return INT32_MAX;
  return (int32_t)(((int64_t)a * b + (1 << 30)) >> 31);
}

/** x / 2^exponent, ties away from zero. */
static inline int32_t atoll_shift_right(int32_t x, int32_t exponent) {
  const int32_t mask = (int32_t)((1u << exponent) - 1);
  const int32_t threshold = (mask >> 1) + (x < 0 ? 1 : 0);
  return (x >> exponent) + ((x & mask) > threshold ? 1 : 0);
}

/** Wraps in 32 bits, as the kernels' accumulators do. */
static inline int32_t atoll_wrapping_add(int32_t a, int32_t b) { return (int32_t)((uint32_t)a + (uint32_t)b); }

/** Rounds twice: to 32 bits, then to the shift. */
static inline int32_t atoll_rescale(int32_t x, int32_t multiplier, int32_t shift) {
  const int32_t left = shift > 0 ? shift : 0;
  return atoll_shift_right(atoll_high_mul((int32_t)((uint32_t)x << left), multiplier), left - shift);
}

static inline int32_t atoll_clamp(int32_t value, int32_t low, int32_t high) {
  return value < low ? low : value > high ? high : value;
}

/** @return false for a number that is negative, infinite, NaN or too large */
bool atoll_quantize_multiplier(double real, atoll_multiplier *quantized);

/** exp(a) for a <= 0 with 5 integer bits, as Q0.31. */
int32_t atoll_exp_negative(int32_t a);
/** 1 / (1 + a) for a in [0, 1], both Q0.31. */
int32_t atoll_one_over_one_plus(int32_t a);

#endif
