// ADD of equal shapes, RESHAPE and SOFTMAX in int8 (reference_integer_ops::Add, reference_ops::Softmax).
#include <string.h>

#include "operator.h"

enum { ADD_SHIFT = 20, DIFF_INTEGER_BITS = 5, SUM_INTEGER_BITS = 12 };

static bool invoke_add(const atoll_op *op) {
  for (uint32_t i = 0; i < op->is.add.elements; i++) {
    const int32_t a = (op->input[i] - op->is.add.first_zero) * (1 << ADD_SHIFT);
    const int32_t b = (op->is.add.second[i] - op->is.add.second_zero) * (1 << ADD_SHIFT);
    const int32_t sum =
        atoll_wrapping_add(atoll_rescale(a, op->is.add.first_scale.multiplier, op->is.add.first_scale.shift),
                           atoll_rescale(b, op->is.add.second_scale.multiplier, op->is.add.second_scale.shift));
    const int32_t value =
        atoll_rescale(sum, op->is.add.result_scale.multiplier, op->is.add.result_scale.shift) + op->is.add.output_zero;
    op->output[i] = (int8_t)atoll_clamp(value, op->is.add.low, op->is.add.high);
  }
  return true;
}

atoll_load_result atoll_prepare_add(atoll_prepare *p, atoll_op *op) {
  const atoll_view *a = &p->inputs[0], *b = &p->inputs[1], *out = &p->output;
  if (a->type != TYPE_INT8 || b->type != TYPE_INT8 || out->type != TYPE_INT8)
    return atoll_invalid(p, "additions must be int8");
  if (a->elements != out->elements || memcmp(a->dims, b->dims, sizeof a->dims) != 0 || a->rank != b->rank)
    return atoll_invalid(p, "additions must be of equal shapes");
  const double twice_larger = 2 * (double)(a->scale > b->scale ? a->scale : b->scale);
  const bool scaled = atoll_quantize_multiplier((double)a->scale / twice_larger, &op->is.add.first_scale) &&
                      atoll_quantize_multiplier((double)b->scale / twice_larger, &op->is.add.second_scale) &&
                      atoll_quantize_multiplier(twice_larger / ((double)(1 << ADD_SHIFT) * (double)out->scale),
                                                &op->is.add.result_scale);
  if (!scaled || !atoll_limits(out, atoll_fb_i8(p->fb, p->options, 0, 0), &op->is.add.low, &op->is.add.high))
    return atoll_invalid(p, "scales or activation of an addition are out of range");
  op->is.add.second = (const int8_t *)b->data;
  op->is.add.elements = out->elements;
  op->is.add.first_zero = (int16_t)a->zero_point;
  op->is.add.second_zero = (int16_t)b->zero_point;
  op->is.add.output_zero = (int16_t)out->zero_point;
  op->invoke = invoke_add;
  return ATOLL_LOADED;
}

static bool invoke_reshape(const atoll_op *op) {
  if (op->input != op->output) memmove(op->output, op->input, op->is.reshape.bytes);
  return true;
}

atoll_load_result atoll_prepare_reshape(atoll_prepare *p, atoll_op *op) {
  if (p->inputs[0].type != p->output.type || p->inputs[0].bytes != p->output.bytes)
    return atoll_invalid(p, "a reshape must keep its elements");
  op->is.reshape.bytes = p->output.bytes;
  op->invoke = invoke_reshape;
  return ATOLL_LOADED;
}

/** exp of the difference to the maximum of a row, Q0.31. */
static int32_t exponential(const atoll_op *op, int32_t difference) {
  if (difference < op->is.softmax.diff_min) return 0;
  const int32_t scaled = (int32_t)((uint32_t)difference << op->is.softmax.shift);
  return atoll_exp_negative(atoll_high_mul(scaled, op->is.softmax.multiplier));
}

static bool invoke_softmax(const atoll_op *op) {
  const int32_t depth = op->is.softmax.depth;
  for (int32_t r = 0; r < op->is.softmax.rows; r++) {
    const int8_t *in = op->input + r * depth;
    int8_t *out = op->output + r * depth;
    int32_t largest = INT8_MIN, sum = 0;
    for (int32_t i = 0; i < depth; i++)
      if (in[i] > largest) largest = in[i];
    for (int32_t i = 0; i < depth; i++)
      sum = atoll_wrapping_add(sum, atoll_shift_right(exponential(op, in[i] - largest), SUM_INTEGER_BITS));
    if (sum <= 0) return false;
    int32_t headroom = 0;
    while (((uint32_t)sum << headroom & 0x80000000u) == 0) headroom++;
    const int32_t scale = atoll_one_over_one_plus((int32_t)(((uint32_t)sum << headroom) - 0x80000000u));
    const int32_t bits = SUM_INTEGER_BITS - headroom + 31 - 8;
    for (int32_t i = 0; i < depth; i++) {
      const int32_t product = atoll_high_mul(scale, exponential(op, in[i] - largest));
      // With 31 bits or more the result is 0.
      const int32_t value = (bits > 30 ? 0 : atoll_shift_right(product, bits)) + INT8_MIN;
      out[i] = (int8_t)(value < INT8_MAX ? value : INT8_MAX);
    }
  }
  return true;
}

atoll_load_result atoll_prepare_softmax(atoll_prepare *p, atoll_op *op) {
  const atoll_view *in = &p->inputs[0], *out = &p->output;
  const int32_t depth = in->dims[RANK - 1];
  if (in->type != TYPE_INT8 || out->type != TYPE_INT8 || in->elements != out->elements || in->rank < 1 || depth < 1)
    return atoll_invalid(p, "a softmax must be int8");
  if (out->scale != 1.0f / 256 || out->zero_point != INT8_MIN)
    return atoll_invalid(p, "the output of a softmax must have scale 1/256 and zero point -128");
  double real =
      (double)atoll_fb_f32(p->fb, p->options, 0, 0.0f) * (double)in->scale * (double)(1 << (31 - DIFF_INTEGER_BITS));
  if (real > (double)INT32_MAX) real = (double)INT32_MAX;
  atoll_multiplier scale;
  if (!(real > 1) || !atoll_quantize_multiplier(real, &scale))
    return atoll_invalid(p, "the scale of a softmax is out of range");
  const int64_t reach = (int64_t)((1 << DIFF_INTEGER_BITS) - 1) << (31 - DIFF_INTEGER_BITS);
  op->is.softmax.diff_min = -(int32_t)(reach >> scale.shift);
  op->is.softmax.multiplier = scale.multiplier;
  op->is.softmax.shift = scale.shift;
  op->is.softmax.depth = depth;
  op->is.softmax.rows = (int32_t)(in->elements / (uint32_t)depth);
  op->invoke = invoke_softmax;
  return ATOLL_LOADED;
}
