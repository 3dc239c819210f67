// Two slots in flash, and the records of their state. A record contains the state of both slots, with a sequence number
// and a CRC, in units that are written once; the valid record with the highest number applies. Power may fail at any
// time: a transition is one record, so either the old or the new state applies.
#ifndef ATOLL_STORE_H
#define ATOLL_STORE_H

#include "atoll/device.h"

enum { ATOLL_NO_SLOT = 2 };

/**
 * Reads the records. An interrupted upload is kept up to the last complete sector.
 * @return false if the flash is too small or its units too large
 */
bool atoll_store_open(atoll_store *store, const atoll_flash *flash);

/** The slot that takes uploads. */
static inline uint8_t atoll_store_inactive(const atoll_store *store) { return store->active == 0 ? 1 : 0; }

/** Whether a slot must not be changed: it is active, or the device falls back to it. */
bool atoll_store_in_use(const atoll_store *store, uint8_t slot);

/** Erases a slot, which then takes bytes from offset 0. @param expected length of the image; 0 if unknown */
bool atoll_store_begin(atoll_store *store, uint8_t slot, uint32_t expected);
/**
 * Appends bytes. With the last of the expected bytes the slot is sealed.
 * @return false if it is sealed, or writing to flash fails
 */
bool atoll_store_append(atoll_store *store, uint8_t slot, const uint8_t *bytes, uint32_t length);
/** Writes the bytes of an incomplete unit, and seals the slot. */
bool atoll_store_flush(atoll_store *store, uint8_t slot);

/** Copies bytes of a slot, including those that are not in flash yet. The range must be valid. */
void atoll_store_read(const atoll_store *store, uint8_t slot, uint32_t offset, uint8_t *to, uint32_t length);
/** SHA-256 of the slot; it is cached. */
const uint8_t *atoll_store_sha(atoll_store *store, uint8_t slot);

/** Transitions. Each is one record; false means that the state is unchanged. */
bool atoll_store_set_tested(atoll_store *store, uint8_t slot, bool tested);
bool atoll_store_activate(atoll_store *store, uint8_t slot);
/** @param counter of the image; 0 if the device has no trusted key */
bool atoll_store_confirm(atoll_store *store, uint32_t counter);
/** Adopts an image in slot 0 of a device without records, as active and confirmed. */
bool atoll_store_adopt(atoll_store *store, uint32_t bytes, uint32_t counter);
/** Counts a boot of a pending model, and gives it up after too many. */
bool atoll_store_count_boot(atoll_store *store);
/** Gives up a pending model, in favour of the confirmed one or of none. */
bool atoll_store_fall_back(atoll_store *store);

static inline const uint8_t *atoll_store_bytes(const atoll_store *store, uint8_t slot) {
  return store->flash->memory + (uint32_t)slot * store->flash->slot_bytes;
}

#endif
