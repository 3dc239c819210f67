// Loads a model: reads its graph, plans its activations at the beginning of the arena (greedy by size, like TFLite
// Micro), and stores the data of the operators at the end.
#include "atoll_runtime.h"

#include <stddef.h>
#include <string.h>

#include "operator.h"

enum { ALIGNMENT = 16, MAX_OPS = 4096, NEVER = -1 };
/** Fields of the tables of TFLite's schema (schema.fbs). */
enum { MODEL_CODES = 1, MODEL_SUBGRAPHS = 2, MODEL_BUFFERS = 4 };
enum { CODE_DEPRECATED = 0, CODE_BUILTIN = 3 };
enum { SUBGRAPH_TENSORS = 0, SUBGRAPH_INPUTS = 1, SUBGRAPH_OUTPUTS = 2, SUBGRAPH_OPERATORS = 3 };
enum { TENSOR_SHAPE = 0, TENSOR_TYPE = 1, TENSOR_BUFFER = 2, TENSOR_QUANTIZATION = 4, TENSOR_VARIABLE = 5 };
enum { QUANTIZATION_SCALE = 2, QUANTIZATION_ZERO = 3, QUANTIZATION_AXIS = 6 };
enum { OPERATOR_CODE = 0, OPERATOR_INPUTS = 1, OPERATOR_OUTPUTS = 2, OPERATOR_OPTIONS = 4, BUFFER_DATA = 0 };

static const struct {
  uint8_t code;
  atoll_prepare_fn prepare;
} kernels[] = {
    {OP_ADD, atoll_prepare_add},
    {OP_AVERAGE_POOL_2D, atoll_prepare_average_pool},
    {OP_CONV_2D, atoll_prepare_conv},
    {OP_DEPTHWISE_CONV_2D, atoll_prepare_depthwise},
    {OP_FULLY_CONNECTED, atoll_prepare_dense},
    {OP_MAX_POOL_2D, atoll_prepare_max_pool},
    {OP_RESHAPE, atoll_prepare_reshape},
    {OP_SOFTMAX, atoll_prepare_softmax},
};
enum { KERNELS = sizeof kernels / sizeof kernels[0] };
static const uint8_t kernel_codes[KERNELS] = {
    OP_ADD,         OP_AVERAGE_POOL_2D, OP_CONV_2D, OP_DEPTHWISE_CONV_2D, OP_FULLY_CONNECTED,
    OP_MAX_POOL_2D, OP_RESHAPE,         OP_SOFTMAX};

/** An activation: its lifetime and its location. */
typedef struct activation {
  int32_t tensor;
  uint32_t size, offset;
  int32_t first, last;
  bool placed;
} activation;

typedef struct loader {
  atoll_runtime *runtime;
  atoll_fb fb;
  atoll_fb_at model;
  atoll_fb_vector codes, buffers, tensors, operators, inputs, outputs;
  /** At the beginning of the arena, during allocation only. */
  activation *activations;
  uint32_t activation_count;
  const char *detail;
} loader;

static atoll_load_result invalid(loader *l, const char *detail) {
  l->detail = detail;
  return ATOLL_MODEL_INVALID;
}

/** From the end of the arena downwards. */
static void *allocate(void *context, uint32_t bytes, uint32_t alignment) {
  loader *l = context;
  atoll_runtime *r = l->runtime;
  const uint32_t used = (uint32_t)(l->activation_count * sizeof *l->activations);
  if (bytes > r->tail_at || (r->tail_at - bytes) / alignment * alignment < used) return NULL;
  r->tail_at = (r->tail_at - bytes) / alignment * alignment;
  return r->arena + r->tail_at;
}

static atoll_load_result open_graph(loader *l) {
  atoll_fb *fb = &l->fb;
  l->model = atoll_fb_root(fb);
  l->codes = atoll_fb_elements(fb, l->model, MODEL_CODES, 4);
  l->buffers = atoll_fb_elements(fb, l->model, MODEL_BUFFERS, 4);
  const atoll_fb_vector subgraphs = atoll_fb_elements(fb, l->model, MODEL_SUBGRAPHS, 4);
  if (subgraphs.count != 1) return invalid(l, "the model must have one subgraph");
  const atoll_fb_at graph = atoll_fb_element_table(fb, subgraphs, 0);
  l->tensors = atoll_fb_elements(fb, graph, SUBGRAPH_TENSORS, 4);
  l->inputs = atoll_fb_elements(fb, graph, SUBGRAPH_INPUTS, 4);
  l->outputs = atoll_fb_elements(fb, graph, SUBGRAPH_OUTPUTS, 4);
  l->operators = atoll_fb_elements(fb, graph, SUBGRAPH_OPERATORS, 4);
  if (fb->bad || l->operators.count == 0 || l->operators.count > MAX_OPS) return invalid(l, "the model is not whole");
  if (l->inputs.count < 1 || l->inputs.count > ATOLL_RUNTIME_TENSORS || l->outputs.count < 1 ||
      l->outputs.count > ATOLL_RUNTIME_TENSORS)
    return invalid(l, "the model has too many inputs or outputs");
  return ATOLL_LOADED;
}

static activation *activation_of(loader *l, int32_t tensor) {
  for (uint32_t i = 0; i < l->activation_count; i++)
    if (l->activations[i].tensor == tensor) return &l->activations[i];
  return NULL;
}

/**
 * The model's description of a tensor, without its location.
 * @return false if it is incomplete, or of an unknown type
 */
static bool view_of(loader *l, int32_t index, atoll_view *view) {
  atoll_fb *fb = &l->fb;
  *view = (atoll_view){.type = -1, .dims = {1, 1, 1, 1}, .elements = 1};
  if (index < 0 || (uint32_t)index >= l->tensors.count) return false;
  const atoll_fb_at tensor = atoll_fb_element_table(fb, l->tensors, (uint32_t)index);
  const atoll_fb_vector shape = atoll_fb_elements(fb, tensor, TENSOR_SHAPE, 4);
  view->type = atoll_fb_i8(fb, tensor, TENSOR_TYPE, 0);
  view->rank = shape.count;
  const uint32_t width = view->type == TYPE_INT8 ? 1 : view->type == TYPE_INT32 ? 4 : 0;
  if (tensor == 0 || width == 0 || shape.count > RANK) return false;
  uint64_t bytes = width;
  for (uint32_t d = 0; d < shape.count; d++) {
    const int32_t size = atoll_fb_element_i32(fb, shape, d);
    if (size < 1) return false;
    view->dims[RANK - shape.count + d] = size;
    bytes *= (uint32_t)size;
    if (bytes > INT32_MAX) return false;
  }
  view->bytes = (uint32_t)bytes;
  view->elements = view->bytes / width;
  const int32_t buffer = atoll_fb_i32(fb, tensor, TENSOR_BUFFER, 0);
  if (buffer < 0 || (uint32_t)buffer >= l->buffers.count) return false;
  const atoll_fb_vector data =
      atoll_fb_elements(fb, atoll_fb_element_table(fb, l->buffers, (uint32_t)buffer), BUFFER_DATA, 1);
  view->constant = data.count > 0;
  if (view->constant) {
    // Constants are read in place: their alignment must suit their type.
    if (data.count != view->bytes || ((uintptr_t)(fb->bytes + data.first)) % width != 0) return false;
    view->data = (uint8_t *)(uintptr_t)(fb->bytes + data.first);
  }
  const atoll_fb_at quantization = atoll_fb_table(fb, tensor, TENSOR_QUANTIZATION);
  view->scales = atoll_fb_elements(fb, quantization, QUANTIZATION_SCALE, 4);
  const atoll_fb_vector zeros = atoll_fb_elements(fb, quantization, QUANTIZATION_ZERO, 8);
  view->axis = atoll_fb_i32(fb, quantization, QUANTIZATION_AXIS, 0);
  view->scale = view->scales.count > 0 ? atoll_fb_element_f32(fb, view->scales, 0) : 0;
  for (uint32_t i = 0; i < zeros.count; i++) {
    const int64_t zero = atoll_fb_element_i64(fb, zeros, i);
    if (zero < INT8_MIN || zero > INT8_MAX || (i > 0 && zero != view->zero_point)) return false;
    view->zero_point = (int32_t)zero;
  }
  if (view->type == TYPE_INT8 && !view->constant && !(view->scale > 0)) return false;
  return !fb->bad && atoll_fb_i8(fb, tensor, TENSOR_VARIABLE, 0) == 0;
}

/** Extends the lifetime of a tensor to an operator. */
static atoll_load_result born(loader *l, int32_t tensor, int32_t at) {
  atoll_view view;
  if (activation_of(l, tensor) != NULL) return invalid(l, "a tensor is written twice");
  if (!view_of(l, tensor, &view) || view.constant)
    return invalid(l, "a tensor is not whole, or of a type that this runtime does not know");
  const uint32_t bytes = (uint32_t)((l->activation_count + 1) * sizeof *l->activations);
  if (bytes > l->runtime->tail_at) return ATOLL_ARENA_TOO_SMALL;
  const uint32_t size = (view.bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  l->activations[l->activation_count++] = (activation){.tensor = tensor, .size = size, .first = at, .last = at};
  return ATOLL_LOADED;
}

static atoll_fb_vector indices_of(loader *l, uint32_t op, uint32_t field) {
  return atoll_fb_elements(&l->fb, atoll_fb_element_table(&l->fb, l->operators, op), field, 4);
}

static atoll_load_result find_lifetimes(loader *l) {
  for (uint32_t i = 0; i < l->inputs.count; i++) {
    const atoll_load_result result = born(l, atoll_fb_element_i32(&l->fb, l->inputs, i), 0);
    if (result != ATOLL_LOADED) return result;
  }
  for (uint32_t op = 0; op < l->operators.count; op++) {
    const atoll_fb_vector in = indices_of(l, op, OPERATOR_INPUTS), out = indices_of(l, op, OPERATOR_OUTPUTS);
    if (in.count < 1 || in.count > 3 || out.count != 1) return invalid(l, "an operator has too many inputs or outputs");
    for (uint32_t i = 0; i < in.count; i++) {
      activation *used = activation_of(l, atoll_fb_element_i32(&l->fb, in, i));
      if (used != NULL) used->last = (int32_t)op;
    }
    const atoll_load_result result = born(l, atoll_fb_element_i32(&l->fb, out, 0), (int32_t)op);
    if (result != ATOLL_LOADED) return result;
  }
  for (uint32_t i = 0; i < l->outputs.count; i++) {
    activation *output = activation_of(l, atoll_fb_element_i32(&l->fb, l->outputs, i));
    if (output == NULL) return invalid(l, "an output is never computed");
    output->last = (int32_t)l->operators.count - 1;
  }
  return l->fb.bad ? invalid(l, "the model is not whole") : ATOLL_LOADED;
}

/** The lowest offset for an activation that is free among those placed and alive at the same time. */
static uint32_t lowest_gap(const loader *l, const activation *wanted) {
  uint32_t offset = 0;
  for (bool moved = true; moved;) {
    moved = false;
    for (uint32_t i = 0; i < l->activation_count; i++) {
      const activation *other = &l->activations[i];
      if (!other->placed || other->first > wanted->last || other->last < wanted->first) continue;
      if (offset < other->offset + other->size && other->offset < offset + wanted->size) {
        offset = other->offset + other->size;
        moved = true;
      }
    }
  }
  return offset;
}

/** Largest first; for equal sizes the later tensor first, like TFLite Micro's sort. */
static void plan(loader *l) {
  l->runtime->head_bytes = 0;
  for (uint32_t n = 0; n < l->activation_count; n++) {
    activation *next = NULL;
    for (uint32_t i = 0; i < l->activation_count; i++) {
      activation *a = &l->activations[i];
      if (!a->placed && (next == NULL || a->size > next->size || (a->size == next->size && a->tensor > next->tensor)))
        next = a;
    }
    next->offset = lowest_gap(l, next);
    next->placed = true;
    if (next->offset + next->size > l->runtime->head_bytes) l->runtime->head_bytes = next->offset + next->size;
  }
}

/** A tensor with its location. */
static bool resolved(loader *l, int32_t index, atoll_view *view) {
  if (!view_of(l, index, view)) return false;
  if (view->constant) return true;
  const activation *a = activation_of(l, index);
  if (a == NULL) return false;
  view->data = l->runtime->arena + a->offset;
  return true;
}

static int32_t code_of(loader *l, atoll_fb_at op) {
  const int32_t index = atoll_fb_i32(&l->fb, op, OPERATOR_CODE, 0);
  if (index < 0 || (uint32_t)index >= l->codes.count) return NEVER;
  const atoll_fb_at code = atoll_fb_element_table(&l->fb, l->codes, (uint32_t)index);
  const int32_t deprecated = atoll_fb_i8(&l->fb, code, CODE_DEPRECATED, 0);
  const int32_t builtin = atoll_fb_i32(&l->fb, code, CODE_BUILTIN, 0);
  return builtin > deprecated ? builtin : deprecated;
}

static atoll_load_result prepare_op(loader *l, uint32_t index) {
  const atoll_fb_at table = atoll_fb_element_table(&l->fb, l->operators, index);
  const int32_t code = code_of(l, table);
  atoll_prepare_fn prepare_fn = NULL;
  for (uint32_t k = 0; k < KERNELS; k++)
    if (kernels[k].code == code) prepare_fn = kernels[k].prepare;
  if (prepare_fn == NULL) {
    l->detail = "an operator of the model is not one of this runtime";
    return ATOLL_OPERATOR_MISSING;
  }
  atoll_prepare prepare = {
      .fb = &l->fb, .options = atoll_fb_table(&l->fb, table, OPERATOR_OPTIONS), .allocate = allocate, .context = l};
  const atoll_fb_vector in = indices_of(l, index, OPERATOR_INPUTS), out = indices_of(l, index, OPERATOR_OUTPUTS);
  for (uint32_t i = 0; i < 3; i++) {
    const int32_t tensor = i < in.count ? atoll_fb_element_i32(&l->fb, in, i) : NEVER;
    prepare.inputs[i] = (atoll_view){.type = -1};
    // A shape tensor of RESHAPE repeats the shape of the output.
    if (tensor >= 0 && !resolved(l, tensor, &prepare.inputs[i]))
      return invalid(l, "a tensor is not whole, or of a type that this runtime does not know");
  }
  if (prepare.inputs[0].type < 0 || !resolved(l, atoll_fb_element_i32(&l->fb, out, 0), &prepare.output))
    return invalid(l, "an operator lacks its input");
  atoll_op *op = &l->runtime->ops[index];
  *op = (atoll_op){
      .code = (uint8_t)code, .input = (const int8_t *)prepare.inputs[0].data, .output = (int8_t *)prepare.output.data};
  const atoll_load_result result = prepare_fn(&prepare, op);
  if (result != ATOLL_LOADED) l->detail = prepare.detail;
  return result != ATOLL_LOADED ? result : l->fb.bad ? invalid(l, "the model is not whole") : ATOLL_LOADED;
}

static bool take_ends(loader *l, atoll_fb_vector indices, atoll_tensor *tensors) {
  for (uint32_t i = 0; i < indices.count; i++) {
    atoll_view view;
    if (!resolved(l, atoll_fb_element_i32(&l->fb, indices, i), &view)) return false;
    tensors[i] = (atoll_tensor){(uint8_t)view.type, view.bytes, view.data};
  }
  return true;
}

static atoll_load_result load_graph(loader *l) {
  atoll_runtime *r = l->runtime;
  atoll_load_result result = open_graph(l);
  if (result != ATOLL_LOADED) return result;
  r->ops = allocate(l, (uint32_t)(l->operators.count * sizeof(atoll_op)), ALIGNMENT);
  if (r->ops == NULL) return ATOLL_ARENA_TOO_SMALL;
  result = find_lifetimes(l);
  if (result != ATOLL_LOADED) return result;
  plan(l);
  for (uint32_t i = 0; i < l->operators.count; i++) {
    result = prepare_op(l, i);
    if (result != ATOLL_LOADED) return result;
  }
  if (r->head_bytes > r->tail_at) return ATOLL_ARENA_TOO_SMALL;
  if (!take_ends(l, l->inputs, r->inputs) || !take_ends(l, l->outputs, r->outputs))
    return invalid(l, "an input or output is not whole");
  r->op_count = l->operators.count;
  r->input_count = l->inputs.count;
  r->output_count = l->outputs.count;
  return ATOLL_LOADED;
}

static atoll_load_result load(void *context, const uint8_t *model, uint32_t bytes, const char **detail) {
  atoll_runtime *r = context;
  r->op_count = r->input_count = r->output_count = r->head_bytes = 0;
  r->tail_at = r->arena_bytes;
  if ((uintptr_t)r->arena % ALIGNMENT != 0 || (uintptr_t)model % ALIGNMENT != 0) {
    *detail = "arena and model must be aligned to 16";
    return ATOLL_MODEL_INVALID;
  }
  loader l = {.runtime = r,
              .fb = {.bytes = model, .length = bytes},
              .activations = (activation *)(void *)r->arena,
              .detail = "the arena is too small for the model"};
  const atoll_load_result result = load_graph(&l);
  *detail = l.detail;
  return result;
}

static bool invoke(void *context) {
  atoll_runtime *r = context;
  for (uint32_t i = 0; i < r->op_count; i++) {
    atoll_op *op = &r->ops[i];
    const uint32_t start = r->ticks(r->ticks_context);
    if (!op->invoke(op)) return false;
    op->ticks = r->ticks(r->ticks_context) - start;
  }
  return r->op_count > 0;
}

static uint32_t input_count(void *context) { return ((atoll_runtime *)context)->input_count; }
static uint32_t output_count(void *context) { return ((atoll_runtime *)context)->output_count; }
static atoll_tensor input(void *context, uint32_t index) { return ((atoll_runtime *)context)->inputs[index]; }
static atoll_tensor output(void *context, uint32_t index) { return ((atoll_runtime *)context)->outputs[index]; }

static bool profile_at(void *context, uint32_t index, uint32_t *code, uint32_t *ticks) {
  const atoll_runtime *r = context;
  if (index >= r->op_count) return false;
  *code = r->ops[index].code;
  *ticks = r->ops[index].ticks;
  return true;
}

static uint32_t arena_used(void *context) {
  const atoll_runtime *r = context;
  return r->head_bytes + (r->arena_bytes - r->tail_at);
}

void atoll_runtime_init(atoll_runtime *runtime, uint8_t *arena, uint32_t arena_bytes, uint32_t (*ticks)(void *context),
                        void *ticks_context, atoll_inference *inference) {
  *runtime =
      (atoll_runtime){.arena = arena, .arena_bytes = arena_bytes, .ticks = ticks, .ticks_context = ticks_context};
  *inference = (atoll_inference){.context = runtime,
                                 .runtime = "Atoll int8 runtime",
                                 .version = "1",
                                 .profile = "tflm-reference",
                                 .operators = kernel_codes,
                                 .operator_count = KERNELS,
                                 .arena_bytes = arena_bytes,
                                 .load = load,
                                 .input_count = input_count,
                                 .output_count = output_count,
                                 .input = input,
                                 .output = output,
                                 .invoke = invoke,
                                 .profile_at = profile_at,
                                 .arena_used = arena_used};
}
