// CONV_2D and DEPTHWISE_CONV_2D in int8 (reference_integer_ops::ConvPerChannel, DepthwiseConvPerChannel).
#include "operator.h"

static int8_t finish(const atoll_weighted *w, int32_t sum, int32_t channel) {
  if (w->bias != 0) sum = atoll_wrapping_add(sum, w->bias[channel]);
  return (int8_t)atoll_clamp(atoll_rescale(sum, w->multipliers[channel], w->shifts[channel]) + w->output_zero, w->low,
                             w->high);
}

/** The rows of the filter that are inside the image: first, and one after the last. */
static void inside(int32_t origin, int32_t dilation, int32_t filter, int32_t size, int32_t *from, int32_t *to) {
  *from = origin < 0 ? (-origin + dilation - 1) / dilation : 0;
  const int32_t left = size - origin;
  const int32_t fit = left <= 0 ? 0 : (left + dilation - 1) / dilation;
  *to = fit < filter ? fit : filter;
}

/** The position of the filter on an image, and which of its rows and columns are inside. */
typedef struct place {
  const int8_t *image;
  int32_t top, left, y_from, y_to, x_from, x_to;
} place;

/** Calls for every output element, in order; inlined for each kind of sum. */
static inline bool convolve(const atoll_op *op,
                            int32_t (*sum_of)(const atoll_op *op, const place *at, int32_t channel)) {
  const atoll_window *w = &op->is.conv.window;
  int8_t *out = op->output;
  place at;
  for (int32_t b = 0; b < w->batches; b++) {
    at.image = op->input + b * w->in_height * w->in_width * w->in_depth;
    for (int32_t y = 0; y < w->out_height; y++) {
      at.top = y * w->stride_height - w->pad_top;
      inside(at.top, w->dilation_height, w->filter_height, w->in_height, &at.y_from, &at.y_to);
      for (int32_t x = 0; x < w->out_width; x++) {
        at.left = x * w->stride_width - w->pad_left;
        inside(at.left, w->dilation_width, w->filter_width, w->in_width, &at.x_from, &at.x_to);
        for (int32_t c = 0; c < w->out_depth; c++) *out++ = finish(&op->is.conv.weighted, sum_of(op, &at, c), c);
      }
    }
  }
  return true;
}

/** The pixel under an element of the filter. */
static inline const int8_t *pixel(const atoll_window *w, const place *at, int32_t fy, int32_t fx) {
  return at->image +
         ((at->top + fy * w->dilation_height) * w->in_width + at->left + fx * w->dilation_width) * w->in_depth;
}

static inline int32_t dense_sum(const atoll_op *op, const place *at, int32_t channel) {
  const atoll_window *w = &op->is.conv.window;
  const int32_t depth = op->is.conv.per_group, zero = op->is.conv.weighted.input_zero;
  const int32_t filters_per_group = w->out_depth / (w->in_depth / depth);
  const int32_t first = channel / filters_per_group * depth;
  const int8_t *filter = op->is.conv.weighted.weights + channel * w->filter_height * w->filter_width * depth;
  int32_t sum = 0;
  for (int32_t fy = at->y_from; fy < at->y_to; fy++) {
    for (int32_t fx = at->x_from; fx < at->x_to; fx++) {
      const int8_t *in = pixel(w, at, fy, fx) + first;
      const int8_t *weights = filter + (fy * w->filter_width + fx) * depth;
      for (int32_t i = 0; i < depth; i++) sum = atoll_wrapping_add(sum, (in[i] - zero) * weights[i]);
    }
  }
  return sum;
}

static inline int32_t depthwise_sum(const atoll_op *op, const place *at, int32_t channel) {
  const atoll_window *w = &op->is.conv.window;
  const int32_t from = channel / op->is.conv.per_group, zero = op->is.conv.weighted.input_zero;
  const int8_t *weights = op->is.conv.weighted.weights + channel;
  int32_t sum = 0;
  for (int32_t fy = at->y_from; fy < at->y_to; fy++)
    for (int32_t fx = at->x_from; fx < at->x_to; fx++)
      sum = atoll_wrapping_add(
          sum, (pixel(w, at, fy, fx)[from] - zero) * weights[(fy * w->filter_width + fx) * w->out_depth]);
  return sum;
}

static bool invoke_conv(const atoll_op *op) { return convolve(op, dense_sum); }

static bool invoke_depthwise(const atoll_op *op) { return convolve(op, depthwise_sum); }

/** @param fields of the options: activation, dilation of width and of height */
static atoll_load_result prepare_window(atoll_prepare *p, atoll_op *op, const int32_t filter[2],
                                        const uint32_t fields[3], int32_t *activation) {
  const int32_t stride[2] = {atoll_fb_i32(p->fb, p->options, 2, 0), atoll_fb_i32(p->fb, p->options, 1, 0)};
  const int32_t dilation[2] = {atoll_fb_i32(p->fb, p->options, fields[2], 1),
                               atoll_fb_i32(p->fb, p->options, fields[1], 1)};
  *activation = atoll_fb_i8(p->fb, p->options, fields[0], 0);
  const int32_t padding = atoll_fb_i8(p->fb, p->options, 0, 0);
  if (p->inputs[1].rank != RANK ||
      !atoll_window_of(&op->is.conv.window, &p->inputs[0], &p->output, filter, padding, stride, dilation))
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
  if (shape[0] != w->out_depth || shape[3] < 1 || w->in_depth % shape[3] != 0 ||
      w->out_depth % (w->in_depth / shape[3]) != 0)
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
  if (shape[0] != 1 || shape[3] != w->out_depth || w->in_depth < 1 || w->out_depth % w->in_depth != 0)
    return atoll_invalid(p, "channels of a convolution do not match");
  op->is.conv.per_group = w->out_depth / w->in_depth;
  op->invoke = invoke_depthwise;
  return atoll_weighted_of(p, &op->is.conv.weighted, w->out_depth, 3, activation, false);
}
