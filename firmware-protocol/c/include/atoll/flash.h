// Port: a NOR flash that can be read as memory, so that models run where they lie. One area of it belongs to the store: slot 0, slot 1, then
// two sectors of records.
#ifndef ATOLL_FLASH_H
#define ATOLL_FLASH_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct atoll_flash {
  void *context;
  /** Where the area can be read; aligned as the runtime wants models to be. */
  const uint8_t *memory;
  /** What erase takes at once. */
  uint32_t sector_bytes;
  /** What is written at once, and only once between erasures: 1 to ATOLL_FLASH_UNIT_BYTES, a power of two. */
  uint32_t unit_bytes;
  /** A multiple of sector_bytes. */
  uint32_t slot_bytes;
  /** Fills the sector at this offset with ones. */
  bool (*erase)(void *context, uint32_t offset);
  /** Whole units, all of them erased before. */
  bool (*write)(void *context, uint32_t offset, const uint8_t *bytes, uint32_t length);
} atoll_flash;

/** What the area takes in all. */
static inline uint32_t atoll_flash_bytes(const atoll_flash *flash) { return 2 * flash->slot_bytes + 2 * flash->sector_bytes; }

#ifdef __cplusplus
}
#endif

#endif
