// Port: TensorFlow Lite Micro as the runtime. Add this file's .cc to a build that has TFLM already (from its own
// Makefile, from an SDK, from an Arduino library); nothing else of it is needed here. See README.md.
#ifndef ATOLL_TFLM_H
#define ATOLL_TFLM_H

#include <cstddef>
#include <cstdint>
#include <new>

extern "C" {
#include "atoll/inference.h"
}
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_op_resolver.h"
#include "tensorflow/lite/micro/micro_profiler_interface.h"

namespace atoll_tflm {

/** Records the ticks of each operator in the last invoke. */
class OperatorTicks : public tflite::MicroProfilerInterface {
 public:
  static constexpr uint32_t kMost = 256;

  OperatorTicks(uint32_t (*ticks)(void *context), void *context) : ticks_(ticks), context_(context) {}
  uint32_t BeginEvent(const char *tag) override;
  void EndEvent(uint32_t handle) override;
  void Clear() { count_ = 0; }
  uint32_t count() const { return count_; }
  uint32_t at(uint32_t index) const { return spent_[index]; }

 private:
  uint32_t (*ticks_)(void *context);
  void *context_;
  uint32_t count_ = 0;
  uint32_t spent_[kMost] = {};
};

class TflmRuntime {
 public:
  /**
   * @param resolver contains every operator that models may use; `atoll export --format resolver` writes one for a
   * model
   * @param operators their builtin codes, which the device reports
   * @param arena aligned to 16
   * @param profile the kernel profile that the build equals: tflm-reference, or cmsis-nn with Arm's kernels
   */
  TflmRuntime(const tflite::MicroOpResolver &resolver, const uint8_t *operators, uint32_t operator_count,
              uint8_t *arena, size_t arena_bytes, const char *profile, uint32_t (*ticks)(void *context),
              void *ticks_context);

  /** For atoll_device_boot. */
  const atoll_inference *inference() const { return &port_; }

 private:
  atoll_load_result Load(const uint8_t *model, uint32_t bytes, const char **detail);
  bool Invoke();
  static atoll_tensor TensorOf(TfLiteTensor *tensor);

  const tflite::MicroOpResolver &resolver_;
  uint8_t *arena_;
  size_t arena_bytes_;
  OperatorTicks ticks_;
  const tflite::Model *model_ = nullptr;
  /** Constructed again for every model, in place: nothing is allocated. */
  tflite::MicroInterpreter *interpreter_ = nullptr;
  alignas(tflite::MicroInterpreter) unsigned char storage_[sizeof(tflite::MicroInterpreter)];
  atoll_inference port_;
};

}  // namespace atoll_tflm

#endif
