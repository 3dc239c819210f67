// A small int8 runtime with the operators of the MLPerf Tiny models, whose results equal TFLite Micro's reference
// kernels to the last bit. With it the protocol can be tried without any other library; products use adapters/tflm.
#ifndef ATOLL_RUNTIME_H
#define ATOLL_RUNTIME_H

#include "atoll/inference.h"

enum { ATOLL_RUNTIME_TENSORS = 4 };

struct atoll_op;

typedef struct atoll_runtime {
  uint8_t *arena;
  uint32_t arena_bytes;
  uint32_t (*ticks)(void *context);
  void *ticks_context;
  /** Of the loaded model. */
  struct atoll_op *ops;
  uint32_t op_count, head_bytes, tail_at;
  uint32_t input_count, output_count;
  atoll_tensor inputs[ATOLL_RUNTIME_TENSORS], outputs[ATOLL_RUNTIME_TENSORS];
} atoll_runtime;

/** @param arena aligned to 16. @param ticks the clock of the profile */
void atoll_runtime_init(atoll_runtime *runtime, uint8_t *arena, uint32_t arena_bytes, uint32_t (*ticks)(void *context),
                        void *ticks_context, atoll_inference *inference);

#endif
