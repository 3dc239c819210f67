// FULLY_CONNECTED in int8 (reference_integer_ops::FullyConnected).
#include "operator.h"

static bool invoke(const atoll_op *op) {
  const atoll_weighted *k = &op->is.dense.weighted;
  const int32_t depth = op->is.dense.depth, units = op->is.dense.units;
  int8_t *out = op->output;
  for (int32_t r = 0; r < op->is.dense.rows; r++) {
    const int8_t *row = op->input + r * depth;
    for (int32_t u = 0; u < units; u++) {
      const int8_t *weights = k->weights + u * depth;
      int32_t sum = 0;
      for (int32_t i = 0; i < depth; i++) sum = atoll_wrapping_add(sum, (row[i] - k->input_zero) * weights[i]);
      if (k->bias != 0) sum = atoll_wrapping_add(sum, k->bias[u]);
      *out++ =
          (int8_t)atoll_clamp(atoll_rescale(sum, k->multipliers[u], k->shifts[u]) + k->output_zero, k->low, k->high);
    }
  }
  return true;
}

atoll_load_result atoll_prepare_dense(atoll_prepare *p, atoll_op *op) {
  const atoll_view *filter = &p->inputs[1];
  if (filter->rank != 2) return atoll_invalid(p, "dense weights must have two dimensions");
  const int32_t units = filter->dims[2], depth = filter->dims[3];
  if (units < 1 || depth < 1 || p->inputs[0].elements % (uint32_t)depth != 0)
    return atoll_invalid(p, "shapes of a dense layer do not match");
  const uint32_t rows = p->inputs[0].elements / (uint32_t)depth;
  if ((uint64_t)rows * (uint32_t)units != p->output.elements)
    return atoll_invalid(p, "shapes of a dense layer do not match");
  op->is.dense.rows = (int32_t)rows;
  op->is.dense.depth = depth;
  op->is.dense.units = units;
  op->invoke = invoke;
  return atoll_weighted_of(p, &op->is.dense.weighted, units, 0, atoll_fb_i8(p->fb, p->options, 0, 0), true);
}
