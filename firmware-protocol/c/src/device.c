// Boot, the arena and the server, which finds the handler of a packet and frames its response.
#include "bytes.h"
#include "server.h"
#include "signature.h"

enum { HEADER_BYTES = 8, OP_READ = 0, OP_WRITE = 2, USER_GROUPS = 64, USER_STATUS = 256 };

void atoll_watch(const atoll_device *device, uint32_t ms) {
  if (device->system->watchdog != NULL) device->system->watchdog(device->system->context, ms);
}

/**
 * A device with trusted keys accepts only images signed with one of them, and none whose counter is lower than that of
 * any image confirmed before.
 */
static atoll_status require_trust(const atoll_device *device, uint8_t slot, const atoll_image *image) {
  const atoll_system *system = device->system;
  if (system->verify == NULL) return atoll_ok();
  if (image->signature.length == 0)
    return atoll_error(ATOLL_RC_SIGNATURE_REQUIRED, "this device runs signed images only");
  uint8_t head[ATOLL_SIGNED_HEAD_BYTES];
  atoll_signature signature;
  if (!atoll_signature_read(image->signature, image->manifest, head, &signature))
    return atoll_error(ATOLL_RC_SIGNATURE_INVALID, "the signature is no COSE_Sign1");
  if (!system->verify(system->context, &signature))
    return atoll_error(ATOLL_RC_SIGNATURE_INVALID, "no key of this device has made the signature");
  // The active image was accepted before; a higher floor must not leave the device without a model.
  if (slot != device->store.active && image->counter < device->store.floor)
    return atoll_error(ATOLL_RC_COUNTER_TOO_LOW, "the image is older than the newest that was confirmed");
  return atoll_ok();
}

atoll_status atoll_load_slot(atoll_device *device, uint8_t slot, atoll_image *image) {
  const atoll_slot *state = &device->store.slots[slot];
  const char *detail = NULL;
  device->loaded = ATOLL_NO_SLOT;
  if (state->phase == ATOLL_SLOT_UNKNOWN || state->bytes == 0)
    return atoll_error(ATOLL_RC_NO_MODEL, "the slot is empty");
  // Models run in place: bytes that wait for their unit are written first.
  if (!atoll_store_flush(&device->store, slot)) return file_error(FILE_WRITE_FAILED);
  if (!atoll_image_open(image, atoll_store_bytes(&device->store, slot), state->bytes, &detail))
    return atoll_error(ATOLL_RC_IMAGE_INVALID, detail);
  if (image->has_trailer && !atoll_text_is(image->target, device->system->target))
    return atoll_error(ATOLL_RC_WRONG_TARGET, "the image is for another target");
  const atoll_status trusted = require_trust(device, slot, image);
  if (trusted.rc != SMP_EOK) return trusted;
  atoll_watch(device, ATOLL_PATIENCE_MS);
  const atoll_load_result result =
      device->inference->load(device->inference->context, image->model, image->model_bytes, &detail);
  atoll_watch(device, 0);
  switch (result) {
    case ATOLL_LOADED:
      device->loaded = slot;
      return atoll_ok();
    case ATOLL_ARENA_TOO_SMALL:
      return atoll_error(ATOLL_RC_ARENA_TOO_SMALL, detail);
    case ATOLL_OPERATOR_MISSING:
      return atoll_error(ATOLL_RC_OPERATOR_MISSING, detail);
    default:
      return atoll_error(ATOLL_RC_IMAGE_INVALID, detail);
  }
}

/** The image's counter; 0 if it is not signed with a trusted key. */
static uint32_t trusted_counter(const atoll_device *device, const atoll_image *image) {
  return device->system->verify == NULL ? 0 : image->counter;
}

bool atoll_confirm(atoll_device *device) {
  const uint8_t active = device->store.active;
  atoll_image image;
  const char *detail;
  if (!atoll_image_open(&image, atoll_store_bytes(&device->store, active), device->store.slots[active].bytes, &detail))
    return false;
  return atoll_store_confirm(&device->store, trusted_counter(device, &image));
}

atoll_status atoll_load_active(atoll_device *device) {
  const uint8_t active = device->store.active;
  if (active == ATOLL_NO_SLOT) return atoll_error(ATOLL_RC_NO_MODEL, "no model is active");
  if (device->loaded == active) return atoll_ok();
  atoll_image image;
  return atoll_load_slot(device, active, &image);
}

/**
 * A new device may have received a model with its firmware, from a bootloader or a programmer: an image with a trailer
 * in slot 0.
 */
static bool adopt(atoll_device *device) {
  const atoll_flash *flash = device->store.flash;
  const uint8_t *memory = atoll_store_bytes(&device->store, 0);
  uint32_t end = flash->slot_bytes;
  while (end > 0 && memory[end - 1] == 0xff) end--;
  // The footer may end with blank bytes; the length of an image is a multiple of 16.
  end = (end + 15) / 16 * 16;
  atoll_image image;
  const char *detail;
  if (end == 0 || end > flash->slot_bytes || !atoll_image_open(&image, memory, end, &detail) || !image.has_trailer)
    return true;
  if (require_trust(device, 0, &image).rc != SMP_EOK) return true;
  return atoll_store_adopt(&device->store, end, trusted_counter(device, &image));
}

bool atoll_device_boot(atoll_device *device, const atoll_system *system, const atoll_flash *flash,
                       const atoll_inference *inference) {
  *device = (atoll_device){.system = system, .inference = inference, .loaded = ATOLL_NO_SLOT};
  device->activated_ms = system->now_ms(system->context);
  if (!atoll_store_open(&device->store, flash)) return false;
  if (device->store.sequence == 0 && !adopt(device)) return false;
  // Counted before the model is loaded, so that a model that hangs the board is given up too.
  if (!atoll_store_count_boot(&device->store)) return false;
  while (device->store.active != ATOLL_NO_SLOT && device->store.slots[device->store.active].pending) {
    if (atoll_load_active(device).rc == SMP_EOK) break;
    if (!atoll_store_fall_back(&device->store)) return false;
  }
  (void)atoll_load_active(device);
  return true;
}

void atoll_device_poll(atoll_device *device) {
  const atoll_system *system = device->system;
  atoll_store *store = &device->store;
  if (device->reset_wanted) {
    device->reset_wanted = false;
    system->reset(system->context);
  }
  const bool pending = store->active != ATOLL_NO_SLOT && store->slots[store->active].pending;
  if (pending && system->confirm_ms > 0 &&
      system->now_ms(system->context) - device->activated_ms >= system->confirm_ms) {
    if (atoll_store_fall_back(store)) device->loaded = ATOLL_NO_SLOT;
  }
}

static const atoll_command *find(uint16_t group, uint8_t id, bool write) {
  const atoll_command *const tables[] = {atoll_os_commands,   atoll_stats_commands, atoll_enum_commands,
                                         atoll_file_commands, atoll_slot_commands,  atoll_inference_commands,
                                         atoll_proof_commands};
  for (uint32_t t = 0; t < sizeof tables / sizeof tables[0]; t++) {
    for (const atoll_command *c = tables[t]; c->handle != NULL; c++)
      if (c->group == group && c->id == id && c->write == write) return c;
  }
  return NULL;
}

/** SMP version 2 names the group of an error; version 1 has a single number, with user-defined codes from 256 on. */
static void put_status(atoll_writer *answer, const atoll_status *status, bool version2) {
  const uint32_t extras = (status->detail != NULL ? 1u : 0u) + (status->has_length ? 1u : 0u);
  atoll_put_map(answer, 1 + extras);
  if (status->group >= 0 && version2) {
    atoll_put_text(answer, "err");
    atoll_put_map(answer, 2);
    atoll_put_key_uint(answer, "group", (uint32_t)status->group);
    atoll_put_key_uint(answer, "rc", status->rc);
  } else {
    const bool user = status->group >= USER_GROUPS;
    atoll_put_key_uint(answer, "rc", status->group < 0 ? status->rc : user ? USER_STATUS + status->rc : SMP_EUNKNOWN);
  }
  if (status->has_length) atoll_put_key_uint(answer, "len", status->length);
  if (status->detail != NULL) atoll_put_key_text(answer, "detail", status->detail);
}

uint32_t atoll_device_answer(atoll_device *device, const uint8_t *packet, uint32_t length, uint8_t *answer) {
  if (length < HEADER_BYTES || length > ATOLL_PACKET_BYTES) return 0;
  const uint8_t version = (packet[0] >> 3) & 3, op = packet[0] & 7;
  if (version > 1 || (op != OP_READ && op != OP_WRITE) || HEADER_BYTES + (uint32_t)atoll_be16(packet + 2) != length)
    return 0;
  static const uint8_t empty_map = 0xa0;
  atoll_bytes request = {packet + HEADER_BYTES, length - HEADER_BYTES};
  if (request.length == 0) request = (atoll_bytes){&empty_map, 1};

  const atoll_writer fresh = {answer + HEADER_BYTES, answer + ATOLL_PACKET_BYTES, false};
  atoll_writer writer = fresh;
  const atoll_command *command = find(atoll_be16(packet + 4), packet[7], op == OP_WRITE);
  atoll_status status = smp_error(SMP_ENOTSUP);
  if (command != NULL)
    status = atoll_is_map(request) ? command->handle(device, request, &writer) : smp_error(SMP_EINVAL);
  if (status.rc == SMP_EOK && writer.full) status = smp_error(SMP_EMSGSIZE);
  if (status.rc != SMP_EOK) {
    device->counters.refused++;
    writer = fresh;
    put_status(&writer, &status, version == 1);
  }
  const uint32_t payload = (uint32_t)(writer.at - fresh.at);
  memcpy(answer, packet, HEADER_BYTES);
  answer[0] = (uint8_t)((packet[0] & 0x18) | (op + 1));
  answer[1] = 0;
  atoll_put_be16(answer + 2, payload);
  return HEADER_BYTES + payload;
}
