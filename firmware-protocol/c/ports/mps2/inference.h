// The board's runtime: the built-in one (inference.c), or TensorFlow Lite Micro (adapters/tflm/mps2.cc).
#ifndef ATOLL_MPS2_INFERENCE_H
#define ATOLL_MPS2_INFERENCE_H

#include "atoll/inference.h"

/** Called once. @param ticks of the board's timer */
const atoll_inference *board_inference(uint8_t *arena, uint32_t arena_bytes, uint32_t (*ticks)(void *context));

#endif
