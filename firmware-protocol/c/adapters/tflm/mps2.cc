// TFLM as the runtime of the MPS2 port, with the operators of the MLPerf Tiny models. The build sets TFLM_PROFILE.
#include <cstdarg>

#include "atoll_tflm.h"
extern "C" {
#include "inference.h"
}
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"

namespace {

constexpr uint8_t kOperators[] = {0, 1, 3, 4, 6, 9, 17, 22, 25, 114};
using Resolver = tflite::MicroMutableOpResolver<sizeof kOperators>;

Resolver &Operators() {
  alignas(Resolver) static unsigned char storage[sizeof(Resolver)];
  Resolver &resolver = *new (storage) Resolver();
  resolver.AddAdd();
  resolver.AddAveragePool2D();
  resolver.AddConv2D();
  resolver.AddDepthwiseConv2D();
  resolver.AddDequantize();
  resolver.AddFullyConnected();
  resolver.AddMaxPool2D();
  resolver.AddReshape();
  resolver.AddSoftmax();
  resolver.AddQuantize();
  return resolver;
}

}  // namespace

extern "C" {

// TFLM's log output is discarded: the serial line belongs to the protocol.
void DebugLog(const char *, va_list) {}
int DebugVsnprintf(char *, size_t, const char *, va_list) { return 0; }

const atoll_inference *board_inference(uint8_t *arena, uint32_t arena_bytes, uint32_t (*ticks)(void *context)) {
  alignas(atoll_tflm::TflmRuntime) static unsigned char storage[sizeof(atoll_tflm::TflmRuntime)];
  return (new (storage) atoll_tflm::TflmRuntime(Operators(), kOperators, sizeof kOperators, arena, arena_bytes,
                                                TFLM_PROFILE, ticks, nullptr))
      ->inference();
}
}
