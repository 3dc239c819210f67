// Shared by the command groups: the type of a handler, statuses, and loading the model of a slot into the arena.
#ifndef ATOLL_SERVER_H
#define ATOLL_SERVER_H

#include "cbor.h"
#include "image.h"
#include "status.h"
#include "store.h"

/** The result of a handler, besides the map that it wrote. */
typedef struct atoll_status {
  /** Group of the error; -1 for errors of the protocol itself. */
  int32_t group;
  uint32_t rc;
  /** In words; NULL if there is nothing to add. */
  const char *detail;
  /** Key `len` of the response to an upload with a wrong offset. */
  bool has_length;
  uint32_t length;
} atoll_status;

static inline atoll_status atoll_ok(void) { return (atoll_status){.group = -1, .rc = SMP_EOK}; }
static inline atoll_status smp_error(uint32_t rc) { return (atoll_status){.group = -1, .rc = rc}; }
static inline atoll_status os_error(uint32_t rc) { return (atoll_status){.group = GROUP_OS, .rc = rc}; }
static inline atoll_status file_error(uint32_t rc) { return (atoll_status){.group = GROUP_FILE, .rc = rc}; }
static inline atoll_status atoll_error(uint32_t rc, const char *detail) {
  return (atoll_status){.group = GROUP_ATOLL, .rc = rc, .detail = detail};
}

/**
 * @param request the map of the request
 * @param answer receives one map
 */
typedef atoll_status (*atoll_handler)(atoll_device *device, atoll_bytes request, atoll_writer *answer);

typedef struct atoll_command {
  uint16_t group;
  uint8_t id;
  bool write;
  atoll_handler handle;
} atoll_command;

/** The last entry has no handler. */
extern const atoll_command atoll_os_commands[], atoll_stats_commands[], atoll_enum_commands[], atoll_file_commands[],
    atoll_slot_commands[], atoll_inference_commands[], atoll_proof_commands[];

/** Amount of data that fits into a response besides its keys. */
enum { ATOLL_CHUNK_BYTES = ATOLL_PACKET_BYTES - 64 };

/** Loads the model of a slot into the arena. @param image the content of the slot */
atoll_status atoll_load_slot(atoll_device *device, uint8_t slot, atoll_image *image);
/** Loads the active model unless it is in the arena. */
atoll_status atoll_load_active(atoll_device *device);

/** Confirms the active model. @return false if writing to flash fails */
bool atoll_confirm(atoll_device *device);

/** The slot named in a request. @return an error status if it names no existing one */
atoll_status atoll_named_slot(atoll_bytes request, uint8_t *slot);

/**
 * Runs the model in the arena.
 * @param stream whether its variables keep the values of the previous run
 * @return false if it fails
 */
bool atoll_invoke(atoll_device *device, bool stream, uint32_t *ticks);
/** The error status of a failed run. */
extern const char atoll_invoke_failed[];
/** Total size of the inputs, and of the outputs. */
uint32_t atoll_input_bytes(const atoll_inference *inference);
uint32_t atoll_output_bytes(const atoll_inference *inference);

/** Writes an image into the inactive slot. @param length of the image, or UINT32_MAX if unknown */
atoll_status atoll_begin_image(atoll_device *device, uint32_t length);
atoll_status atoll_append_image(atoll_device *device, const uint8_t *bytes, uint32_t length);

#if ATOLL_INFLATE_BYTES > 0
/** Processes the next bytes of the compressed form of an image. */
atoll_status atoll_compressed_take(atoll_device *device, const uint8_t *bytes, uint32_t length);
#endif

/** Sets the watchdog; 0 stops it. */
void atoll_watch(const atoll_device *device, uint32_t ms);

#endif
