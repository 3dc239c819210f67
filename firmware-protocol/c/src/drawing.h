// Inputs generated from a seed, for self-test vectors and challenges.
#ifndef ATOLL_DRAWING_H
#define ATOLL_DRAWING_H

#include <stdint.h>

static inline uint32_t atoll_draw_begin(uint32_t seed) { return seed == 0 ? 0x9e3779b9u : seed; }

/** xorshift32 (Marsaglia 2003); the value is the top byte of each state. */
static inline uint8_t atoll_draw(uint32_t *state) {
  uint32_t x = *state;
  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
  *state = x;
  return (uint8_t)(x >> 24);
}

#endif
