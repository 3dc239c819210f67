#include <math.h>
#include <stddef.h>

#include "operator.h"

enum { PADDING_SAME = 0, PADDING_VALID = 1, RELU = 1, RELU_N1_TO_1 = 2, RELU6 = 3, FARTHEST = 0x7fff };

atoll_load_result atoll_invalid(atoll_prepare *prepare, const char *detail) {
  prepare->detail = detail;
  return ATOLL_MODEL_INVALID;
}

/** In float32, as in the kernels' computation of limits. */
static bool quantized(const atoll_view *output, float real, int32_t *value) {
  const float scaled = roundf(real / output->scale);
  if (!(fabsf(scaled) < 1e6f)) return false;
  *value = output->zero_point + (int32_t)scaled;
  return true;
}

bool atoll_limits(const atoll_view *output, int32_t activation, int16_t *low, int16_t *high) {
  int32_t from = INT8_MIN, to = INT8_MAX, limit;
  if (activation < 0 || activation > RELU6) return false;
  if (activation != 0) {
    if (!quantized(output, activation == RELU_N1_TO_1 ? -1.0f : 0.0f, &limit)) return false;
    if (limit > from) from = limit;
  }
  if (activation == RELU_N1_TO_1 || activation == RELU6) {
    if (!quantized(output, activation == RELU6 ? 6.0f : 1.0f, &limit)) return false;
    if (limit < to) to = limit;
  }
  *low = (int16_t)from;
  *high = (int16_t)to;
  return true;
}

/** For one dimension. @return false if the size of the output is another */
static bool along(int32_t input, int32_t filter, int32_t stride, int32_t dilation, int32_t padding, int32_t output,
                  int16_t *pad) {
  if (filter < 1 || stride < 1 || dilation < 1 || input < 1 || filter > FARTHEST || stride > FARTHEST ||
      dilation > FARTHEST || input > (1 << 24))
    return false;
  const int64_t extent = (int64_t)(filter - 1) * dilation + 1;
  const int64_t fits = padding == PADDING_SAME ? (input + stride - 1) / stride : (input - extent + stride) / stride;
  if (padding != PADDING_SAME && padding != PADDING_VALID) return false;
  if (fits != output || fits < 1) return false;
  const int64_t missing = (fits - 1) * stride + extent - input;
  const int64_t before = missing > 0 ? missing / 2 : 0;
  if (before > FARTHEST) return false;
  *pad = (int16_t)before;
  return true;
}

bool atoll_window_of(atoll_window *window, const atoll_view *input, const atoll_view *output, const int32_t filter[2],
                     int32_t padding, const int32_t stride[2], const int32_t dilation[2]) {
  if (input->rank != RANK || output->rank != RANK || input->dims[0] != output->dims[0]) return false;
  *window = (atoll_window){.batches = input->dims[0],
                           .in_height = input->dims[1],
                           .in_width = input->dims[2],
                           .in_depth = input->dims[3],
                           .out_height = output->dims[1],
                           .out_width = output->dims[2],
                           .out_depth = output->dims[3]};
  if (!along(input->dims[1], filter[0], stride[0], dilation[0], padding, output->dims[1], &window->pad_top))
    return false;
  if (!along(input->dims[2], filter[1], stride[1], dilation[1], padding, output->dims[2], &window->pad_left))
    return false;
  window->filter_height = (int16_t)filter[0];
  window->filter_width = (int16_t)filter[1];
  window->stride_height = (int16_t)stride[0];
  window->stride_width = (int16_t)stride[1];
  window->dilation_height = (int16_t)dilation[0];
  window->dilation_width = (int16_t)dilation[1];
  return true;
}

atoll_load_result atoll_weighted_of(atoll_prepare *prepare, atoll_weighted *weighted, int32_t channels, int32_t axis,
                                    int32_t activation, bool product_in_float) {
  const atoll_view *input = &prepare->inputs[0], *filter = &prepare->inputs[1], *bias = &prepare->inputs[2],
                   *output = &prepare->output;
  if (input->type != TYPE_INT8 || output->type != TYPE_INT8 || filter->type != TYPE_INT8 || !filter->constant)
    return atoll_invalid(prepare, "weights and activations must be int8");
  if (filter->zero_point != 0) return atoll_invalid(prepare, "weights must be symmetric");
  const uint32_t scales = filter->scales.count;
  if (scales != 1 && (scales != (uint32_t)channels || filter->axis != axis))
    return atoll_invalid(prepare, "weights must have one scale, or one for each channel");
  if (bias->type >= 0 && (bias->type != TYPE_INT32 || !bias->constant || bias->elements != (uint32_t)channels))
    return atoll_invalid(prepare, "a bias must be int32, one for each channel");
  int32_t *multipliers =
      prepare->allocate(prepare->context, (uint32_t)channels * sizeof *multipliers, sizeof *multipliers);
  int8_t *shifts = prepare->allocate(prepare->context, (uint32_t)channels, 1);
  if (multipliers == NULL || shifts == NULL) return ATOLL_ARENA_TOO_SMALL;
  for (int32_t c = 0; c < channels; c++) {
    const float scale = atoll_fb_element_f32(prepare->fb, filter->scales, scales == 1 ? 0 : (uint32_t)c);
    // With a single scale, dense kernels multiply in float32, all others in double (kernel_util.cc,
    // GetQuantizedConvolutionMultipler).
    const double product =
        product_in_float && scales == 1 ? (double)(input->scale * scale) : (double)input->scale * (double)scale;
    atoll_multiplier one;
    if (!atoll_quantize_multiplier(product / (double)output->scale, &one))
      return atoll_invalid(prepare, "a scale is out of range");
    multipliers[c] = one.multiplier;
    shifts[c] = one.shift;
  }
  *weighted = (atoll_weighted){.weights = (const int8_t *)filter->data,
                               .bias = bias->type >= 0 ? (const int32_t *)(const void *)bias->data : NULL,
                               .multipliers = multipliers,
                               .shifts = shifts,
                               .input_zero = (int16_t)input->zero_point,
                               .output_zero = (int16_t)output->zero_point};
  return atoll_limits(output, activation, &weighted->low, &weighted->high)
             ? ATOLL_LOADED
             : atoll_invalid(prepare, "an activation that is not known");
}
