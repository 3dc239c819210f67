#include "flash_model.h"

#include <string.h>

static uint32_t next_random(atoll_flash_model *model) {
  uint32_t x = model->seed == 0 ? 1 : model->seed;
  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
  return model->seed = x;
}

/** @return whether power fails in this step */
static bool step(atoll_flash_model *model) {
  model->steps++;
  if (model->steps == model->fail_at) model->dead = true;
  return model->dead;
}

static bool erase(void *context, uint32_t offset) {
  atoll_flash_model *model = context;
  const atoll_flash *flash = &model->flash;
  if (model->dead || offset % flash->sector_bytes != 0 || offset >= atoll_flash_bytes(flash)) return false;
  const bool fails = step(model);
  // Half done: some bytes are blank, some unchanged, some neither.
  const uint32_t kind = next_random(model) % 3;
  for (uint32_t i = 0; i < flash->sector_bytes; i++) {
    uint8_t *byte = &model->bytes[offset + i];
    if (!fails || kind == 0) *byte = 0xff;
    else if (kind == 1) *byte |= (uint8_t)next_random(model);
  }
  // A sector whose erasure was interrupted may read as blank without being blank.
  for (uint32_t u = offset / flash->unit_bytes; u < (offset + flash->sector_bytes) / flash->unit_bytes; u++)
    model->written[u] = fails;
  return !fails;
}

static bool write(void *context, uint32_t offset, const uint8_t *bytes, uint32_t length) {
  atoll_flash_model *model = context;
  const uint32_t unit = model->flash.unit_bytes;
  if (model->dead || offset % unit != 0 || length % unit != 0 || offset + length > atoll_flash_bytes(&model->flash))
    return false;
  for (uint32_t at = 0; at < length; at += unit) {
    const uint32_t index = (offset + at) / unit;
    const bool fails = step(model);
    if (model->written[index]) model->violations++;
    model->written[index] = true;
    const uint32_t kind = next_random(model) % 4;
    for (uint32_t i = 0; i < unit; i++) {
      uint8_t *byte = &model->bytes[offset + at + i];
      // Half done: nothing visible, everything, a part, or some of the bits that become 0.
      uint8_t mask = 0xff;
      if (fails)
        mask = (uint8_t)(kind == 0   ? 0x00
                         : kind == 1 ? 0xff
                         : kind == 2 ? (i < unit / 2 ? 0xff : 0x00)
                                     : next_random(model));
      *byte &= (uint8_t)(bytes[at + i] | (uint8_t)~mask);
    }
    if (fails) return false;
  }
  return true;
}

void atoll_flash_model_init(atoll_flash_model *model, uint8_t *bytes, bool *written, uint32_t slot_bytes,
                            uint32_t sector_bytes, uint32_t unit_bytes) {
  *model = (atoll_flash_model){.bytes = bytes, .written = written, .seed = 1};
  model->flash = (atoll_flash){.context = model,
                               .memory = bytes,
                               .sector_bytes = sector_bytes,
                               .unit_bytes = unit_bytes,
                               .slot_bytes = slot_bytes,
                               .erase = erase,
                               .write = write};
  // Bytes that are not blank were written.
  for (uint32_t u = 0; u < atoll_flash_bytes(&model->flash) / unit_bytes; u++) {
    written[u] = false;
    for (uint32_t i = 0; i < unit_bytes; i++)
      if (bytes[u * unit_bytes + i] != 0xff) written[u] = true;
  }
}
