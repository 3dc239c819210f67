// AVERAGE_POOL_2D and MAX_POOL_2D in int8 (reference_integer_ops::AveragePool, MaxPool).
#include "operator.h"

static bool pool(const atoll_op *op, bool average) {
  const atoll_window *w = &op->is.pool.window;
  int8_t *out = op->output;
  for (int32_t b = 0; b < w->batches; b++) {
    for (int32_t y = 0; y < w->out_height; y++) {
      const int32_t top = y * w->stride_height - w->pad_top;
      const int32_t from_y = top < 0 ? 0 : top,
                    to_y = top + w->filter_height < w->in_height ? top + w->filter_height : w->in_height;
      for (int32_t x = 0; x < w->out_width; x++) {
        const int32_t left = x * w->stride_width - w->pad_left;
        const int32_t from_x = left < 0 ? 0 : left,
                      to_x = left + w->filter_width < w->in_width ? left + w->filter_width : w->in_width;
        const int32_t count = (to_y - from_y) * (to_x - from_x);
        for (int32_t c = 0; c < w->in_depth; c++) {
          int32_t sum = 0, largest = INT8_MIN;
          for (int32_t iy = from_y; iy < to_y; iy++) {
            for (int32_t ix = from_x; ix < to_x; ix++) {
              const int32_t value = op->input[((b * w->in_height + iy) * w->in_width + ix) * w->in_depth + c];
              sum += value;
              if (value > largest) largest = value;
            }
          }
          if (count == 0) return false;
          const int32_t mean = sum > 0 ? (sum + count / 2) / count : (sum - count / 2) / count;
          *out++ = (int8_t)atoll_clamp(average ? mean : largest, op->is.pool.low, op->is.pool.high);
        }
      }
    }
  }
  return true;
}

static bool invoke_average(const atoll_op *op) { return pool(op, true); }

static bool invoke_max(const atoll_op *op) { return pool(op, false); }

static atoll_load_result prepare(atoll_prepare *p, atoll_op *op) {
  const atoll_view *input = &p->inputs[0], *output = &p->output;
  const int32_t stride[2] = {atoll_fb_i32(p->fb, p->options, 2, 0), atoll_fb_i32(p->fb, p->options, 1, 0)};
  const int32_t filter[2] = {atoll_fb_i32(p->fb, p->options, 4, 0), atoll_fb_i32(p->fb, p->options, 3, 0)};
  const int32_t none[2] = {1, 1};
  if (input->type != TYPE_INT8 || output->type != TYPE_INT8) return atoll_invalid(p, "pools must be int8");
  if (!atoll_window_of(&op->is.pool.window, input, output, filter, atoll_fb_i8(p->fb, p->options, 0, 0), stride,
                       none) ||
      input->dims[3] != output->dims[3])
    return atoll_invalid(p, "shapes of a pool do not match");
  return atoll_limits(output, atoll_fb_i8(p->fb, p->options, 5, 0), &op->is.pool.low, &op->is.pool.high)
             ? ATOLL_LOADED
             : atoll_invalid(p, "an activation that is not known");
}

atoll_load_result atoll_prepare_average_pool(atoll_prepare *p, atoll_op *op) {
  op->invoke = invoke_average;
  return prepare(p, op);
}

atoll_load_result atoll_prepare_max_pool(atoll_prepare *p, atoll_op *op) {
  op->invoke = invoke_max;
  return prepare(p, op);
}
