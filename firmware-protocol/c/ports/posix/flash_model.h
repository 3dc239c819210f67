// A flash in memory that is as strict as real ones: units are written once between erasures, and power can fail during
// any write or erasure.
#ifndef ATOLL_FLASH_MODEL_H
#define ATOLL_FLASH_MODEL_H

#include "atoll/flash.h"

typedef struct atoll_flash_model {
  atoll_flash flash;
  /** The area, and for each unit whether it was written since its erasure. */
  uint8_t *bytes;
  bool *written;
  /** Number of unit writes and sector erasures so far. */
  uint32_t steps;
  /** Power fails in this step, and nothing changes afterwards; 0: never. */
  uint32_t fail_at;
  bool dead;
  /** Determines what the failing step leaves half done. */
  uint32_t seed;
  /** Number of units that were written without an erasure: faults of the caller. */
  uint32_t violations;
} atoll_flash_model;

/**
 * @param bytes of the whole area, unchanged, aligned to 16
 * @param written one per unit
 */
void atoll_flash_model_init(atoll_flash_model *model, uint8_t *bytes, bool *written, uint32_t slot_bytes,
                            uint32_t sector_bytes, uint32_t unit_bytes);

#endif
