// The device side of firmware-protocol/README.md: an SMP server with two slots in flash and a runtime. Implement the
// three ports, call atoll_device_boot once, and atoll_device_answer for every received packet. It processes one packet
// at a time. A self-test blocks all other requests and discards the active model's inputs and outputs, since both
// models use the same arena.
#ifndef ATOLL_DEVICE_H
#define ATOLL_DEVICE_H

#include "config.h"
#include "flash.h"
#include "inference.h"
#include "system.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Unknown: any content, until it is erased. Open: erased, takes bytes. Sealed: contains an image, and is not written
 * any more.
 */
typedef enum atoll_slot_phase { ATOLL_SLOT_UNKNOWN, ATOLL_SLOT_OPEN, ATOLL_SLOT_SEALED } atoll_slot_phase;

/** The state of a slot. All of it but `bytes` of an open slot is stored in flash. */
typedef struct atoll_slot {
  atoll_slot_phase phase;
  bool tested, pending, confirmed;
  uint8_t attempts;
  uint32_t bytes;
  /** Length of the image in an open slot; 0 if unknown. */
  uint32_t expected;
} atoll_slot;

typedef struct atoll_store {
  const atoll_flash *flash;
  atoll_slot slots[2];
  /** 2: none. */
  uint8_t active;
  uint32_t sequence;
  /** The highest counter of any confirmed image; it never decreases. */
  uint32_t floor;
  /** Sector and position of the next record, and the sector with the newest one. */
  uint32_t record_sector, record_index, newest_sector;
  /**
   * From here on, an open slot is erased again sector by sector before it is written, since power failed during a
   * write.
   */
  uint32_t erase_from[2];
  /** The last bytes of an open slot, until they fill a unit. */
  uint8_t tail[ATOLL_FLASH_UNIT_BYTES];
  bool hashed[2];
  uint8_t sha[2][32];
} atoll_store;

/** Counters of the statistics group. */
typedef struct atoll_counters {
  uint32_t inferences, selftests_passed, selftests_failed, resets, refused;
} atoll_counters;

#if ATOLL_INFLATE_BYTES > 0
typedef struct atoll_compressed {
  bool under_way;
  uint32_t received;
  uint32_t block_bytes, block, image_bytes;
  /** Bytes in `held`: first the header, then a block with its length before it. */
  uint32_t held_bytes;
  uint8_t held[2 + ATOLL_INFLATE_BYTES + 16];
  uint8_t block_data[ATOLL_INFLATE_BYTES];
} atoll_compressed;
#endif

typedef struct atoll_device {
  const atoll_system *system;
  const atoll_inference *inference;
  atoll_store store;
  /** The slot whose model is in the arena; 2: none. */
  uint8_t loaded;
  uint32_t activated_ms;
  bool reset_wanted;
  atoll_counters counters;
#if ATOLL_INFLATE_BYTES > 0
  atoll_compressed compressed;
#endif
} atoll_device;

/**
 * Reads the records, counts a boot of a pending model, and loads the active one.
 * @return false if the flash cannot be used
 */
bool atoll_device_boot(atoll_device *device, const atoll_system *system, const atoll_flash *flash,
                       const atoll_inference *inference);

/**
 * Answers one packet.
 * @param answer room for ATOLL_PACKET_BYTES
 * @return length of the response; 0 for bytes that are not a request
 */
uint32_t atoll_device_answer(atoll_device *device, const uint8_t *packet, uint32_t length, uint8_t *answer);

/**
 * To be called after each response, and periodically: performs a requested reset, and gives up models that are not
 * confirmed in time.
 */
void atoll_device_poll(atoll_device *device);

#ifdef __cplusplus
}
#endif

#endif
