#include "store.h"

#include "bytes.h"
#include "crc.h"
#include "sha256.h"

// A record, little-endian: magic, version, active slot; sequence number; phase with flags, and attempts, of each slot;
// length of each sealed slot, expected length of each open one; the floor; zeros; CRC-32.
enum { RECORD_BYTES = 32, RECORD_VERSION = 1, FLOOR_AT = 20, CRC_AT = 28, BLANK = 0xff, TRIES = 3 };
enum { FLAG_TESTED = 0x10, FLAG_PENDING = 0x20, FLAG_CONFIRMED = 0x40, PHASE_MASK = 0x03 };
static const uint16_t record_magic = 0x5441;

static uint32_t record_stride(const atoll_flash *flash) {
  return flash->unit_bytes > RECORD_BYTES ? flash->unit_bytes : RECORD_BYTES;
}

static uint32_t records_per_sector(const atoll_flash *flash) { return flash->sector_bytes / record_stride(flash); }

static uint32_t record_offset(const atoll_flash *flash, uint32_t sector, uint32_t index) {
  return 2 * flash->slot_bytes + sector * flash->sector_bytes + index * record_stride(flash);
}

static bool is_blank(const uint8_t *bytes, uint32_t length) {
  for (uint32_t i = 0; i < length; i++)
    if (bytes[i] != BLANK) return false;
  return true;
}

/** The state that a record stores. */
typedef struct state {
  atoll_slot slots[2];
  uint8_t active;
  uint32_t floor;
} state;

static state state_of(const atoll_store *store) {
  return (state){.slots = {store->slots[0], store->slots[1]}, .active = store->active, .floor = store->floor};
}

static void encode(const atoll_store *store, const state *next, uint8_t record[ATOLL_FLASH_UNIT_BYTES + RECORD_BYTES]) {
  memset(record, 0, RECORD_BYTES);
  memset(record + RECORD_BYTES, BLANK, ATOLL_FLASH_UNIT_BYTES);
  record[0] = (uint8_t)record_magic;
  record[1] = (uint8_t)(record_magic >> 8);
  record[2] = RECORD_VERSION;
  record[3] = next->active;
  atoll_put_le32(record + 4, store->sequence + 1);
  for (uint32_t i = 0; i < 2; i++) {
    const atoll_slot *slot = &next->slots[i];
    const int flags =
        (slot->tested ? FLAG_TESTED : 0) | (slot->pending ? FLAG_PENDING : 0) | (slot->confirmed ? FLAG_CONFIRMED : 0);
    record[8 + 2 * i] = (uint8_t)((int)slot->phase | flags);
    record[9 + 2 * i] = slot->attempts;
    atoll_put_le32(record + 12 + 4 * i, slot->phase == ATOLL_SLOT_SEALED ? slot->bytes : slot->expected);
  }
  atoll_put_le32(record + FLOOR_AT, next->floor);
  atoll_put_le32(record + CRC_AT, atoll_crc32(0, record, CRC_AT));
}

/** Restores the state from a complete record that is newer than the known one. */
static bool decode(atoll_store *store, const uint8_t *record) {
  if (atoll_le16(record) != record_magic || record[2] != RECORD_VERSION || record[3] > ATOLL_NO_SLOT) return false;
  if (atoll_le32(record + CRC_AT) != atoll_crc32(0, record, CRC_AT)) return false;
  const uint32_t sequence = atoll_le32(record + 4);
  if (sequence <= store->sequence) return false;
  store->sequence = sequence;
  store->active = record[3];
  store->floor = atoll_le32(record + FLOOR_AT);
  for (uint32_t i = 0; i < 2; i++) {
    const uint8_t flags = record[8 + 2 * i];
    const uint32_t bytes = atoll_le32(record + 12 + 4 * i);
    atoll_slot *slot = &store->slots[i];
    const uint8_t phase = flags & PHASE_MASK;
    slot->phase = phase == ATOLL_SLOT_SEALED ? ATOLL_SLOT_SEALED
                  : phase == ATOLL_SLOT_OPEN ? ATOLL_SLOT_OPEN
                                             : ATOLL_SLOT_UNKNOWN;
    slot->tested = (flags & FLAG_TESTED) != 0;
    slot->pending = (flags & FLAG_PENDING) != 0;
    slot->confirmed = (flags & FLAG_CONFIRMED) != 0;
    slot->attempts = record[9 + 2 * i];
    slot->bytes = slot->phase == ATOLL_SLOT_SEALED && bytes <= store->flash->slot_bytes ? bytes : 0;
    slot->expected = slot->phase == ATOLL_SLOT_OPEN ? bytes : 0;
  }
  return true;
}

/** Writes a record of a new state, and adopts the state when it is written. */
static bool commit(atoll_store *store, const state *next) {
  const atoll_flash *flash = store->flash;
  uint8_t record[ATOLL_FLASH_UNIT_BYTES + RECORD_BYTES];
  encode(store, next, record);
  for (int i = 0; i < TRIES; i++) {
    if (store->record_index >= records_per_sector(flash)) {
      // Keep the sector with the newest record: retries erase only the other one.
      const uint32_t other = 1 - store->newest_sector;
      if (!flash->erase(flash->context, record_offset(flash, other, 0))) return false;
      store->record_sector = other;
      store->record_index = 0;
    }
    const uint32_t offset = record_offset(flash, store->record_sector, store->record_index++);
    if (!flash->write(flash->context, offset, record, record_stride(flash))) continue;
    if (memcmp(flash->memory + offset, record, RECORD_BYTES) != 0) continue;
    store->sequence++;
    store->newest_sector = store->record_sector;
    memcpy(store->slots, next->slots, sizeof store->slots);
    store->active = next->active;
    store->floor = next->floor;
    return true;
  }
  return false;
}

static bool commit_slot(atoll_store *store, uint8_t which, atoll_slot slot) {
  state next = state_of(store);
  next.slots[which] = slot;
  return commit(store, &next);
}

/**
 * The content of an open slot after a boot. A unit whose writing was interrupted may have any value, even blank, and
 * blank units of an image are not written. Therefore the sector with the last written bytes, and all following ones,
 * are erased again before they are written.
 */
static void recover(atoll_store *store, uint8_t which) {
  const atoll_flash *flash = store->flash;
  const uint8_t *memory = atoll_store_bytes(store, which);
  uint32_t end = flash->slot_bytes;
  while (end > 0 && memory[end - 1] == BLANK) end--;
  store->slots[which].bytes = end == 0 ? 0 : (end - 1) / flash->sector_bytes * flash->sector_bytes;
  store->erase_from[which] = store->slots[which].bytes;
}

bool atoll_store_open(atoll_store *store, const atoll_flash *flash) {
  memset(store, 0, sizeof *store);
  store->flash = flash;
  store->active = ATOLL_NO_SLOT;
  if (flash->unit_bytes == 0 || flash->unit_bytes > ATOLL_FLASH_UNIT_BYTES ||
      flash->sector_bytes < 2 * record_stride(flash))
    return false;
  // After a boot the sector of the newest record counts as full, and the first transition erases the other one and
  // writes there: records after the newest may have been interrupted and still read as blank, and such a unit must not
  // be written again.
  store->record_sector = store->newest_sector = 1;
  store->erase_from[0] = store->erase_from[1] = flash->slot_bytes;
  store->record_index = records_per_sector(flash);
  for (uint32_t sector = 0; sector < 2; sector++) {
    for (uint32_t i = 0; i < records_per_sector(flash); i++) {
      if (decode(store, flash->memory + record_offset(flash, sector, i)))
        store->record_sector = store->newest_sector = sector;
    }
  }
  for (uint8_t i = 0; i < 2; i++) {
    if (store->slots[i].phase == ATOLL_SLOT_OPEN) recover(store, i);
  }
  return true;
}

bool atoll_store_in_use(const atoll_store *store, uint8_t slot) {
  if (slot == store->active) return true;
  return store->slots[slot].confirmed && store->active != ATOLL_NO_SLOT && store->slots[store->active].pending;
}

bool atoll_store_begin(atoll_store *store, uint8_t which, uint32_t expected) {
  const atoll_flash *flash = store->flash;
  store->hashed[which] = false;
  if (!commit_slot(store, which, (atoll_slot){.phase = ATOLL_SLOT_UNKNOWN})) return false;
  for (uint32_t at = 0; at < flash->slot_bytes; at += flash->sector_bytes)
    if (!flash->erase(flash->context, (uint32_t)which * flash->slot_bytes + at)) return false;
  store->erase_from[which] = flash->slot_bytes;
  return commit_slot(store, which, (atoll_slot){.phase = ATOLL_SLOT_OPEN, .expected = expected});
}

/** Writes whole units. Blank units are not written: a unit that reads as blank was therefore never written. */
static bool write_units(const atoll_flash *flash, uint32_t offset, const uint8_t *bytes, uint32_t length) {
  const uint32_t unit = flash->unit_bytes;
  for (uint32_t at = 0; at < length;) {
    uint32_t end = at;
    while (end < length && !is_blank(bytes + end, unit)) end += unit;
    if (end > at && !flash->write(flash->context, offset + at, bytes + at, end - at)) return false;
    at = end < length ? end + unit : end;
  }
  return true;
}

/** Writes whole units at an offset of a slot, after erasing what a power cut may have left there. */
static bool write_slot(atoll_store *store, uint8_t which, uint32_t offset, const uint8_t *bytes, uint32_t length) {
  const atoll_flash *flash = store->flash;
  const uint32_t base = (uint32_t)which * flash->slot_bytes;
  for (uint32_t *at = &store->erase_from[which]; *at < flash->slot_bytes && *at < offset + length;
       *at += flash->sector_bytes)
    if (!flash->erase(flash->context, base + *at)) return false;
  return write_units(flash, base + offset, bytes, length);
}

bool atoll_store_append(atoll_store *store, uint8_t which, const uint8_t *bytes, uint32_t length) {
  const atoll_flash *flash = store->flash;
  atoll_slot *slot = &store->slots[which];
  if (slot->phase != ATOLL_SLOT_OPEN || length > flash->slot_bytes - slot->bytes) return false;
  store->hashed[which] = false;
  while (length > 0) {
    const uint32_t held = slot->bytes % flash->unit_bytes;
    uint32_t piece;
    if (held == 0 && length >= flash->unit_bytes) {
      piece = length - length % flash->unit_bytes;
      if (!write_slot(store, which, slot->bytes, bytes, piece)) return false;
    } else {
      piece = length < flash->unit_bytes - held ? length : flash->unit_bytes - held;
      memcpy(store->tail + held, bytes, piece);
      if (held + piece == flash->unit_bytes &&
          !write_slot(store, which, slot->bytes - held, store->tail, flash->unit_bytes))
        return false;
    }
    slot->bytes += piece;
    bytes += piece;
    length -= piece;
  }
  return slot->bytes != slot->expected || atoll_store_flush(store, which);
}

bool atoll_store_flush(atoll_store *store, uint8_t which) {
  const atoll_flash *flash = store->flash;
  atoll_slot slot = store->slots[which];
  if (slot.phase == ATOLL_SLOT_SEALED) return true;
  if (slot.phase != ATOLL_SLOT_OPEN) return false;
  const uint32_t held = slot.bytes % flash->unit_bytes;
  if (held > 0) {
    memset(store->tail + held, BLANK, flash->unit_bytes - held);
    if (!write_slot(store, which, slot.bytes - held, store->tail, flash->unit_bytes)) return false;
  }
  slot.phase = ATOLL_SLOT_SEALED;
  return commit_slot(store, which, slot);
}

void atoll_store_read(const atoll_store *store, uint8_t which, uint32_t offset, uint8_t *to, uint32_t length) {
  const atoll_slot *slot = &store->slots[which];
  const uint32_t held = slot->phase == ATOLL_SLOT_OPEN ? slot->bytes % store->flash->unit_bytes : 0;
  const uint32_t written = slot->bytes - held;
  const uint8_t *memory = atoll_store_bytes(store, which);
  for (uint32_t i = 0; i < length; i++)
    to[i] = offset + i < written ? memory[offset + i] : store->tail[offset + i - written];
}

const uint8_t *atoll_store_sha(atoll_store *store, uint8_t which) {
  if (!store->hashed[which]) {
    const atoll_slot *slot = &store->slots[which];
    const uint32_t held = slot->phase == ATOLL_SLOT_OPEN ? slot->bytes % store->flash->unit_bytes : 0;
    atoll_sha256 sha;
    atoll_sha256_begin(&sha);
    atoll_sha256_add(&sha, atoll_store_bytes(store, which), slot->bytes - held);
    atoll_sha256_add(&sha, store->tail, held);
    atoll_sha256_end(&sha, store->sha[which]);
    store->hashed[which] = true;
  }
  return store->sha[which];
}

bool atoll_store_set_tested(atoll_store *store, uint8_t which, bool tested) {
  atoll_slot slot = store->slots[which];
  if (slot.tested == tested) return true;
  slot.tested = tested;
  return commit_slot(store, which, slot);
}

bool atoll_store_activate(atoll_store *store, uint8_t which) {
  state next = state_of(store);
  const uint8_t other = (uint8_t)(1 - which);
  // Returning to a confirmed model gives up the pending one, so that there is always a confirmed model to fall back to.
  const bool back = next.slots[which].confirmed && !next.slots[other].confirmed;
  next.slots[which].pending = !back;
  next.slots[which].confirmed = back;
  next.slots[which].attempts = 0;
  next.slots[other].pending = false;
  next.active = which;
  return commit(store, &next);
}

bool atoll_store_confirm(atoll_store *store, uint32_t counter) {
  state next = state_of(store);
  atoll_slot *slot = &next.slots[store->active];
  if (slot->confirmed && !slot->pending && counter <= store->floor) return true;
  slot->pending = false;
  slot->confirmed = true;
  if (counter > next.floor) next.floor = counter;
  return commit(store, &next);
}

/** @param attempts of the model; the maximum later shows that failed boots were the reason */
static bool give_up(atoll_store *store, uint8_t attempts) {
  state next = state_of(store);
  const uint8_t given = store->active, other = (uint8_t)(1 - given);
  next.slots[given].pending = false;
  next.slots[given].tested = false;
  next.slots[given].attempts = attempts;
  next.active = next.slots[other].confirmed ? other : ATOLL_NO_SLOT;
  return commit(store, &next);
}

bool atoll_store_count_boot(atoll_store *store) {
  if (store->active == ATOLL_NO_SLOT || !store->slots[store->active].pending) return true;
  atoll_slot slot = store->slots[store->active];
  slot.attempts++;
  return slot.attempts < ATOLL_BOOT_ATTEMPTS ? commit_slot(store, store->active, slot) : give_up(store, slot.attempts);
}

bool atoll_store_fall_back(atoll_store *store) {
  if (store->active == ATOLL_NO_SLOT || !store->slots[store->active].pending) return true;
  return give_up(store, store->slots[store->active].attempts);
}

bool atoll_store_adopt(atoll_store *store, uint32_t bytes, uint32_t counter) {
  state next = state_of(store);
  next.slots[0] = (atoll_slot){.phase = ATOLL_SLOT_SEALED, .confirmed = true, .bytes = bytes};
  next.active = 0;
  next.floor = counter;
  return commit(store, &next);
}
