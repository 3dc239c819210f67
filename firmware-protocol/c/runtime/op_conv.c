// CONV_2D and DEPTHWISE_CONV_2D in int8 (reference_integer_ops::ConvPerChannel, DepthwiseConvPerChannel).
#include "operator.h"

static int8_t finish(const atoll_weighted *w, int32_t sum, int32_t channel) {
  if (w->bias != 0) sum = atoll_wrapping_add(sum, w->bias[channel]);
  return (int8_t)atoll_clamp(atoll_rescale(sum, w->multipliers[channel], w->shifts[channel]) + w->output_zero, w->low, w->high);
}

/** The rows of the filter that lie inside the image, from and up to. */
static void inside(int32_t origin, int32_t dilation, int32_t filter, int32_t size, int32_t *from, int32_t *to) {
  *from = origin < 0 ? (-origin + dilation - 1) / dilation : 0;
  const int32_t left = size - origin;
  const int32_t fit = left <= 0 ? 0 : (left + dilation - 1) / dilation;
  *to = fit < filter ? fit : filter;
}

static bool invoke_conv(const atoll_op *op) {
  const atoll_window *w = &op->is.conv.window;
  const atoll_weighted *k = &op->is.conv.weighted;
  const int32_t group_depth = op->is.conv.per_group;
  const int32_t filters_per_group = w->out_depth / (w->in_depth / group_depth);
  int8_t *out = op->output;
  for (int32_t b = 0; b < w->batches; b++) {
    const int8_t *image = op->input + b * w->in_height * w->in_width * w->in_depth;
    for (int32_t y = 0; y < w->out_height; y++) {
      const int32_t top = y * w->stride_height - w->pad_top;
      int32_t fy_from, fy_to;
      inside(top, w->dilation_height, w->filter_height, w->in_height, &fy_from, &fy_to);
      for (int32_t x = 0; x < w->out_width; x++) {
        const int32_t left = x * w->stride_width - w->pad_left;
        int32_t fx_from, fx_to;
        inside(left, w->dilation_width, w->filter_width, w->in_width, &fx_from, &fx_to);
        for (int32_t c = 0; c < w->out_depth; c++) {
          const int32_t first = c / filters_per_group * group_depth;
          const int8_t *filter = k->weights + c * w->filter_height * w->filter_width * group_depth;
          int32_t sum = 0;
          for (int32_t fy = fy_from; fy < fy_to; fy++) {
            for (int32_t fx = fx_from; fx < fx_to; fx++) {
              const int8_t *in = image + ((top + fy * w->dilation_height) * w->in_width + left + fx * w->dilation_width) * w->in_depth + first;
              const int8_t *weights = filter + (fy * w->filter_width + fx) * group_depth;
              for (int32_t i = 0; i < group_depth; i++) sum = atoll_wrapping_add(sum, (in[i] - k->input_zero) * weights[i]);
            }
          }
          *out++ = finish(k, sum, c);
        }
      }
    }
  }
  return true;
}

static bool invoke_depthwise(const atoll_op *op) {
  const atoll_window *w = &op->is.conv.window;
  const atoll_weighted *k = &op->is.conv.weighted;
  const int32_t per_input = op->is.conv.per_group;
  int8_t *out = op->output;
  for (int32_t b = 0; b < w->batches; b++) {
    const int8_t *image = op->input + b * w->in_height * w->in_width * w->in_depth;
    for (int32_t y = 0; y < w->out_height; y++) {
      const int32_t top = y * w->stride_height - w->pad_top;
      int32_t fy_from, fy_to;
      inside(top, w->dilation_height, w->filter_height, w->in_height, &fy_from, &fy_to);
      for (int32_t x = 0; x < w->out_width; x++) {
        const int32_t left = x * w->stride_width - w->pad_left;
        int32_t fx_from, fx_to;
        inside(left, w->dilation_width, w->filter_width, w->in_width, &fx_from, &fx_to);
        for (int32_t c = 0; c < w->out_depth; c++) {
          int32_t sum = 0;
          for (int32_t fy = fy_from; fy < fy_to; fy++) {
            for (int32_t fx = fx_from; fx < fx_to; fx++) {
              const int32_t at = (top + fy * w->dilation_height) * w->in_width + left + fx * w->dilation_width;
              const int32_t value = image[at * w->in_depth + c / per_input] - k->input_zero;
              sum = atoll_wrapping_add(sum, value * k->weights[(fy * w->filter_width + fx) * w->out_depth + c]);
            }
          }
          *out++ = finish(k, sum, c);
        }
      }
    }
  }
  return true;
}

/** @param fields of the options: activation, dilation of width and of height */
static atoll_load_result prepare_window(atoll_prepare *p, atoll_op *op, const int32_t filter[2], const uint32_t fields[3], int32_t *activation) {
  const int32_t stride[2] = {atoll_fb_i32(p->fb, p->options, 2, 0), atoll_fb_i32(p->fb, p->options, 1, 0)};
  const int32_t dilation[2] = {atoll_fb_i32(p->fb, p->options, fields[2], 1), atoll_fb_i32(p->fb, p->options, fields[1], 1)};
  *activation = atoll_fb_i8(p->fb, p->options, fields[0], 0);
  const int32_t padding = atoll_fb_i8(p->fb, p->options, 0, 0);
  if (p->inputs[1].rank != RANK || !atoll_window_of(&op->is.conv.window, &p->inputs[0], &p->output, filter, padding, stride, dilation))
    return atoll_invalid(p, "shapes of a convolution do not match");
  return ATOLL_LOADED;
}

atoll_load_result atoll_prepare_conv(atoll_prepare *p, atoll_op *op) {
  const int32_t *shape = p->inputs[1].dims;
  const uint32_t fields[3] = {3, 4, 5};
  int32_t activation;
  const atoll_load_result windowed = prepare_window(p, op, shape + 1, fields, &activation);
  if (windowed != ATOLL_LOADED) return windowed;
  const atoll_window *w = &op->is.conv.window;
  if (shape[0] != w->out_depth || shape[3] < 1 || w->in_depth % shape[3] != 0 || w->out_depth % (w->in_depth / shape[3]) != 0)
    return atoll_invalid(p, "channels of a convolution do not match");
  op->is.conv.per_group = shape[3];
  op->invoke = invoke_conv;
  return atoll_weighted_of(p, &op->is.conv.weighted, w->out_depth, 0, activation, false);
}

atoll_load_result atoll_prepare_depthwise(atoll_prepare *p, atoll_op *op) {
  const int32_t *shape = p->inputs[1].dims;
  const uint32_t fields[3] = {4, 5, 6};
  int32_t activation;
  const atoll_load_result windowed = prepare_window(p, op, shape + 1, fields, &activation);
  if (windowed != ATOLL_LOADED) return windowed;
  const atoll_window *w = &op->is.conv.window;
  if (shape[0] != 1 || shape[3] != w->out_depth || w->in_depth < 1 || w->out_depth % w->in_depth != 0) return atoll_invalid(p, "channels of a convolution do not match");
  op->is.conv.per_group = w->out_depth / w->in_depth;
  op->invoke = invoke_depthwise;
  return atoll_weighted_of(p, &op->is.conv.weighted, w->out_depth, 3, activation, false);
}
