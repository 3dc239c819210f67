// Shared by the operators of the built-in runtime. Each has a file with a prepare function, which checks types and
// shapes once and stores what invoke needs, and an invoke function, which relies on it.
#ifndef ATOLL_OPERATOR_H
#define ATOLL_OPERATOR_H

#include "atoll/inference.h"
#include "fixed_point.h"
#include "flatbuffer.h"

enum {
  OP_ADD = 0, OP_AVERAGE_POOL_2D = 1, OP_CONV_2D = 3, OP_DEPTHWISE_CONV_2D = 4, OP_FULLY_CONNECTED = 9,
  OP_MAX_POOL_2D = 17, OP_RESHAPE = 22, OP_SOFTMAX = 25
};
enum { TYPE_INT32 = 2, TYPE_INT8 = ATOLL_INT8, RANK = 4 };

/** A tensor during prepare. */
typedef struct atoll_view {
  /** -1 if the operator does not have this input. */
  int32_t type;
  uint32_t rank;
  /** The last four dimensions; 1 for missing ones. */
  int32_t dims[RANK];
  uint32_t elements;
  uint32_t bytes;
  uint8_t *data;
  bool constant;
  atoll_fb_vector scales;
  float scale;
  int32_t zero_point;
  int32_t axis;
} atoll_view;

typedef struct atoll_window {
  int32_t batches, in_height, in_width, in_depth, out_height, out_width, out_depth;
  int16_t filter_height, filter_width, stride_height, stride_width, dilation_height, dilation_width, pad_top, pad_left;
} atoll_window;

/** An operator with weights: each channel's sum is scaled by its own multiplier. */
typedef struct atoll_weighted {
  const int8_t *weights;
  const int32_t *bias;
  const int32_t *multipliers;
  const int8_t *shifts;
  int16_t input_zero, output_zero, low, high;
} atoll_weighted;

typedef struct atoll_op {
  bool (*invoke)(const struct atoll_op *op);
  uint32_t ticks;
  uint8_t code;
  const int8_t *input;
  int8_t *output;
  union {
    struct {
      atoll_window window;
      atoll_weighted weighted;
      /** Input channels of a filter, or output channels of an input channel. */
      int32_t per_group;
    } conv;
    struct {
      atoll_weighted weighted;
      int32_t rows, depth, units;
    } dense;
    struct {
      atoll_window window;
      int16_t low, high;
    } pool;
    struct {
      const int8_t *second;
      uint32_t elements;
      atoll_multiplier first_scale, second_scale, result_scale;
      int16_t first_zero, second_zero, output_zero, low, high;
    } add;
    struct {
      int32_t rows, depth, diff_min, multiplier;
      int8_t shift;
    } softmax;
    struct {
      uint32_t bytes;
    } reshape;
  } is;
} atoll_op;

typedef struct atoll_prepare {
  atoll_fb *fb;
  atoll_fb_at options;
  atoll_view inputs[3];
  atoll_view output;
  /** Memory that is valid as long as the model. @return NULL if the arena is full */
  void *(*allocate)(void *context, uint32_t bytes, uint32_t alignment);
  void *context;
  /** The reason if prepare fails, in words. */
  const char *detail;
} atoll_prepare;

/** @return ATOLL_LOADED, or the reason of the failure */
typedef atoll_load_result (*atoll_prepare_fn)(atoll_prepare *prepare, atoll_op *op);

atoll_load_result atoll_prepare_conv(atoll_prepare *prepare, atoll_op *op);
atoll_load_result atoll_prepare_depthwise(atoll_prepare *prepare, atoll_op *op);
atoll_load_result atoll_prepare_dense(atoll_prepare *prepare, atoll_op *op);
atoll_load_result atoll_prepare_average_pool(atoll_prepare *prepare, atoll_op *op);
atoll_load_result atoll_prepare_max_pool(atoll_prepare *prepare, atoll_op *op);
atoll_load_result atoll_prepare_add(atoll_prepare *prepare, atoll_op *op);
atoll_load_result atoll_prepare_reshape(atoll_prepare *prepare, atoll_op *op);
atoll_load_result atoll_prepare_softmax(atoll_prepare *prepare, atoll_op *op);

/** Helpers of prepare functions. */
atoll_load_result atoll_invalid(atoll_prepare *prepare, const char *detail);
/** Limits of an int8 output with a fused activation. */
bool atoll_limits(const atoll_view *output, int32_t activation, int16_t *low, int16_t *high);
/** Geometry of a window over [n, h, w, c]. @param filter [height, width] */
bool atoll_window_of(atoll_window *window, const atoll_view *input, const atoll_view *output, const int32_t filter[2],
                     int32_t padding, const int32_t stride[2], const int32_t dilation[2]);
/**
 * Weights, bias, and the multipliers of channels.
 * @param product_in_float whether the scales are multiplied in float32, as for dense layers
 */
atoll_load_result atoll_weighted_of(atoll_prepare *prepare, atoll_weighted *weighted, int32_t channels, int32_t axis,
                                    int32_t activation, bool product_in_float);

#endif
