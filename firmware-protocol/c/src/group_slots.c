// Group 16724: the device and its slots.
#include <string.h>

#include "proof.h"
#include "sha256.h"

enum { PROTOCOL = 1 };

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
  atoll_put_key_bool(answer, "key", system->verify != NULL);
  atoll_put_text(answer, "features");
  atoll_put_array(answer, 4);
  atoll_put_text(answer, "infer");
  atoll_put_text(answer, "profile");
  atoll_put_text(answer, "stats");
  atoll_put_text(answer, "stream");
  if (inflates) atoll_put_key_uint(answer, "inflate", ATOLL_INFLATE_BYTES);
  return atoll_ok();
}

/** SHA-256 of the model alone; false if the slot does not contain a valid image. */
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

atoll_status atoll_named_slot(atoll_bytes request, uint8_t *slot) {
  uint32_t index;
  if (!atoll_map_uint(request, "slot", &index)) return smp_error(SMP_EINVAL);
  if (index > 1) return atoll_error(ATOLL_RC_NO_SUCH_SLOT, "there are slots 0 and 1");
  *slot = (uint8_t)index;
  return atoll_ok();
}

atoll_status atoll_activate(atoll_device *device, uint8_t slot, atoll_bytes sha) {
  atoll_store *store = &device->store;
  if (store->slots[slot].bytes == 0) return atoll_error(ATOLL_RC_NO_MODEL, "the slot is empty");
  if (!is_sha(store, slot, sha)) return atoll_error(ATOLL_RC_HASH_MISMATCH, "the slot holds another image");
  atoll_image image;
  const atoll_status loaded = atoll_load_slot(device, slot, &image);
  if (loaded.rc != SMP_EOK) return loaded;
  if (image.vector_count > 0 && !store->slots[slot].tested)
    return atoll_error(ATOLL_RC_NOT_TESTED, "the image has self-test vectors and has not passed them");
  if (slot != store->active) {
    if (!atoll_store_activate(store, slot)) return file_error(FILE_WRITE_FAILED);
    device->activated_ms = device->system->now_ms(device->system->context);
  }
  return atoll_ok();
}

static atoll_status activate(atoll_device *device, atoll_bytes request, atoll_writer *answer) {
  atoll_bytes sha;
  uint8_t slot;
  const atoll_status named = atoll_named_slot(request, &slot);
  if (named.rc != SMP_EOK) return named;
  if (!atoll_map_bytes(request, "sha", &sha)) return smp_error(SMP_EINVAL);
  const atoll_status activated = atoll_activate(device, slot, sha);
  if (activated.rc != SMP_EOK) return activated;
  atoll_put_map(answer, 1);
  atoll_put_key_uint(answer, "arena", device->inference->arena_used(device->inference->context));
  return atoll_ok();
}

static atoll_status confirm(atoll_device *device, atoll_bytes request, atoll_writer *answer) {
  atoll_bytes sha;
  if (!atoll_map_bytes(request, "sha", &sha)) return smp_error(SMP_EINVAL);
  if (device->store.active == ATOLL_NO_SLOT) return atoll_error(ATOLL_RC_NO_MODEL, "no model is active");
  if (!is_sha(&device->store, device->store.active, sha))
    return atoll_error(ATOLL_RC_HASH_MISMATCH, "another model is active");
  if (!atoll_confirm(device)) return file_error(FILE_WRITE_FAILED);
  atoll_put_map(answer, 0);
  return atoll_ok();
}

static atoll_status erase(atoll_device *device, atoll_bytes request, atoll_writer *answer) {
  uint8_t slot;
  const atoll_status named = atoll_named_slot(request, &slot);
  if (named.rc != SMP_EOK) return named;
  if (atoll_store_in_use(&device->store, slot))
    return atoll_error(ATOLL_RC_SLOT_IN_USE, "the slot is active, or what the device falls back to");
  if (device->loaded == slot) device->loaded = ATOLL_NO_SLOT;
  if (!atoll_store_begin(&device->store, slot, 0)) return file_error(FILE_WRITE_FAILED);
  atoll_put_map(answer, 0);
  return atoll_ok();
}

const atoll_command atoll_slot_commands[] = {
    {GROUP_ATOLL, 0, false, describe}, {GROUP_ATOLL, 1, false, slots}, {GROUP_ATOLL, 2, true, activate},
    {GROUP_ATOLL, 3, true, confirm},   {GROUP_ATOLL, 4, true, erase},  {0},
};
