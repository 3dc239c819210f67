// Explores all states that slot commands, resets and power cuts can reach: from each new state it tries every command,
// until no new state is found. It checks in each state that the counter floor has not decreased, that nothing runs
// which is unsigned or older than the floor, and that once a model was confirmed the device always returns to a
// confirmed one.
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fake.h"
#include "flash_model.h"
#include "sha256.h"
#include "store.h"
#include "vectors.h"

enum {
  SLOT = 512, SECTOR = 256, UNIT = 32, AREA = 2 * SLOT + 2 * SECTOR, MAX_STATES = 60000, MOST_CUTS = 40,
  NO_IMAGE = STATE_VECTORS
};

/** The complete state: flash, RAM, and what has been confirmed so far. */
typedef struct snapshot {
  uint8_t area[AREA];
  bool written[AREA];
  atoll_device device;
  fake_runtime runtime;
  uint32_t highest;
  bool was_confirmed;
} snapshot;

static _Alignas(16) uint8_t area[AREA];
static bool written[AREA];
static atoll_flash_model flash;
static fake_runtime runtime;
static fake_system board;
static atoll_device device;
static uint32_t highest;
static bool was_confirmed;

static snapshot *states[MAX_STATES];
static uint64_t keys[MAX_STATES];
static uint32_t state_count, transitions, cuts;

static void save(snapshot *to) {
  memcpy(to->area, area, sizeof area);
  memcpy(to->written, written, sizeof written);
  to->device = device;
  to->runtime = runtime;
  to->highest = highest;
  to->was_confirmed = was_confirmed;
}

static void restore(const snapshot *from) {
  memcpy(area, from->area, sizeof area);
  memcpy(written, from->written, sizeof written);
  device = from->device;
  runtime = from->runtime;
  highest = from->highest;
  was_confirmed = from->was_confirmed;
  flash.dead = false;
  flash.fail_at = 0;
}

static bool verify(void *context, const atoll_signature *signature) {
  (void)context;
  return signature->key_id_bytes == signed_key_id.length &&
         memcmp(signature->key_id, signed_key_id.at, signed_key_id.length) == 0;
}

static bool boot(void) { return atoll_device_boot(&device, &board.system, &flash.flash, &runtime.inference); }

/** The image in a slot, if it is complete. */
static uint32_t image_in(uint8_t slot) {
  for (uint32_t i = 0; i < STATE_VECTORS; i++) {
    const vector_bytes *image = &state_vectors[i].image;
    if (device.store.slots[slot].bytes == image->length &&
        memcmp(atoll_store_bytes(&device.store, slot), image->at, image->length) == 0)
      return i;
  }
  return NO_IMAGE;
}

/** What distinguishes states: neither the position nor the number of records does. */
static uint64_t key_of(void) {
  uint64_t key = device.store.active * 3u + device.loaded;
  for (uint8_t i = 0; i < 2; i++) {
    const atoll_slot *slot = &device.store.slots[i];
    key = key * 4 + (uint64_t)slot->phase;
    key = key * 8 + (uint64_t)((slot->pending ? 1 : 0) + (slot->confirmed ? 2 : 0) + (slot->tested ? 4 : 0));
    key = key * 4 + slot->attempts;
    key = key * 8 + image_in(i);
    key = key * 4 + (slot->phase == ATOLL_SLOT_OPEN ? slot->bytes / SECTOR : 0);
  }
  key = key * 16 + device.store.floor;
  return (key * 16 + highest) * 2 + (was_confirmed ? 1 : 0);
}

static void check_state(uint32_t floor_before) {
  const atoll_store *store = &device.store;
  CHECK(store->floor >= floor_before && store->floor >= highest);
  if (device.loaded != ATOLL_NO_SLOT) {
    const uint32_t image = image_in(device.loaded);
    CHECK(image != NO_IMAGE && state_vectors[image].trusted);
  }
  if (store->active != ATOLL_NO_SLOT) {
    const uint32_t image = image_in(store->active);
    CHECK(image != NO_IMAGE && state_vectors[image].trusted && state_vectors[image].counter >= store->floor);
    if (store->slots[store->active].confirmed && !store->slots[store->active].pending) {
      was_confirmed = true;
      if (image != NO_IMAGE && state_vectors[image].counter > highest) highest = state_vectors[image].counter;
    }
  }
  CHECK(flash.violations == 0);
}

/** From any pending state, resets alone lead back to a confirmed model. */
static void check_comes_back(void) {
  if (!was_confirmed) return;
  snapshot *here = malloc(sizeof *here);
  save(here);
  for (uint32_t i = 0; i < ATOLL_BOOT_ATTEMPTS; i++) CHECK(boot());
  const uint8_t active = device.store.active;
  CHECK(active != ATOLL_NO_SLOT && device.store.slots[active].confirmed && !device.store.slots[active].pending &&
        device.loaded == active);
  restore(here);
  free(here);
}

/** Adds a state if it is new. */
static void arrive(uint32_t floor_before) {
  transitions++;
  check_state(floor_before);
  const uint64_t key = key_of();
  for (uint32_t i = 0; i < state_count; i++)
    if (keys[i] == key) return;
  check_comes_back();
  if (state_count == MAX_STATES) {
    CHECK(!"there are more states than expected");
    return;
  }
  keys[state_count] = key;
  states[state_count] = malloc(sizeof *states[0]);
  save(states[state_count++]);
}

static void ask(uint8_t id, bool with_slot, uint32_t slot, const uint8_t *sha) {
  uint8_t map[128];
  fake_answer answer;
  atoll_writer writer = {map, map + sizeof map, false};
  atoll_put_map(&writer, (with_slot ? 1u : 0u) + (sha != NULL ? 1u : 0u));
  if (with_slot) atoll_put_key_uint(&writer, "slot", slot);
  if (sha != NULL) atoll_put_key_bytes(&writer, "sha", sha, 32);
  fake_ask(&device, 16724, id, true, map, writer.at, &answer);
}

enum { UPLOADS = STATE_VECTORS, COMMANDS = UPLOADS + 6 };

static void command(uint32_t which) {
  uint8_t sha[32];
  if (which < UPLOADS) {
    (void)fake_upload(&device, state_vectors[which].image.at, state_vectors[which].image.length);
    return;
  }
  const uint32_t other = which - UPLOADS;
  if (other < 2) {
    memcpy(sha, atoll_store_sha(&device.store, (uint8_t)other), 32);
    ask(2, true, other, sha);
  } else if (other < 4) {
    ask(4, true, other - 2, NULL);
  } else if (other == 4) {
    if (device.store.active == ATOLL_NO_SLOT) return;
    memcpy(sha, atoll_store_sha(&device.store, device.store.active), 32);
    ask(3, false, 0, sha);
  } else {
    const bool booted = boot();
    CHECK(booted || flash.dead);
  }
}

int main(void) {
  memset(area, 0xff, sizeof area);
  fake_runtime_init(&runtime);
  fake_system_init(&board);
  board.system.verify = verify;
  atoll_flash_model_init(&flash, area, written, SLOT, SECTOR, UNIT);
  CHECK(boot());
  arrive(0);
  for (uint32_t at = 0; at < state_count; at++) {
    for (uint32_t which = 0; which < COMMANDS; which++) {
      restore(states[at]);
      const uint32_t floor = device.store.floor, before = flash.steps;
      command(which);
      const uint32_t steps = flash.steps - before;
      arrive(floor);
      for (uint32_t step = 1; step <= steps && step <= MOST_CUTS; step++) {
        restore(states[at]);
        flash.seed = 7919 * step + which + 1;
        flash.fail_at = flash.steps + step;
        command(which);
        cuts++;
        flash.dead = false;
        flash.fail_at = 0;
        CHECK(boot());
        arrive(floor);
      }
    }
  }
  printf("slot states: %u, transitions %u, power cuts %u; ", state_count, transitions, cuts);
  return check_result("checks");
}
