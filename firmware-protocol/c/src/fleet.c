// The steps of a device in a rollout. Each poll performs one step, so that the report before a long step is sent first.
#include "atoll/fleet.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "fleet_messages.h"
#include "inflate.h"
#include "proof.h"
#include "sha256.h"

#if ATOLL_INFLATE_BYTES > 0

enum {
  SEGMENT_BLOCKS = 16,
  CHALLENGE_SAMPLES = 4,
  /** Number of inferences for a reported latency. */
  MEASURED_RUNS = 30,
  /** Bytes of challenge outputs in a report: the rest of a report, and at most the smallest block size. */
  OUTPUT_BYTES = ATOLL_REPORT_BYTES - 640,
  /** A segment that is not complete within this time is requested again. */
  PATIENCE_MS = 15000,
  /** The last message is repeated after this time, and then after twice as long each time. */
  REPEAT_MS = 30000,
  MOST_REPEAT_MS = 86400000,
  /** Maximum growth of a block that deflate cannot compress. */
  GROWTH = 16,
};

const char atoll_fleet_offline[] = "offline";
static const char online[] = "online";

// ---- topics ----

static void put(char *topic, const char *text) {
  const size_t length = strlen(topic), more = strlen(text);
  if (length + more < ATOLL_TOPIC_BYTES) memcpy(topic + length, text, more + 1);
}

static void put_hex(char *topic, const uint8_t *bytes, uint32_t length) {
  static const char digits[] = "0123456789abcdef";
  for (uint32_t i = 0; i < length; i++) put(topic, (char[]){digits[bytes[i] >> 4], digits[bytes[i] & 15], 0});
}

static void put_number(char *topic, uint32_t number) {
  char text[11];
  uint32_t at = sizeof text - 1;
  text[at] = 0;
  do text[--at] = (char)('0' + number % 10);
  while ((number /= 10) > 0);
  put(topic, text + at);
}

/** atoll/FLEET/d/ID/... */
static const char *own_topic(atoll_fleet *fleet, const char *end) {
  fleet->topic[0] = 0;
  put(fleet->topic, "atoll/");
  put(fleet->topic, fleet->name);
  put(fleet->topic, "/d/");
  put(fleet->topic, fleet->device->system->id);
  put(fleet->topic, end);
  return fleet->topic;
}

static const char *report_topic(atoll_fleet *fleet) {
  const char *id = fleet->device->system->id;
  uint8_t digest[32];
  atoll_sha256_of((const uint8_t *)id, (uint32_t)strlen(id), digest);
  fleet->topic[0] = 0;
  put(fleet->topic, "atoll/");
  put(fleet->topic, fleet->name);
  put(fleet->topic, "/r/");
  put_hex(fleet->topic, digest, 1);
  put(fleet->topic, "/");
  put(fleet->topic, id);
  return fleet->topic;
}

/** atoll/FLEET/b/SHA/SEGMENT/ */
static const char *segment_topic(atoll_fleet *fleet, uint32_t segment, const char *end) {
  fleet->topic[0] = 0;
  put(fleet->topic, "atoll/");
  put(fleet->topic, fleet->name);
  put(fleet->topic, "/b/");
  put_hex(fleet->topic, fleet->desired.sha, sizeof fleet->desired.sha);
  put(fleet->topic, "/");
  put_number(fleet->topic, segment);
  put(fleet->topic, "/");
  put(fleet->topic, end);
  return fleet->topic;
}

// ---- reports ----

static uint32_t now_ms(const atoll_fleet *fleet) {
  return fleet->device->system->now_ms(fleet->device->system->context);
}

static void send_report(atoll_fleet *fleet) {
  (void)fleet->port->publish(fleet->port->context, report_topic(fleet), fleet->report, fleet->report_bytes, true);
  fleet->reported_ms = now_ms(fleet);
}

/** SHA-256 of the active model. */
static bool running_model(const atoll_fleet *fleet, uint8_t digest[32]) {
  const atoll_store *store = &fleet->device->store;
  atoll_image image;
  const char *detail;
  if (store->active == ATOLL_NO_SLOT) return false;
  if (!atoll_image_open(&image, atoll_store_bytes(store, store->active), store->slots[store->active].bytes, &detail))
    return false;
  atoll_sha256_of(image.model, image.model_bytes, digest);
  return true;
}

static void report(atoll_fleet *fleet, const char *state, const char *code, const char *detail,
                   const atoll_measured *measured) {
  uint8_t model[32];
  const bool runs = running_model(fleet, model);
  // The clock may have been set since.
  const uint64_t now = fleet->port->centiseconds(fleet->port->context);
  fleet->sequence = now > fleet->sequence ? now : fleet->sequence + 1;
  atoll_reported reported = {.sequence = fleet->sequence,
                                   .target = fleet->device->system->target,
                                   .state = state,
                                   .tags = fleet->tags,
                                   .tag_count = fleet->tag_count,
                                   .desired = fleet->has_desired ? &fleet->desired : NULL,
                                   .model = runs ? model : NULL,
                                   .code = code,
                                   .detail = detail,
                                   .measured = measured};
  const atoll_writer fresh = {fleet->report, fleet->report + sizeof fleet->report, false};
  atoll_writer writer = fresh;
  atoll_measured shorter;
  atoll_reported_write(&reported, &writer);
  // A report that is too long omits optional parts: outputs, messages, tags.
  if (writer.full && measured != NULL) {
    shorter = *measured;
    shorter.outputs.length = 0;
    reported.measured = &shorter;
    writer = fresh;
    atoll_reported_write(&reported, &writer);
  }
  if (writer.full) {
    reported.detail = NULL;
    reported.tag_count = 0;
    writer = fresh;
    atoll_reported_write(&reported, &writer);
  }
  if (writer.full) return;
  fleet->report_bytes = (uint32_t)(writer.at - fleet->report);
  fleet->repeat_ms = REPEAT_MS;
  send_report(fleet);
}

static void fail(atoll_fleet *fleet, const char *code, const char *detail) {
  fleet->step = ATOLL_FLEET_RESTING;
  report(fleet, "failed", code, detail, NULL);
}

/** The codes of README.md's table. */
static void fail_with(atoll_fleet *fleet, const atoll_status *status) {
  static const char *const names[] = ATOLL_RC_NAMES;
  const bool known = status->group == GROUP_ATOLL && status->rc > 0 && status->rc < sizeof names / sizeof names[0];
  fail(fleet, known ? names[status->rc] : "WRITE_FAILED", status->detail);
}

// ---- fetching ----

static void unsubscribe(atoll_fleet *fleet) {
  if (fleet->subscribed)
    (void)fleet->port->unsubscribe(fleet->port->context, segment_topic(fleet, fleet->segment, "+"));
  fleet->subscribed = false;
}

static void rest(atoll_fleet *fleet) {
  unsubscribe(fleet);
  fleet->step = ATOLL_FLEET_RESTING;
  fleet->impatience = 0;
}

/** Requests the segment of the next block: the one retained by the broker, or from the rollout's agent. */
static void ask(atoll_fleet *fleet) {
  const uint32_t segment = fleet->block / SEGMENT_BLOCKS;
  const uint32_t end = (segment + 1) * SEGMENT_BLOCKS < fleet->blocks ? (segment + 1) * SEGMENT_BLOCKS : fleet->blocks;
  unsubscribe(fleet);
  fleet->asked_ms = now_ms(fleet);
  if (fleet->desired.pull || fleet->impatience % 2 == 1) {
    uint8_t request[64];
    atoll_writer writer = {request, request + sizeof request, false};
    atoll_put_map(&writer, 3);
    atoll_put_key_bytes(&writer, "sha", fleet->desired.sha, sizeof fleet->desired.sha);
    atoll_put_key_uint(&writer, "from", fleet->block);
    atoll_put_key_uint(&writer, "n", end - fleet->block);
    (void)fleet->port->publish(fleet->port->context, own_topic(fleet, "/blk/req"), request,
                               (uint32_t)(writer.at - request), false);
    return;
  }
  fleet->segment = segment;
  fleet->subscribed = fleet->port->subscribe(fleet->port->context, segment_topic(fleet, segment, "+"));
}

static bool holds(atoll_fleet *fleet, uint8_t slot) {
  atoll_store *store = &fleet->device->store;
  const atoll_slot *state = &store->slots[slot];
  return state->phase == ATOLL_SLOT_SEALED && state->bytes == fleet->desired.bytes &&
         memcmp(atoll_store_sha(store, slot), fleet->desired.sha, 32) == 0;
}

static void verified(atoll_fleet *fleet) {
  report(fleet, "verified", NULL, NULL, NULL);
  fleet->step = ATOLL_FLEET_TESTING;
}

static void take_block(atoll_fleet *fleet, uint32_t n, const uint8_t *data, uint32_t length) {
  atoll_device *device = fleet->device;
  uint8_t *inflated = device->compressed.block_data;
  const atoll_desired *desired = &fleet->desired;
  // Flash is written in order: blocks that arrive too early are requested again.
  if (fleet->step != ATOLL_FLEET_FETCHING || n != fleet->block || length > desired->block_bytes + GROWTH) return;
  const uint32_t left = desired->bytes - n * desired->block_bytes;
  const uint32_t expected = left < desired->block_bytes ? left : desired->block_bytes;
  // An upload over SMP ends here: both use the same buffer for inflating.
  device->compressed.under_way = false;
  if (!atoll_inflate(data, length, inflated, expected)) return;
  const atoll_status appended = atoll_append_image(device, inflated, expected);
  if (appended.rc != SMP_EOK) {
    rest(fleet);
    fail_with(fleet, &appended);
    return;
  }
  fleet->block++;
  if (fleet->block < fleet->blocks) {
    if (fleet->block % SEGMENT_BLOCKS != 0) return;
    fleet->impatience = 0;
    ask(fleet);
    return;
  }
  rest(fleet);
  if (holds(fleet, atoll_store_inactive(&device->store))) verified(fleet);
  else fail(fleet, "HASH_MISMATCH", "the blocks are not the image that was promised");
}

static void take_pulled(atoll_fleet *fleet, atoll_bytes message) {
  atoll_bytes sha, data;
  uint32_t n;
  if (!atoll_is_map(message) || !atoll_map_bytes(message, "sha", &sha) || !atoll_map_bytes(message, "data", &data) ||
      !atoll_map_uint(message, "n", &n))
    return;
  if (sha.length == 32 && memcmp(sha.at, fleet->desired.sha, 32) == 0) take_block(fleet, n, data.at, data.length);
}

// ---- the desired model ----

static void withdraw(atoll_fleet *fleet) {
  const atoll_store *store = &fleet->device->store;
  const bool pending = store->active != ATOLL_NO_SLOT && store->slots[store->active].pending;
  if (!fleet->has_desired && !pending) return;
  rest(fleet);
  fleet->has_desired = false;
  // A model that was never confirmed is given up.
  if (atoll_store_fall_back(&fleet->device->store)) (void)atoll_load_active(fleet->device);
  report(fleet, "idle", NULL, NULL, NULL);
}

static void desire(atoll_fleet *fleet, atoll_bytes message) {
  atoll_device *device = fleet->device;
  atoll_store *store = &device->store;
  atoll_desired desired;
  if (message.length == 0) {
    withdraw(fleet);
    return;
  }
  if (!atoll_desired_read(message, &desired)) return;
  const bool first = !fleet->has_desired;
  // A repetition by the broker, or an agent's message that a newer one has overtaken.
  if (!first && strcmp(desired.rollout, fleet->desired.rollout) == 0 && desired.attempt <= fleet->desired.attempt)
    return;
  rest(fleet);
  fleet->desired = desired;
  fleet->has_desired = true;
  if (store->active != ATOLL_NO_SLOT && holds(fleet, store->active)) {
    fleet->step = ATOLL_FLEET_PROVING;
    return;
  }
  if (atoll_store_fall_back(store)) device->loaded = ATOLL_NO_SLOT;
  const uint8_t slot = atoll_store_inactive(store);
  const bool there = holds(fleet, slot);
  // Given up before this start, since its boots failed.
  if (there && first && store->slots[slot].attempts >= ATOLL_BOOT_ATTEMPTS) {
    report(fleet, "rolled-back", "BOOT_ATTEMPTS", NULL, NULL);
    return;
  }
  if (desired.deadline != 0 && fleet->port->centiseconds(fleet->port->context) / 100 > desired.deadline) {
    fail(fleet, "DEADLINE", "the deadline has passed");
    return;
  }
  if (there) {
    verified(fleet);
    return;
  }
  atoll_status begun = atoll_ok();
  if (desired.block_bytes > ATOLL_INFLATE_BYTES)
    begun = atoll_error(ATOLL_RC_IMAGE_INVALID, "blocks longer than this device takes");
  else begun = atoll_begin_image(device, desired.bytes);
  if (begun.rc != SMP_EOK) {
    fail_with(fleet, &begun);
    return;
  }
  fleet->block = 0;
  fleet->blocks = (desired.bytes + desired.block_bytes - 1) / desired.block_bytes;
  fleet->step = ATOLL_FLEET_FETCHING;
  report(fleet, "downloading", NULL, NULL, NULL);
  ask(fleet);
}

// ---- steps ----

static void test(atoll_fleet *fleet) {
  atoll_device *device = fleet->device;
  const uint8_t slot = atoll_store_inactive(&device->store);
  atoll_self_test_result result;
  fleet->step = ATOLL_FLEET_RESTING;
  atoll_status status = atoll_self_test(device, slot, &result);
  if (status.rc == SMP_EOK && result.failed > 0) {
    fail(fleet, "SELF_TEST_FAILED", NULL);
    return;
  }
  if (status.rc == SMP_EOK) status = atoll_activate(device, slot, (atoll_bytes){fleet->desired.sha, 32});
  if (status.rc != SMP_EOK) {
    (void)atoll_load_active(device);
    fail_with(fleet, &status);
    return;
  }
  report(fleet, "pending", NULL, NULL, NULL);
  fleet->step = ATOLL_FLEET_PROVING;
}

static int by_size(const void *a, const void *b) {
  const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static uint32_t microseconds(const atoll_fleet *fleet, uint32_t ticks) {
  const uint64_t us = (uint64_t)ticks * 1000000u / fleet->device->system->tick_hz;
  return us == 0 ? 1 : us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

/** Gives up an active model that fails its verification, unless it was confirmed before. */
static void give_up(atoll_fleet *fleet, const atoll_status *status) {
  if (atoll_store_fall_back(&fleet->device->store)) (void)atoll_load_active(fleet->device);
  fail_with(fleet, status);
}

/** Verifies the active model (self-test, challenge, latency), and then confirms it. */
static void prove(atoll_fleet *fleet) {
  atoll_device *device = fleet->device;
  // No inflating at this time.
  uint8_t *outputs = device->compressed.block_data;
  uint32_t ticks[MEASURED_RUNS];
  atoll_self_test_result tested;
  atoll_measured measured = {.runs = MEASURED_RUNS};
  fleet->step = ATOLL_FLEET_RESTING;
  const uint8_t active = device->store.active;
  atoll_status status = active == ATOLL_NO_SLOT ? atoll_error(ATOLL_RC_NO_MODEL, "no model is active")
                                                : atoll_self_test(device, active, &tested);
  if (status.rc == SMP_EOK && tested.failed > 0) status = atoll_error(ATOLL_RC_SELF_TEST_FAILED, NULL);
  if (status.rc != SMP_EOK) {
    give_up(fleet, &status);
    return;
  }
  // A model whose inputs cannot be generated has no challenge.
  measured.has_crc = atoll_challenge(device, fleet->desired.seed, CHALLENGE_SAMPLES, NULL, &measured.crc).rc == SMP_EOK;
  const uint32_t output_bytes = atoll_output_bytes(device->inference);
  if (fleet->desired.outputs && measured.has_crc && output_bytes > 0) {
    const uint32_t fit = OUTPUT_BYTES / output_bytes, samples = fit < CHALLENGE_SAMPLES ? fit : CHALLENGE_SAMPLES;
    uint32_t crc;
    if (samples > 0 && atoll_challenge(device, fleet->desired.seed, samples, outputs, &crc).rc == SMP_EOK)
      measured.outputs = (atoll_bytes){outputs, samples * output_bytes};
  }
  for (uint32_t i = 0; i < MEASURED_RUNS && status.rc == SMP_EOK; i++)
    if (!atoll_invoke(device, false, &ticks[i])) status = atoll_error(ATOLL_RC_UNKNOWN, atoll_invoke_failed);
  if (status.rc == SMP_EOK && !atoll_confirm(device)) status = file_error(FILE_WRITE_FAILED);
  if (status.rc != SMP_EOK) {
    give_up(fleet, &status);
    return;
  }
  qsort(ticks, MEASURED_RUNS, sizeof ticks[0], by_size);
  measured.vectors = tested.vectors;
  measured.failed = tested.failed;
  measured.arena = tested.arena;
  measured.median_us = microseconds(fleet, ticks[MEASURED_RUNS / 2]);
  measured.p95_us = microseconds(fleet, ticks[MEASURED_RUNS * 95 / 100]);
  const atoll_fleet_port *port = fleet->port;
  measured.has_samples = port->samples != NULL && port->samples(port->context, &measured.samples, &measured.correct);
  report(fleet, "confirmed", NULL, NULL, &measured);
}

// ---- the interface ----

void atoll_fleet_init(atoll_fleet *fleet, atoll_device *device, const atoll_fleet_port *port, const char *name,
                      const atoll_tag *tags, uint32_t tag_count) {
  *fleet = (atoll_fleet){.device = device,
                         .port = port,
                         .name = name,
                         .tags = tags,
                         .tag_count = tag_count,
                         .sequence = port->centiseconds(port->context)};
}

const char *atoll_fleet_will(atoll_fleet *fleet) { return own_topic(fleet, "/alive"); }

static void say_alive(atoll_fleet *fleet) {
  const atoll_fleet_port *port = fleet->port;
  (void)port->publish(port->context, own_topic(fleet, "/alive"), (const uint8_t *)online, sizeof online - 1, true);
}

void atoll_fleet_connected(atoll_fleet *fleet) {
  const atoll_fleet_port *port = fleet->port;
  say_alive(fleet);
  (void)port->subscribe(port->context, own_topic(fleet, "/desired"));
  (void)port->subscribe(port->context, own_topic(fleet, "/blk"));
  (void)port->subscribe(port->context, own_topic(fleet, "/smp/req/+"));
  // The last message may have been lost.
  if (fleet->report_bytes == 0) report(fleet, "idle", NULL, NULL, NULL);
  else send_report(fleet);
  if (fleet->step == ATOLL_FLEET_FETCHING) ask(fleet);
}

static void answer_packet(atoll_fleet *fleet, const char *client, const uint8_t *payload, uint32_t length,
                          uint8_t *answer) {
  const uint8_t before = fleet->device->store.active;
  if (strlen(client) > ATOLL_NAME_BYTES) return;
  const uint32_t bytes = atoll_device_answer(fleet->device, payload, length, answer);
  if (bytes > 0) {
    own_topic(fleet, "/smp/rsp/");
    put(fleet->topic, client);
    (void)fleet->port->publish(fleet->port->context, fleet->topic, answer, bytes, false);
  }
  // Another model became active without a rollout.
  if (before != fleet->device->store.active && fleet->step == ATOLL_FLEET_RESTING) {
    fleet->has_desired = false;
    report(fleet, "idle", NULL, NULL, NULL);
  }
}

/** The rest of a topic after a prefix; NULL if it has another prefix. */
static const char *behind(const char *topic, const char *begin) {
  const size_t length = strlen(begin);
  return strncmp(topic, begin, length) == 0 ? topic + length : NULL;
}

static bool read_number(const char *text, uint32_t *number) {
  uint64_t value = 0;
  if (*text == 0) return false;
  for (; *text != 0; text++) {
    if (*text < '0' || *text > '9') return false;
    value = value * 10 + (uint64_t)(*text - '0');
    if (value > UINT32_MAX) return false;
  }
  *number = (uint32_t)value;
  return true;
}

void atoll_fleet_message(atoll_fleet *fleet, const char *topic, const uint8_t *payload, uint32_t length,
                         uint8_t *answer) {
  const atoll_bytes message = {payload, length};
  const char *own = behind(topic, own_topic(fleet, "/"));
  if (own != NULL) {
    const char *client = behind(own, "smp/req/");
    if (strcmp(own, "desired") == 0) desire(fleet, message);
    else if (strcmp(own, "blk") == 0) take_pulled(fleet, message);
    else if (client != NULL) answer_packet(fleet, client, payload, length, answer);
    return;
  }
  uint32_t n;
  const char *number = fleet->subscribed ? behind(topic, segment_topic(fleet, fleet->segment, "")) : NULL;
  if (number != NULL && read_number(number, &n)) take_block(fleet, n, payload, length);
}

void atoll_fleet_poll(atoll_fleet *fleet) {
  const uint32_t now = now_ms(fleet);
  if (fleet->step == ATOLL_FLEET_TESTING) test(fleet);
  else if (fleet->step == ATOLL_FLEET_PROVING) prove(fleet);
  else if (fleet->step == ATOLL_FLEET_FETCHING && now - fleet->asked_ms >= PATIENCE_MS) {
    fleet->impatience++;
    ask(fleet);
  }
  if (fleet->report_bytes > 0 && now - fleet->reported_ms >= fleet->repeat_ms) {
    say_alive(fleet);
    send_report(fleet);
    fleet->repeat_ms = fleet->repeat_ms < MOST_REPEAT_MS / 2 ? 2 * fleet->repeat_ms : MOST_REPEAT_MS;
  }
}

#endif
