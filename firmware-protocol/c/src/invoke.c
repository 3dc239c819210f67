// One inference of the model in the arena.
#include <stddef.h>

#include "server.h"

bool atoll_invoke(atoll_device *device, bool stream, uint32_t *ticks) {
  const atoll_system *system = device->system;
  const atoll_inference *inference = device->inference;
  if (!stream && inference->reset != NULL && !inference->reset(inference->context)) return false;
  atoll_watch(device, ATOLL_PATIENCE_MS);
  const uint32_t start = system->ticks(system->context);
  const bool good = inference->invoke(inference->context);
  const uint32_t spent = system->ticks(system->context) - start;
  atoll_watch(device, 0);
  *ticks = spent == 0 ? 1 : spent;
  device->counters.inferences++;
  return good;
}

const char atoll_invoke_failed[] = "the runtime failed on an operator";

typedef atoll_tensor (*tensor_at)(void *context, uint32_t index);

static uint32_t bytes_of(const atoll_inference *inference, uint32_t count, tensor_at at) {
  uint32_t bytes = 0;
  for (uint32_t i = 0; i < count; i++) bytes += at(inference->context, i).bytes;
  return bytes;
}

uint32_t atoll_input_bytes(const atoll_inference *inference) {
  return bytes_of(inference, inference->input_count(inference->context), inference->input);
}

uint32_t atoll_output_bytes(const atoll_inference *inference) {
  return bytes_of(inference, inference->output_count(inference->context), inference->output);
}
