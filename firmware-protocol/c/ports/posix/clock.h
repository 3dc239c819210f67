// Time since the start of the machine, for the ports on Linux; both counters wrap.
#ifndef ATOLL_POSIX_CLOCK_H
#define ATOLL_POSIX_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t posix_nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline uint32_t posix_microseconds(void *context) {
  (void)context;
  return (uint32_t)(posix_nanoseconds() / 1000u);
}

static inline uint32_t posix_milliseconds(void *context) {
  (void)context;
  return (uint32_t)(posix_nanoseconds() / 1000000u);
}

#endif
