// Messages of a fleet device: the CBOR maps that atoll.cddl specifies.
#ifndef ATOLL_FLEET_MESSAGES_H
#define ATOLL_FLEET_MESSAGES_H

#include "atoll/fleet.h"
#include "cbor.h"

/** @return false if it is not such a map; the output is then unchanged */
bool atoll_desired_read(atoll_bytes message, atoll_desired *desired);

/** What a device measured with its active model. */
typedef struct atoll_measured {
  uint32_t vectors, failed, arena;
  uint32_t runs, median_us, p95_us;
  bool has_crc, has_samples;
  uint32_t crc, samples, correct;
  /** Length 0: not reported. */
  atoll_bytes outputs;
} atoll_measured;

typedef struct atoll_reported {
  uint64_t sequence;
  const char *target, *state;
  const atoll_tag *tags;
  uint32_t tag_count;
  /** The desired model that it answers; NULL if none is desired. */
  const atoll_desired *desired;
  /** SHA-256 of the active model; NULL if there is none. */
  const uint8_t *model;
  /** Of a failure; NULL otherwise. */
  const char *code, *detail;
  /** NULL before the measurements. */
  const atoll_measured *measured;
} atoll_reported;

void atoll_reported_write(const atoll_reported *reported, atoll_writer *writer);

#endif
