// Port: a memory-mapped NOR flash, from which models are run directly. The store uses one area: slot 0, slot 1, and two
// sectors of records.
#ifndef ATOLL_FLASH_H
#define ATOLL_FLASH_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct atoll_flash {
  void *context;
  /** The address of the area; aligned as the runtime requires for models. */
  const uint8_t *memory;
  /** Size of a sector, the unit of erasure. */
  uint32_t sector_bytes;
  /**
   * Size of the unit that is written at once, and only once between erasures: 1 to ATOLL_FLASH_UNIT_BYTES, a power of
   * two.
   */
  uint32_t unit_bytes;
  /** A multiple of sector_bytes. */
  uint32_t slot_bytes;
  /** Erases the sector at this offset: all its bits become 1. */
  bool (*erase)(void *context, uint32_t offset);
  /** Writes whole units, all of which are erased. */
  bool (*write)(void *context, uint32_t offset, const uint8_t *bytes, uint32_t length);
} atoll_flash;

/** Total size of the area. */
static inline uint32_t atoll_flash_bytes(const atoll_flash *flash) {
  return 2 * flash->slot_bytes + 2 * flash->sector_bytes;
}

#ifdef __cplusplus
}
#endif

#endif
