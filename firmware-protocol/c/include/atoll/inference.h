// Port: the runtime for models. runtime/ is one implementation, adapters/tflm/ another for TensorFlow Lite Micro.
#ifndef ATOLL_INFERENCE_H
#define ATOLL_INFERENCE_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { ATOLL_LOADED, ATOLL_MODEL_INVALID, ATOLL_ARENA_TOO_SMALL, ATOLL_OPERATOR_MISSING } atoll_load_result;

/** TFLite's tensor types (schema.fbs) that inputs and outputs may have. */
enum { ATOLL_FLOAT32 = 0, ATOLL_UINT8 = 3, ATOLL_INT16 = 7, ATOLL_INT8 = 9 };

typedef struct atoll_tensor {
  uint8_t type;
  uint32_t bytes;
  uint8_t *data;
} atoll_tensor;

typedef struct atoll_inference {
  void *context;
  const char *runtime;
  const char *version;
  /** The kernel profile that its arithmetic equals to the last bit. */
  const char *profile;
  /** Builtin codes of the operators with a kernel. */
  const uint8_t *operators;
  uint32_t operator_count;
  uint32_t arena_bytes;
  /** Places the model in the arena, instead of the previous one. @param detail of a failure, in words */
  atoll_load_result (*load)(void *context, const uint8_t *model, uint32_t bytes, const char **detail);
  uint32_t (*input_count)(void *context);
  uint32_t (*output_count)(void *context);
  /** Location of a tensor, valid until the next invoke (inputs) or until an input is written (outputs). */
  atoll_tensor (*input)(void *context, uint32_t index);
  atoll_tensor (*output)(void *context, uint32_t index);
  bool (*invoke)(void *context);
  /** Sets every variable of the model to its initial value, as `load` does; NULL if models have no variables. */
  bool (*reset)(void *context);
  /** Ticks of an operator in the last invoke. @return false after the last operator */
  bool (*profile_at)(void *context, uint32_t index, uint32_t *code, uint32_t *ticks);
  /** Bytes of the arena used by the loaded model. */
  uint32_t (*arena_used)(void *context);
} atoll_inference;

#ifdef __cplusplus
}
#endif

#endif
