// Cuts the power at every write and every erasure of a push, of a fallback, and of the repairs in the following boot.
// Afterwards the device always boots, runs the complete old or new model, and accepts the next push.
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fake.h"
#include "flash_model.h"
#include "store.h"

enum { MAX_AREA = 16384, IMAGE_A = 1501, IMAGE_B = 1700, SEEDS = 6 };

static _Alignas(16) uint8_t area[MAX_AREA], saved_area[MAX_AREA];
static bool written[MAX_AREA], saved_written[MAX_AREA];
static uint8_t image_a[IMAGE_A], image_b[IMAGE_B];
static atoll_flash_model flash;
static atoll_device device;
static fake_runtime runtime;
static fake_system board;

static bool boot(void) { return atoll_device_boot(&device, &board.system, &flash.flash, &runtime.inference); }

static void power_on(uint32_t fail_in, uint32_t seed) {
  flash.dead = false;
  flash.seed = seed;
  flash.fail_at = fail_in == 0 ? 0 : flash.steps + fail_in;
}

static bool active_is(const uint8_t *image, uint32_t length) {
  const uint8_t active = device.store.active;
  return active != ATOLL_NO_SLOT && device.store.slots[active].bytes == length &&
         memcmp(atoll_store_bytes(&device.store, active), image, length) == 0 && device.loaded == active;
}

/** Cuts the power permanently, in the current state. */
static void save(void) {
  memcpy(saved_area, area, sizeof area);
  memcpy(saved_written, written, sizeof written);
}

static void restore(void) {
  memcpy(area, saved_area, sizeof area);
  memcpy(written, saved_written, sizeof written);
}

static void begin(uint32_t sector_bytes, uint32_t unit_bytes) {
  memset(area, 0xff, sizeof area);
  atoll_flash_model_init(&flash, area, written, 2048, sector_bytes, unit_bytes);
  CHECK(boot());
}

/** The invariants after any failure. @param old the previous model; NULL: none */
static void check_after(const uint8_t *old, uint32_t old_bytes, const uint8_t *new, uint32_t new_bytes) {
  CHECK(boot());
  const bool runs_old = old == NULL ? device.store.active == ATOLL_NO_SLOT : active_is(old, old_bytes);
  CHECK(runs_old || active_is(new, new_bytes));
  CHECK(fake_push(&device, new, new_bytes, true) || active_is(new, new_bytes));
  // A push of the model that is already pending gets no slot: it is confirmed instead.
  if (device.store.slots[device.store.active].pending) CHECK(atoll_store_confirm(&device.store, 0));
  CHECK(active_is(new, new_bytes));
  CHECK(device.store.slots[device.store.active].confirmed);
  CHECK(flash.violations == 0);
}

static uint32_t steps_of(bool (*work)(void)) {
  restore();
  power_on(0, 1);
  CHECK(boot());
  const uint32_t before = flash.steps;
  CHECK(work());
  return flash.steps - before;
}

static bool push_b(void) { return fake_push(&device, image_b, IMAGE_B, true); }
static bool push_a(void) { return fake_push(&device, image_a, IMAGE_A, true); }

/** Activates the second model, and boots until it is given up. */
static bool fall_back(void) {
  if (!fake_push(&device, image_b, IMAGE_B, false)) return false;
  for (int i = 0; i < ATOLL_BOOT_ATTEMPTS; i++)
    if (!boot()) return false;
  return active_is(image_a, IMAGE_A);
}

/**
 * Cuts the power at every step of `work`, starting from the saved state, and then at the first steps of the following
 * boot.
 */
static void cut_everywhere(bool (*work)(void), const uint8_t *old, uint32_t old_bytes, const uint8_t *new,
                           uint32_t new_bytes) {
  const uint32_t steps = steps_of(work);
  for (uint32_t step = 1; step <= steps; step++) {
    for (uint32_t seed = 1; seed <= SEEDS; seed++) {
      for (uint32_t again = 0; again < 4; again++) {
        restore();
        power_on(0, seed * 7919 + step);
        CHECK(boot());
        power_on(step, seed * 7919 + step);
        (void)work();
        CHECK(flash.dead);
        if (again > 0) {
          power_on(again, seed);
          (void)boot();
        }
        power_on(0, seed);
        check_after(old, old_bytes, new, new_bytes);
      }
    }
  }
}

/** Cuts the power at every step of an upload, which then resumes at the device's offset. */
static void resume_everywhere(uint32_t sector_bytes, uint32_t unit_bytes) {
  static uint8_t image[IMAGE_A];
  // Blank bytes for more than two sectors, but not at the end.
  for (uint32_t i = 0; i < IMAGE_A; i++) image[i] = i >= 150 && i < 1300 ? 0xff : (uint8_t)(i * 13 | 1);
  for (uint32_t step = 1;; step++) {
    for (uint32_t seed = 1; seed <= SEEDS; seed++) {
      begin(sector_bytes, unit_bytes);
      power_on(step, seed * 7919 + step);
      if (atoll_store_begin(&device.store, 0, IMAGE_A))
        for (uint32_t at = 0; at < IMAGE_A; at += 203)
          if (!atoll_store_append(&device.store, 0, image + at, at + 203 < IMAGE_A ? 203 : IMAGE_A - at)) break;
      if (!flash.dead) return;
      power_on(0, seed);
      CHECK(boot());
      const atoll_slot *slot = &device.store.slots[0];
      if (slot->phase == ATOLL_SLOT_UNKNOWN) CHECK(atoll_store_begin(&device.store, 0, IMAGE_A));
      if (slot->phase == ATOLL_SLOT_OPEN)
        CHECK(atoll_store_append(&device.store, 0, image + slot->bytes, IMAGE_A - slot->bytes));
      CHECK(slot->phase == ATOLL_SLOT_SEALED && memcmp(atoll_store_bytes(&device.store, 0), image, IMAGE_A) == 0);
      CHECK(flash.violations == 0);
    }
  }
}

/** Failed attempts to write records never destroy the newest one. */
static bool (*write_through)(void *, uint32_t, const uint8_t *, uint32_t);

static bool write_no_record(void *context, uint32_t offset, const uint8_t *bytes, uint32_t length) {
  return offset < 2 * 2048 && write_through(context, offset, bytes, length);
}

static void fail_records(uint32_t sector_bytes, uint32_t unit_bytes) {
  begin(sector_bytes, unit_bytes);
  CHECK(fake_push(&device, image_a, IMAGE_A, true));
  write_through = flash.flash.write;
  flash.flash.write = write_no_record;
  for (int i = 0; i < 40; i++) {
    CHECK(!atoll_store_begin(&device.store, 1, 10));
    CHECK(boot());
    CHECK(active_is(image_a, IMAGE_A));
  }
}

int main(void) {
  static const struct {
    uint32_t sector, unit;
  } shapes[] = {{256, 16}, {256, 8}, {512, 32}, {128, 1}};
  for (uint32_t i = 0; i < IMAGE_A; i++) image_a[i] = (uint8_t)(i * 7);
  // With runs of blank bytes, which do not mark the end.
  for (uint32_t i = 0; i < IMAGE_B; i++) image_b[i] = i % 300 > 200 ? 0xff : (uint8_t)(i * 13);
  memcpy(image_a, "MA", 2);
  memcpy(image_b, "MB", 2);
  fake_runtime_init(&runtime);
  fake_system_init(&board);
  for (uint32_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
    resume_everywhere(shapes[s].sector, shapes[s].unit);
    fail_records(shapes[s].sector, shapes[s].unit);
    begin(shapes[s].sector, shapes[s].unit);
    save();
    cut_everywhere(push_a, NULL, 0, image_a, IMAGE_A);
    begin(shapes[s].sector, shapes[s].unit);
    CHECK(push_a());
    save();
    cut_everywhere(push_b, image_a, IMAGE_A, image_b, IMAGE_B);
    cut_everywhere(fall_back, image_a, IMAGE_A, image_b, IMAGE_B);
  }
  return check_result("power cuts");
}
