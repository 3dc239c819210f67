// Group 16724: verification of the device's results, on inputs that both sides generate.
#include <string.h>

#include "crc.h"
#include "drawing.h"
#include "proof.h"

/** Fills the inputs with the next sample of a random sequence. @return false for unsupported types */
static bool draw_inputs(const atoll_inference *inference, uint32_t *state) {
  for (uint32_t i = 0; i < inference->input_count(inference->context); i++) {
    const atoll_tensor tensor = inference->input(inference->context, i);
    if (tensor.type == ATOLL_FLOAT32) {
      for (uint32_t at = 0; at + 4 <= tensor.bytes; at += 4) {
        const float value = (float)(int8_t)atoll_draw(state) / 128.0f;
        memcpy(tensor.data + at, &value, sizeof value);
      }
    } else if (tensor.type == ATOLL_INT8 || tensor.type == ATOLL_UINT8 || tensor.type == ATOLL_INT16) {
      for (uint32_t at = 0; at < tensor.bytes; at++) tensor.data[at] = atoll_draw(state);
    } else return false;
  }
  return true;
}

static uint32_t difference_at(uint8_t type, const uint8_t *a, const uint8_t *b) {
  int32_t x, y;
  if (type == ATOLL_INT8) x = (int8_t)*a, y = (int8_t)*b;
  else if (type == ATOLL_INT16) x = (int16_t)(a[0] | (a[1] << 8)), y = (int16_t)(b[0] | (b[1] << 8));
  else if (type == ATOLL_UINT8) x = *a, y = *b;
  else return memcmp(a, b, 4) == 0 ? 0 : 1;
  return (uint32_t)(x > y ? x - y : y - x);
}

typedef struct comparison {
  uint32_t max_lsb, within, elements;
} comparison;

/** Compares the outputs in the arena with those of a vector. @return false if their lengths differ */
static bool compare(const atoll_inference *inference, atoll_bytes expected, uint32_t allowed, comparison *result) {
  const uint8_t *at = expected.at, *end = expected.at + expected.length;
  for (uint32_t i = 0; i < inference->output_count(inference->context); i++) {
    const atoll_tensor tensor = inference->output(inference->context, i);
    const uint32_t width = tensor.type == ATOLL_INT16                                ? 2
                           : tensor.type == ATOLL_INT8 || tensor.type == ATOLL_UINT8 ? 1
                                                                                     : 4;
    if ((uint32_t)(end - at) < tensor.bytes) return false;
    for (uint32_t k = 0; k + width <= tensor.bytes; k += width) {
      const uint32_t difference = difference_at(tensor.type, at + k, tensor.data + k);
      if (difference > result->max_lsb) result->max_lsb = difference;
      if (difference <= allowed) result->within++;
      result->elements++;
    }
    at += tensor.bytes;
  }
  return at == end;
}

atoll_status atoll_self_test(atoll_device *device, uint8_t slot, atoll_self_test_result *result) {
  const atoll_inference *inference = device->inference;
  *result = (atoll_self_test_result){0};
  atoll_image image;
  const atoll_status loaded = atoll_load_slot(device, slot, &image);
  if (loaded.rc != SMP_EOK) return loaded;
  atoll_reader reader;
  (void)atoll_image_vectors(&image, &reader, &result->vectors);
  for (uint32_t i = 0; i < result->vectors; i++) {
    uint32_t seed, ticks;
    atoll_bytes expected;
    if (!atoll_image_vector(&reader, &seed, &expected))
      return atoll_error(ATOLL_RC_IMAGE_INVALID, "a vector is not whole");
    uint32_t state = atoll_draw_begin(seed);
    if (!draw_inputs(inference, &state))
      return atoll_error(ATOLL_RC_NO_SUCH_TENSOR, "inputs of this model cannot be drawn");
    if (!atoll_invoke(device, false, &ticks)) return atoll_error(ATOLL_RC_UNKNOWN, atoll_invoke_failed);
    comparison compared = {0};
    const bool whole = compare(inference, expected, image.max_lsb, &compared);
    if (!whole || (uint64_t)compared.within * 1000000 < (uint64_t)compared.elements * image.min_share_ppm)
      result->failed++;
    if (compared.max_lsb > result->max_lsb) result->max_lsb = compared.max_lsb;
    result->ticks += ticks;
  }
  result->arena = inference->arena_used(inference->context);
  if (!atoll_store_set_tested(&device->store, slot, result->failed == 0)) return file_error(FILE_WRITE_FAILED);
  if (result->failed == 0) device->counters.selftests_passed++;
  else device->counters.selftests_failed++;
  return atoll_ok();
}

static atoll_status self_test(atoll_device *device, atoll_bytes request, atoll_writer *answer) {
  uint8_t slot;
  const atoll_status named = atoll_named_slot(request, &slot);
  if (named.rc != SMP_EOK) return named;
  atoll_self_test_result result;
  const atoll_status tested = atoll_self_test(device, slot, &result);
  if (tested.rc != SMP_EOK) return tested;
  atoll_put_map(answer, 5);
  atoll_put_key_uint(answer, "vectors", result.vectors);
  atoll_put_key_uint(answer, "failed", result.failed);
  atoll_put_key_uint(answer, "max_lsb", result.max_lsb);
  atoll_put_key_uint(answer, "ticks", result.ticks);
  atoll_put_key_uint(answer, "arena", result.arena);
  return atoll_ok();
}

atoll_status atoll_challenge(atoll_device *device, uint32_t seed, uint32_t samples, uint8_t *outputs, uint32_t *crc) {
  const atoll_inference *inference = device->inference;
  uint32_t state = atoll_draw_begin(seed);
  *crc = 0;
  for (uint32_t s = 0; s < samples; s++) {
    uint32_t ticks;
    if (!draw_inputs(inference, &state))
      return atoll_error(ATOLL_RC_NO_SUCH_TENSOR, "inputs of this model cannot be drawn");
    if (!atoll_invoke(device, false, &ticks)) return atoll_error(ATOLL_RC_UNKNOWN, atoll_invoke_failed);
    for (uint32_t i = 0; i < inference->output_count(inference->context); i++) {
      const atoll_tensor tensor = inference->output(inference->context, i);
      *crc = atoll_crc32(*crc, tensor.data, tensor.bytes);
      if (outputs == NULL) continue;
      memcpy(outputs, tensor.data, tensor.bytes);
      outputs += tensor.bytes;
    }
  }
  return atoll_ok();
}

static atoll_status challenge(atoll_device *device, atoll_bytes request, atoll_writer *answer) {
  const atoll_inference *inference = device->inference;
  uint32_t seed, n, crc;
  atoll_reader value;
  bool wanted = false;
  if (!atoll_map_uint(request, "seed", &seed) || !atoll_map_uint(request, "n", &n) || n == 0)
    return smp_error(SMP_EINVAL);
  if (atoll_map_find(request, "outputs", &value)) (void)atoll_read_bool(&value, &wanted);
  const atoll_status loaded = atoll_load_active(device);
  if (loaded.rc != SMP_EOK) return loaded;
  const uint32_t bytes = atoll_output_bytes(inference);
  if (n > ATOLL_RUNS) n = ATOLL_RUNS;
  if (wanted && n > ATOLL_CHUNK_BYTES / bytes) n = ATOLL_CHUNK_BYTES / bytes;
  if (n == 0) return atoll_error(ATOLL_RC_OFFSET_NOT_VALID, "the outputs of one sample exceed an answer");
  atoll_put_map(answer, wanted ? 3 : 2);
  atoll_put_key_uint(answer, "n", n);
  uint8_t *room = NULL;
  if (wanted) {
    atoll_put_text(answer, "outputs");
    room = atoll_put_bytes_room(answer, n * bytes);
    if (room == NULL) return smp_error(SMP_EMSGSIZE);
  }
  const atoll_status run = atoll_challenge(device, seed, n, room, &crc);
  if (run.rc != SMP_EOK) return run;
  atoll_put_key_uint(answer, "crc", crc);
  return atoll_ok();
}

const atoll_command atoll_proof_commands[] = {
    {GROUP_ATOLL, 8, true, self_test}, {GROUP_ATOLL, 9, true, challenge}, {0}};
