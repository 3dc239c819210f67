// Port: the board.
#ifndef ATOLL_SYSTEM_H
#define ATOLL_SYSTEM_H

#include <stdint.h>

typedef struct atoll_system {
  void *context;
  const char *id;
  const char *target;
  const char *firmware;
  /** Of `ticks`. */
  uint32_t tick_hz;
  /** A clock that runs while a model runs; it may wrap. */
  uint32_t (*ticks)(void *context);
  /** A clock that does not wrap within a day. */
  uint32_t (*now_ms)(void *context);
  /** Starts over, as after a power cycle; called when the answer to the request is sent. */
  void (*reset)(void *context);
  /** Resets the board unless it is called again within so many milliseconds; 0 ends the watch. NULL where there is none. */
  void (*watchdog)(void *context, uint32_t ms);
  /** An active model that is not confirmed within so many milliseconds is given up; 0: only boots count. */
  uint32_t confirm_ms;
} atoll_system;

#endif
