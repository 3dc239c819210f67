// Group 16724: the device, its slots, inference, and proofs of it.
#include <string.h>

#include "crc.h"
#include "drawing.h"
#include "server.h"
#include "sha256.h"

enum { PROTOCOL = 1, PROFILE_ENTRIES = 32 };

static atoll_status describe(atoll_device *device, atoll_bytes request, atoll_writer *answer) {
  (void)request;
  const atoll_system *system = device->system;
  const atoll_inference *inference = device->inference;
  const bool inflates = ATOLL_INFLATE_BYTES > 0;
  atoll_put_map(answer, inflates ? 16 : 15);
  atoll_put_key_uint(answer, "proto", PROTOCOL);
  atoll_put_key_text(answer, "id", system->id);
  atoll_put_key_text(answer, "target", system->target);
  atoll_put_key_text(answer, "fw", system->firmware);
  atoll_put_key_text(answer, "runtime", inference->runtime);
  atoll_put_key_text(answer, "runtime_version", inference->version);
  atoll_put_key_text(answer, "profile", inference->profile);
  atoll_put_text(answer, "operators");
  atoll_put_array(answer, inference->operator_count);
  for (uint32_t i = 0; i < inference->operator_count; i++) atoll_put_uint(answer, inference->operators[i]);
  atoll_put_key_uint(answer, "tick_hz", system->tick_hz);
  atoll_put_key_uint(answer, "slots", 2);
  atoll_put_key_uint(answer, "slot_bytes", device->store.flash->slot_bytes);
  atoll_put_key_uint(answer, "align", 16);
  atoll_put_key_uint(answer, "arena_bytes", inference->arena_bytes);
  atoll_put_key_bool(answer, "key", false);
  atoll_put_text(answer, "features");
  atoll_put_array(answer, 3);
  atoll_put_text(answer, "infer");
  atoll_put_text(answer, "profile");
  atoll_put_text(answer, "stats");
  if (inflates) atoll_put_key_uint(answer, "inflate", ATOLL_INFLATE_BYTES);
  return atoll_ok();
}

/** SHA-256 of the model alone; false where the slot holds no image that is whole. */
static bool model_sha(const atoll_store *store, uint8_t slot, uint8_t digest[32]) {
  const atoll_slot *state = &store->slots[slot];
  if (state->bytes == 0 || state->phase != ATOLL_SLOT_SEALED) return false;
  atoll_image image;
  const char *detail;
  if (!atoll_image_open(&image, atoll_store_bytes(store, slot), state->bytes, &detail)) return false;
  atoll_sha256_of(image.model, image.model_bytes, digest);
  return true;
}

static atoll_status slots(atoll_device *device, atoll_bytes request, atoll_writer *answer) {
  (void)request;
  atoll_store *store = &device->store;
  atoll_put_map(answer, 1);
  atoll_put_text(answer, "slots");
  atoll_put_array(answer, 2);
  for (uint8_t i = 0; i < 2; i++) {
    const atoll_slot *slot = &store->slots[i];
    uint8_t model[32];
    const bool has_model = model_sha(store, i, model);
    const bool has_bytes = slot->bytes > 0;
    atoll_put_map(answer, 7u + (has_bytes ? 1u : 0u) + (has_model ? 1u : 0u));
    atoll_put_key_uint(answer, "slot", i);
    atoll_put_key_uint(answer, "len", slot->bytes);
    if (has_bytes) atoll_put_key_bytes(answer, "sha", atoll_store_sha(store, i), 32);
    if (has_model) atoll_put_key_bytes(answer, "model", model, sizeof model);
    atoll_put_key_bool(answer, "active", i == store->active);
    atoll_put_key_bool(answer, "pending", slot->pending);
    atoll_put_key_bool(answer, "confirmed", slot->confirmed);
    atoll_put_key_bool(answer, "tested", slot->tested);
    atoll_put_key_uint(answer, "attempts", slot->attempts);
  }
  return atoll_ok();
}

static bool is_sha(atoll_store *store, uint8_t slot, atoll_bytes sha) {
  return sha.length == 32 && store->slots[slot].bytes > 0 && memcmp(atoll_store_sha(store, slot), sha.at, 32) == 0;
}

/** @return a status for a slot that the request does not name, or that is not there */
static atoll_status named_slot(atoll_bytes request, uint8_t *slot) {
  uint32_t index;
  if (!atoll_map_uint(request, "slot", &index)) return smp_error(SMP_INVALID);
  if (index > 1) return atoll_error(ATOLL_NO_SUCH_SLOT, "there are slots 0 and 1");
  *slot = (uint8_t)index;
  return atoll_ok();
}

static atoll_status activate(atoll_device *device, atoll_bytes request, atoll_writer *answer) {
  atoll_bytes sha;
  uint8_t slot;
  const atoll_status named = named_slot(request, &slot);
  if (named.rc != SMP_OK) return named;
  if (!atoll_map_bytes(request, "sha", &sha)) return smp_error(SMP_INVALID);
  atoll_store *store = &device->store;
  if (store->slots[slot].bytes == 0) return atoll_error(ATOLL_NO_MODEL, "the slot is empty");
  if (!is_sha(store, slot, sha)) return atoll_error(ATOLL_HASH_MISMATCH, "the slot holds another image");
  atoll_image image;
  const atoll_status loaded = atoll_load_slot(device, slot, &image);
  if (loaded.rc != SMP_OK) return loaded;
  if (image.vector_count > 0 && !store->slots[slot].tested) return atoll_error(ATOLL_NOT_TESTED, "the image has self-test vectors and has not passed them");
  if (slot != store->active) {
    if (!atoll_store_activate(store, slot)) return file_error(FILE_WRITE_FAILED);
    device->activated_ms = device->system->now_ms(device->system->context);
  }
  atoll_put_map(answer, 1);
  atoll_put_key_uint(answer, "arena", device->inference->arena_used(device->inference->context));
  return atoll_ok();
}

static atoll_status confirm(atoll_device *device, atoll_bytes request, atoll_writer *answer) {
  atoll_bytes sha;
  if (!atoll_map_bytes(request, "sha", &sha)) return smp_error(SMP_INVALID);
  if (device->store.active == ATOLL_NO_SLOT) return atoll_error(ATOLL_NO_MODEL, "no model is active");
  if (!is_sha(&device->store, device->store.active, sha)) return atoll_error(ATOLL_HASH_MISMATCH, "another model is active");
  if (!atoll_store_confirm(&device->store)) return file_error(FILE_WRITE_FAILED);
  atoll_put_map(answer, 0);
  return atoll_ok();
}

static atoll_status erase(atoll_device *device, atoll_bytes request, atoll_writer *answer) {
  uint8_t slot;
  const atoll_status named = named_slot(request, &slot);
  if (named.rc != SMP_OK) return named;
  if (atoll_store_in_use(&device->store, slot)) return atoll_error(ATOLL_SLOT_IN_USE, "the slot is active, or what the device falls back to");
  if (device->loaded == slot) device->loaded = ATOLL_NO_SLOT;
  if (!atoll_store_begin(&device->store, slot)) return file_error(FILE_WRITE_FAILED);
  atoll_put_map(answer, 0);
  return atoll_ok();
}

/** One inference of the model in the arena. @return false where it fails */
static bool invoke(atoll_device *device, uint32_t *ticks) {
  const atoll_system *system = device->system;
  atoll_watch(device, ATOLL_PATIENCE_MS);
  const uint32_t start = system->ticks(system->context);
  const bool good = device->inference->invoke(device->inference->context);
  const uint32_t spent = system->ticks(system->context) - start;
  atoll_watch(device, 0);
  *ticks = spent == 0 ? 1 : spent;
  device->counters.inferences++;
  return good;
}

static const char invoke_failed[] = "the runtime failed on an operator";

static atoll_status write_input(atoll_device *device, atoll_bytes request, atoll_writer *answer) {
  const atoll_inference *inference = device->inference;
  uint32_t index, off;
  atoll_bytes data;
  if (!atoll_map_uint(request, "input", &index) || !atoll_map_uint(request, "off", &off) || !atoll_map_bytes(request, "data", &data)) return smp_error(SMP_INVALID);
  const atoll_status loaded = atoll_load_active(device);
  if (loaded.rc != SMP_OK) return loaded;
  if (index >= inference->input_count(inference->context)) return atoll_error(ATOLL_NO_SUCH_TENSOR, "the model has no such input");
  const atoll_tensor tensor = inference->input(inference->context, index);
  if (off > tensor.bytes || data.length > tensor.bytes - off) return atoll_error(ATOLL_OFFSET_NOT_VALID, "outside the input");
  memcpy(tensor.data + off, data.at, data.length);
  atoll_put_map(answer, 1);
  atoll_put_key_uint(answer, "off", off + data.length);
  return atoll_ok();
}

static atoll_status run(atoll_device *device, atoll_bytes request, atoll_writer *answer) {
  uint32_t n = 1;
  (void)atoll_map_uint(request, "n", &n);
  const atoll_status loaded = atoll_load_active(device);
  if (loaded.rc != SMP_OK) return loaded;
  if (n > ATOLL_RUNS) n = ATOLL_RUNS;
  if (n == 0) return smp_error(SMP_INVALID);
  uint32_t total = 0;
  for (uint32_t i = 0; i < n; i++) {
    uint32_t ticks;
    if (!invoke(device, &ticks)) return atoll_error(ATOLL_UNKNOWN, invoke_failed);
    total += ticks;
  }
  atoll_put_map(answer, 2);
  atoll_put_key_uint(answer, "n", n);
  atoll_put_key_uint(answer, "ticks", total);
  return atoll_ok();
}

static atoll_status read_output(atoll_device *device, atoll_bytes request, atoll_writer *answer) {
  const atoll_inference *inference = device->inference;
  uint32_t index, off;
  if (!atoll_map_uint(request, "output", &index) || !atoll_map_uint(request, "off", &off)) return smp_error(SMP_INVALID);
  const atoll_status loaded = atoll_load_active(device);
  if (loaded.rc != SMP_OK) return loaded;
  if (index >= inference->output_count(inference->context)) return atoll_error(ATOLL_NO_SUCH_TENSOR, "the model has no such output");
  const atoll_tensor tensor = inference->output(inference->context, index);
  if (off > tensor.bytes) return atoll_error(ATOLL_OFFSET_NOT_VALID, "outside the output");
  const uint32_t length = tensor.bytes - off < ATOLL_CHUNK_BYTES ? tensor.bytes - off : ATOLL_CHUNK_BYTES;
  atoll_put_map(answer, off == 0 ? 3 : 2);
  atoll_put_key_uint(answer, "off", off);
  atoll_put_key_bytes(answer, "data", tensor.data + off, length);
  if (off == 0) atoll_put_key_uint(answer, "len", tensor.bytes);
  return atoll_ok();
}

typedef atoll_tensor (*tensor_at)(void *context, uint32_t index);

static uint32_t bytes_of(const atoll_inference *inference, uint32_t count, tensor_at at) {
  uint32_t bytes = 0;
  for (uint32_t i = 0; i < count; i++) bytes += at(inference->context, i).bytes;
  return bytes;
}

static uint32_t input_bytes(const atoll_inference *inference) { return bytes_of(inference, inference->input_count(inference->context), inference->input); }

static uint32_t output_bytes(const atoll_inference *inference) { return bytes_of(inference, inference->output_count(inference->context), inference->output); }

static atoll_status infer(atoll_device *device, atoll_bytes request, atoll_writer *answer) {
  const atoll_inference *inference = device->inference;
  atoll_bytes data;
  if (!atoll_map_bytes(request, "data", &data)) return smp_error(SMP_INVALID);
  const atoll_status loaded = atoll_load_active(device);
  if (loaded.rc != SMP_OK) return loaded;
  const uint32_t sample_bytes = input_bytes(inference), result_bytes = output_bytes(inference);
  if (sample_bytes == 0 || data.length == 0 || data.length % sample_bytes != 0) return atoll_error(ATOLL_OFFSET_NOT_VALID, "no whole number of samples");
  const uint32_t samples = data.length / sample_bytes;
  // The ticks stand before the outputs, so each takes the five bytes that the longest needs.
  if ((uint64_t)samples * (result_bytes + 5) > ATOLL_CHUNK_BYTES) return atoll_error(ATOLL_OFFSET_NOT_VALID, "the outputs of so many samples exceed an answer");
  atoll_put_map(answer, 2);
  atoll_put_text(answer, "data");
  uint8_t *outputs = atoll_put_bytes_room(answer, samples * result_bytes);
  if (outputs == NULL) return smp_error(SMP_TOO_LARGE);
  atoll_put_text(answer, "ticks");
  atoll_put_array(answer, samples);
  for (uint32_t s = 0; s < samples; s++) {
    for (uint32_t i = 0; i < inference->input_count(inference->context); i++) {
      const atoll_tensor tensor = inference->input(inference->context, i);
      memcpy(tensor.data, data.at, tensor.bytes);
      data.at += tensor.bytes;
    }
    uint32_t ticks;
    if (!invoke(device, &ticks)) return atoll_error(ATOLL_UNKNOWN, invoke_failed);
    for (uint32_t i = 0; i < inference->output_count(inference->context); i++) {
      const atoll_tensor tensor = inference->output(inference->context, i);
      memcpy(outputs, tensor.data, tensor.bytes);
      outputs += tensor.bytes;
    }
    atoll_put_uint(answer, ticks);
  }
  return atoll_ok();
}

static atoll_status profile(atoll_device *device, atoll_bytes request, atoll_writer *answer) {
  const atoll_inference *inference = device->inference;
  uint32_t off = 0, code, ticks;
  (void)atoll_map_uint(request, "off", &off);
  const atoll_status loaded = atoll_load_active(device);
  if (loaded.rc != SMP_OK) return loaded;
  uint32_t count = 0;
  while (count < PROFILE_ENTRIES && off <= UINT32_MAX - count && inference->profile_at(inference->context, off + count, &code, &ticks)) count++;
  const bool more = count == PROFILE_ENTRIES && inference->profile_at(inference->context, off + count, &code, &ticks);
  atoll_put_map(answer, more ? 2 : 1);
  atoll_put_text(answer, "ops");
  atoll_put_array(answer, count);
  for (uint32_t i = 0; i < count; i++) {
    (void)inference->profile_at(inference->context, off + i, &code, &ticks);
    atoll_put_array(answer, 2);
    atoll_put_uint(answer, code);
    atoll_put_uint(answer, ticks);
  }
  if (more) atoll_put_key_uint(answer, "next", off + count);
  return atoll_ok();
}

/** Fills the inputs with the next sample of a sequence. @return false for types that cannot be drawn */
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

/** Compares the outputs in the arena with what a vector expects. @return false where that has another length */
static bool compare(const atoll_inference *inference, atoll_bytes expected, uint32_t allowed, comparison *result) {
  const uint8_t *at = expected.at, *end = expected.at + expected.length;
  for (uint32_t i = 0; i < inference->output_count(inference->context); i++) {
    const atoll_tensor tensor = inference->output(inference->context, i);
    const uint32_t width = tensor.type == ATOLL_INT16 ? 2 : tensor.type == ATOLL_INT8 || tensor.type == ATOLL_UINT8 ? 1 : 4;
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

static atoll_status self_test(atoll_device *device, atoll_bytes request, atoll_writer *answer) {
  const atoll_inference *inference = device->inference;
  uint8_t slot;
  const atoll_status named = named_slot(request, &slot);
  if (named.rc != SMP_OK) return named;
  atoll_image image;
  const atoll_status loaded = atoll_load_slot(device, slot, &image);
  if (loaded.rc != SMP_OK) return loaded;
  atoll_reader reader;
  uint32_t vectors, failed = 0, max_lsb = 0, total = 0;
  (void)atoll_image_vectors(&image, &reader, &vectors);
  for (uint32_t i = 0; i < vectors; i++) {
    uint32_t seed, ticks;
    atoll_bytes expected;
    if (!atoll_image_vector(&reader, &seed, &expected)) return atoll_error(ATOLL_IMAGE_INVALID, "a vector is not whole");
    uint32_t state = atoll_draw_begin(seed);
    if (!draw_inputs(inference, &state)) return atoll_error(ATOLL_NO_SUCH_TENSOR, "inputs of this model cannot be drawn");
    if (!invoke(device, &ticks)) return atoll_error(ATOLL_UNKNOWN, invoke_failed);
    comparison result = {0};
    const bool whole = compare(inference, expected, image.max_lsb, &result);
    if (!whole || (uint64_t)result.within * 1000000 < (uint64_t)result.elements * image.min_share_ppm) failed++;
    if (result.max_lsb > max_lsb) max_lsb = result.max_lsb;
    total += ticks;
  }
  if (!atoll_store_set_tested(&device->store, slot, failed == 0)) return file_error(FILE_WRITE_FAILED);
  if (failed == 0) device->counters.selftests_passed++;
  else device->counters.selftests_failed++;
  atoll_put_map(answer, 5);
  atoll_put_key_uint(answer, "vectors", vectors);
  atoll_put_key_uint(answer, "failed", failed);
  atoll_put_key_uint(answer, "max_lsb", max_lsb);
  atoll_put_key_uint(answer, "ticks", total);
  atoll_put_key_uint(answer, "arena", inference->arena_used(inference->context));
  return atoll_ok();
}

static atoll_status challenge(atoll_device *device, atoll_bytes request, atoll_writer *answer) {
  const atoll_inference *inference = device->inference;
  uint32_t seed, n;
  atoll_reader value;
  bool wanted = false;
  if (!atoll_map_uint(request, "seed", &seed) || !atoll_map_uint(request, "n", &n) || n == 0) return smp_error(SMP_INVALID);
  if (atoll_map_find(request, "outputs", &value)) (void)atoll_read_bool(&value, &wanted);
  const atoll_status loaded = atoll_load_active(device);
  if (loaded.rc != SMP_OK) return loaded;
  const uint32_t bytes = output_bytes(inference);
  if (n > ATOLL_RUNS) n = ATOLL_RUNS;
  if (wanted && n > ATOLL_CHUNK_BYTES / bytes) n = ATOLL_CHUNK_BYTES / bytes;
  if (n == 0) return atoll_error(ATOLL_OFFSET_NOT_VALID, "the outputs of one sample exceed an answer");
  atoll_put_map(answer, wanted ? 3 : 2);
  atoll_put_key_uint(answer, "n", n);
  uint8_t *room = NULL;
  if (wanted) {
    atoll_put_text(answer, "outputs");
    room = atoll_put_bytes_room(answer, n * bytes);
    if (room == NULL) return smp_error(SMP_TOO_LARGE);
  }
  uint32_t state = atoll_draw_begin(seed), crc = 0;
  for (uint32_t s = 0; s < n; s++) {
    uint32_t ticks;
    if (!draw_inputs(inference, &state)) return atoll_error(ATOLL_NO_SUCH_TENSOR, "inputs of this model cannot be drawn");
    if (!invoke(device, &ticks)) return atoll_error(ATOLL_UNKNOWN, invoke_failed);
    for (uint32_t i = 0; i < inference->output_count(inference->context); i++) {
      const atoll_tensor tensor = inference->output(inference->context, i);
      crc = atoll_crc32(crc, tensor.data, tensor.bytes);
      if (room != NULL) {
        memcpy(room, tensor.data, tensor.bytes);
        room += tensor.bytes;
      }
    }
  }
  atoll_put_key_uint(answer, "crc", crc);
  return atoll_ok();
}

const atoll_command atoll_model_commands[] = {
    {GROUP_ATOLL, 0, false, describe},   {GROUP_ATOLL, 1, false, slots},       {GROUP_ATOLL, 2, true, activate}, {GROUP_ATOLL, 3, true, confirm},
    {GROUP_ATOLL, 4, true, erase},       {GROUP_ATOLL, 5, true, write_input},  {GROUP_ATOLL, 6, true, run},      {GROUP_ATOLL, 7, false, read_output},
    {GROUP_ATOLL, 8, true, self_test},   {GROUP_ATOLL, 9, true, challenge},    {GROUP_ATOLL, 10, false, profile}, {GROUP_ATOLL, 11, true, infer},
    {0},
};
