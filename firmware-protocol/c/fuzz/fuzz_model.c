// Arbitrary bytes as a model: the runtime refuses them, or runs within its arena.
#include <string.h>

#include "atoll_runtime.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t ticks(void *context) { return ++*(uint32_t *)context; }

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static _Alignas(16) uint8_t arena[65536], model[65536];
  static atoll_runtime runtime;
  static uint32_t clock;
  atoll_inference inference;
  const char *detail;
  if (size > sizeof model) return 0;
  memcpy(model, data, size);
  atoll_runtime_init(&runtime, arena, sizeof arena, ticks, &clock, &inference);
  if (inference.load(&runtime, model, (uint32_t)size, &detail) != ATOLL_LOADED) return 0;
  for (uint32_t i = 0; i < inference.input_count(&runtime); i++) {
    const atoll_tensor tensor = inference.input(&runtime, i);
    memset(tensor.data, 0x55, tensor.bytes);
  }
  // Limits the work of a model to the time of a fuzzer.
  (void)inference.invoke(&runtime);
  return 0;
}
