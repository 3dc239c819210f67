// Unaligned numbers in memory, little-endian and big-endian.
#ifndef ATOLL_BYTES_H
#define ATOLL_BYTES_H

#include <stdint.h>
#include <string.h>

static inline uint16_t atoll_be16(const uint8_t *at) { return (uint16_t)((at[0] << 8) | at[1]); }

static inline void atoll_put_be16(uint8_t *at, uint32_t value) {
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
}

static inline uint16_t atoll_le16(const uint8_t *at) { return (uint16_t)(at[0] | (at[1] << 8)); }

static inline uint32_t atoll_le32(const uint8_t *at) {
  return (uint32_t)at[0] | ((uint32_t)at[1] << 8) | ((uint32_t)at[2] << 16) | ((uint32_t)at[3] << 24);
}

static inline void atoll_put_le32(uint8_t *at, uint32_t value) {
  for (int i = 0; i < 4; i++) at[i] = (uint8_t)(value >> (8 * i));
}

#endif
