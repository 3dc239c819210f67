#include "fake.h"

#include <string.h>

#include "bytes.h"
#include "sha256.h"

static atoll_load_result load(void *context, const uint8_t *model, uint32_t bytes, const char **detail) {
  fake_runtime *fake = context;
  *detail = "not a model";
  if (bytes < 2 || model[0] != 'M') return ATOLL_MODEL_INVALID;
  fake->model = model;
  return ATOLL_LOADED;
}

static uint32_t one(void *context) {
  (void)context;
  return 1;
}

static atoll_tensor input(void *context, uint32_t index) {
  fake_runtime *fake = context;
  (void)index;
  return (atoll_tensor){ATOLL_INT8, fake->input_bytes, fake->input};
}

static atoll_tensor output(void *context, uint32_t index) {
  fake_runtime *fake = context;
  (void)index;
  return (atoll_tensor){ATOLL_INT8, fake->output_bytes, fake->output};
}

/** A value that depends on model and input. */
static bool invoke(void *context) {
  fake_runtime *fake = context;
  for (uint32_t i = 0; i < fake->output_bytes; i++) fake->output[i] = (uint8_t)(fake->model[1] ^ fake->input[i]);
  return true;
}

static bool profile_at(void *context, uint32_t index, uint32_t *code, uint32_t *ticks) {
  const fake_runtime *fake = context;
  *code = 3;
  *ticks = 100;
  return index < fake->operators;
}

static uint32_t arena_used(void *context) {
  (void)context;
  return 1234;
}

void fake_runtime_init(fake_runtime *fake) {
  static const uint8_t operators[] = {3, 9};
  *fake = (fake_runtime){.input_bytes = 8, .output_bytes = 4, .operators = 1};
  fake->inference = (atoll_inference){.context = fake,
                                      .runtime = "tflm",
                                      .version = "2026",
                                      .profile = "tflm-reference",
                                      .operators = operators,
                                      .operator_count = 2,
                                      .arena_bytes = 2048,
                                      .load = load,
                                      .input_count = one,
                                      .output_count = one,
                                      .input = input,
                                      .output = output,
                                      .invoke = invoke,
                                      .profile_at = profile_at,
                                      .arena_used = arena_used};
}

static uint32_t ticks(void *context) { return ((fake_system *)context)->ticks += FAKE_TICKS; }
static uint32_t now_ms(void *context) { return ((fake_system *)context)->ms; }
static void reset(void *context) { ((fake_system *)context)->resets++; }

void fake_system_init(fake_system *fake) {
  *fake = (fake_system){.system = {.id = "d1",
                                   .target = "pico",
                                   .firmware = "1.0",
                                   .tick_hz = 1000000,
                                   .ticks = ticks,
                                   .now_ms = now_ms,
                                   .reset = reset}};
  fake->system.context = fake;
}

void fake_ask(atoll_device *device, uint16_t group, uint8_t id, bool write, const uint8_t *map, const uint8_t *end,
              fake_answer *answer) {
  uint8_t packet[ATOLL_PACKET_BYTES] = {(uint8_t)(0x08 | (write ? 2 : 0)), 0, 0, 0, 0, 0, 7, id};
  const uint32_t length = (uint32_t)(end - map);
  atoll_put_be16(packet + 2, length);
  atoll_put_be16(packet + 4, group);
  memcpy(packet + 8, map, length);
  const uint32_t answered = atoll_device_answer(device, packet, 8 + length, answer->bytes);
  answer->map = (atoll_bytes){answer->bytes + 8, answered - 8};
  answer->rc = 0;
  atoll_reader error;
  if (atoll_map_find(answer->map, "err", &error))
    (void)atoll_map_uint((atoll_bytes){error.at, (uint32_t)(error.end - error.at)}, "rc", &answer->rc);
  else (void)atoll_map_uint(answer->map, "rc", &answer->rc);
}

bool fake_upload(atoll_device *device, const uint8_t *image, uint32_t length) {
  // Chunks that end within a unit.
  enum { CHUNK = 203 };
  for (uint32_t off = 0; off < length; off += CHUNK) {
    uint8_t map[512];
    fake_answer answer;
    atoll_writer writer = {map, map + sizeof map, false};
    const uint32_t piece = length - off < CHUNK ? length - off : CHUNK;
    atoll_put_map(&writer, off == 0 ? 4 : 3);
    atoll_put_key_uint(&writer, "off", off);
    if (off == 0) atoll_put_key_uint(&writer, "len", length);
    atoll_put_key_text(&writer, "name", "/atoll/inactive");
    atoll_put_key_bytes(&writer, "data", image + off, piece);
    fake_ask(device, 8, 0, true, map, writer.at, &answer);
    if (answer.rc != 0) return false;
  }
  return true;
}

bool fake_push(atoll_device *device, const uint8_t *image, uint32_t length, bool confirm) {
  uint8_t map[128], sha[32];
  fake_answer answer;
  const uint8_t slot = device->store.active == 0 ? 1 : 0;
  atoll_sha256_of(image, length, sha);
  if (!fake_upload(device, image, length)) return false;
  atoll_writer writer = {map, map + sizeof map, false};
  atoll_put_map(&writer, 1);
  atoll_put_key_uint(&writer, "slot", slot);
  fake_ask(device, 16724, 8, true, map, writer.at, &answer);
  if (answer.rc != 0) return false;
  writer = (atoll_writer){map, map + sizeof map, false};
  atoll_put_map(&writer, 2);
  atoll_put_key_uint(&writer, "slot", slot);
  atoll_put_key_bytes(&writer, "sha", sha, sizeof sha);
  fake_ask(device, 16724, 2, true, map, writer.at, &answer);
  if (answer.rc != 0) return false;
  if (!confirm) return true;
  writer = (atoll_writer){map, map + sizeof map, false};
  atoll_put_map(&writer, 1);
  atoll_put_key_bytes(&writer, "sha", sha, sizeof sha);
  fake_ask(device, 16724, 3, true, map, writer.at, &answer);
  return answer.rc == 0;
}
