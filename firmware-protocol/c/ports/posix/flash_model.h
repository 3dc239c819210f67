// A flash in memory that is as strict as the real ones: units are written once between erasures, and power can fail in the midst of any write
// or erasure.
#ifndef ATOLL_FLASH_MODEL_H
#define ATOLL_FLASH_MODEL_H

#include "atoll/flash.h"

typedef struct atoll_flash_model {
  atoll_flash flash;
  /** The area, and for each unit whether something has been written there since it was erased. */
  uint8_t *bytes;
  bool *written;
  /** Writes of a unit and erasures of a sector so far. */
  uint32_t steps;
  /** Power fails in this step, and nothing changes any more; 0: never. */
  uint32_t fail_at;
  bool dead;
  /** What a failing step leaves half done depends on it. */
  uint32_t seed;
  /** Units that were written without having been erased: faults of the caller. */
  uint32_t violations;
} atoll_flash_model;

/** @param bytes of the whole area, as they are; aligned to 16. @param written as many as the area has units */
void atoll_flash_model_init(atoll_flash_model *model, uint8_t *bytes, bool *written, uint32_t slot_bytes, uint32_t sector_bytes, uint32_t unit_bytes);

#endif
