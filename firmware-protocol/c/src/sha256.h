#ifndef ATOLL_SHA256_H
#define ATOLL_SHA256_H

#include <stdint.h>

typedef struct atoll_sha256 {
  uint32_t state[8];
  uint64_t bytes;
  uint8_t block[64];
} atoll_sha256;

void atoll_sha256_begin(atoll_sha256 *sha);
void atoll_sha256_add(atoll_sha256 *sha, const uint8_t *bytes, uint32_t length);
void atoll_sha256_end(atoll_sha256 *sha, uint8_t digest[32]);
void atoll_sha256_of(const uint8_t *bytes, uint32_t length, uint8_t digest[32]);

#endif
