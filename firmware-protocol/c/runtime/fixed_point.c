#include "fixed_point.h"

#include <math.h>

bool atoll_quantize_multiplier(double real, atoll_multiplier *quantized) {
  if (!(real >= 0 && real < INFINITY)) return false;
  int exponent = 0;
  const double fraction = frexp(real, &exponent);
  int64_t multiplier = (int64_t)round(fraction * 2147483648.0);
  if (multiplier == (int64_t)1 << 31) {
    multiplier /= 2;
    exponent++;
  }
  if (exponent < -31 || real == 0) {
    multiplier = 0;
    exponent = 0;
  }
  if (exponent > 30) return false;
  *quantized = (atoll_multiplier){(int32_t)multiplier, (int8_t)exponent};
  return true;
}

static int32_t saturating_shift_left(int32_t x, int32_t exponent) {
  const int32_t threshold = (int32_t)((1u << (31 - exponent)) - 1);
  if (x > threshold) return INT32_MAX;
  if (x < -threshold) return INT32_MIN;
  return (int32_t)((uint32_t)x << exponent);
}

/** exp(a) for a in [-1/4, 0], Q0.31 to Q0.31: a polynomial of degree 4 around -1/8. */
static int32_t exp_small(int32_t a) {
  const int32_t exp_of_minus_eighth = 1895147668, third = 715827883;
  const int32_t x = atoll_wrapping_add(a, 1 << 28);
  const int32_t x2 = atoll_high_mul(x, x), x3 = atoll_high_mul(x2, x), x4 = atoll_high_mul(x2, x2);
  const int32_t tail = atoll_shift_right(
      atoll_wrapping_add(atoll_high_mul(atoll_wrapping_add(atoll_shift_right(x4, 2), x3), third), x2), 1);
  return atoll_wrapping_add(exp_of_minus_eighth, atoll_high_mul(exp_of_minus_eighth, atoll_wrapping_add(x, tail)));
}

int32_t atoll_exp_negative(int32_t a) {
  /** exp(-2^k) in Q0.31, for k from -2. */
  static const int32_t factors[] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
  enum { INTEGER_BITS = 5, FRACTIONAL_BITS = 31 - INTEGER_BITS };
  if (a == 0) return INT32_MAX;
  const int32_t quarter = 1 << (FRACTIONAL_BITS - 2);
  const int32_t in_interval = (a & (quarter - 1)) - quarter;
  int32_t result = exp_small(saturating_shift_left(in_interval, INTEGER_BITS));
  const int32_t remainder = in_interval - a;
  for (int32_t k = -2; k < INTEGER_BITS; k++)
    if ((remainder & (1 << (FRACTIONAL_BITS + k))) != 0) result = atoll_high_mul(result, factors[k + 2]);
  return result;
}

int32_t atoll_one_over_one_plus(int32_t a) {
  const int32_t constant_48_over_17 = 1515870810, constant_minus_32_over_17 = -1010580540;
  const int64_t sum = (int64_t)a + INT32_MAX;
  const int32_t half = (int32_t)((sum + (sum >= 0 ? 1 : -1)) / 2);
  // Three Newton-Raphson steps, in Q2.29.
  int32_t x = atoll_wrapping_add(constant_48_over_17, atoll_high_mul(half, constant_minus_32_over_17));
  for (int i = 0; i < 3; i++) {
    const int32_t one_minus = atoll_wrapping_add(1 << 29, -atoll_high_mul(half, x));
    x = atoll_wrapping_add(x, saturating_shift_left(atoll_high_mul(x, one_minus), 2));
  }
  return saturating_shift_left(x, 1);
}
