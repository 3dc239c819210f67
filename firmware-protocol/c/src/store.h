// Two slots in flash, and the records that say what is in them. A record holds the state of both slots, with a sequence number and a CRC, in
// units that are written once: the valid record with the highest number holds. Power may fail at any time: a transition is one record, so
// either the old state holds or the new one.
#ifndef ATOLL_STORE_H
#define ATOLL_STORE_H

#include "atoll/device.h"

enum { ATOLL_NO_SLOT = 2 };

/** Reads the records. What an upload had written before power failed is kept up to the last whole sector. @return false for a flash that cannot hold them */
bool atoll_store_open(atoll_store *store, const atoll_flash *flash);

/** The slot that takes uploads. */
static inline uint8_t atoll_store_inactive(const atoll_store *store) { return store->active == 0 ? 1 : 0; }

/** Whether a slot must stay as it is: it runs, or is what the device falls back to. */
bool atoll_store_in_use(const atoll_store *store, uint8_t slot);

/** Erases a slot, which then takes bytes from its beginning on. @param expected length of the image; 0: not known */
bool atoll_store_begin(atoll_store *store, uint8_t slot, uint32_t expected);
/** With the last of the expected bytes the slot takes no more, and keeps them. @return false where it takes no more, or flash fails */
bool atoll_store_append(atoll_store *store, uint8_t slot, const uint8_t *bytes, uint32_t length);
/** Writes what waits for its unit to be filled; the slot then takes no more. */
bool atoll_store_flush(atoll_store *store, uint8_t slot);

/** Copies bytes of a slot, those too that are not in flash yet. They must be there. */
void atoll_store_read(const atoll_store *store, uint8_t slot, uint32_t offset, uint8_t *to, uint32_t length);
/** SHA-256 of the slot; it is computed once. */
const uint8_t *atoll_store_sha(atoll_store *store, uint8_t slot);

/** Transitions. Each is one record; false means that the state is as it was. */
bool atoll_store_set_tested(atoll_store *store, uint8_t slot, bool tested);
bool atoll_store_activate(atoll_store *store, uint8_t slot);
/** @param counter of the image; 0 if the device has no trusted key */
bool atoll_store_confirm(atoll_store *store, uint32_t counter);
/** Takes on an image that lies in slot 0 of a device without records, as active and confirmed. */
bool atoll_store_adopt(atoll_store *store, uint32_t bytes, uint32_t counter);
/** Counts a boot of a pending model, and gives it up after too many. */
bool atoll_store_count_boot(atoll_store *store);
/** Gives up a pending model: back to the confirmed one, or to none. */
bool atoll_store_fall_back(atoll_store *store);

static inline const uint8_t *atoll_store_bytes(const atoll_store *store, uint8_t slot) {
  return store->flash->memory + (uint32_t)slot * store->flash->slot_bytes;
}

#endif
