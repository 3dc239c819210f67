#ifndef ATOLL_INFLATE_H
#define ATOLL_INFLATE_H

#include <stdbool.h>
#include <stdint.h>

/** Inflates a complete raw deflate stream (RFC 1951). @return whether it has exactly the expected length */
bool atoll_inflate(const uint8_t *from, uint32_t length, uint8_t *to, uint32_t room);

#endif
