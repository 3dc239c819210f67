#include "inference.h"

#include <stddef.h>

#include "atoll_runtime.h"

const atoll_inference *board_inference(uint8_t *arena, uint32_t arena_bytes, uint32_t (*ticks)(void *context)) {
  static atoll_runtime runtime;
  static atoll_inference inference;
  atoll_runtime_init(&runtime, arena, arena_bytes, ticks, NULL, &inference);
  return &inference;
}
