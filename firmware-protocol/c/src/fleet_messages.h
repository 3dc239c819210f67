// What a device of a fleet hears and says: CBOR maps that atoll.cddl specifies.
#ifndef ATOLL_FLEET_MESSAGES_H
#define ATOLL_FLEET_MESSAGES_H

#include "atoll/fleet.h"
#include "cbor.h"

/** @return false for what is no such map; the rest is then as it was */
bool atoll_desired_read(atoll_bytes message, atoll_desired *desired);

/** What a device has measured of the model that it runs. */
typedef struct atoll_measured {
  uint32_t vectors, failed, arena;
  uint32_t runs, median_us, p95_us;
  bool has_crc, has_samples;
  uint32_t crc, samples, correct;
  /** No length: not reported. */
  atoll_bytes outputs;
} atoll_measured;

typedef struct atoll_reported {
  uint64_t sequence;
  const char *target, *state;
  const atoll_tag *tags;
  uint32_t tag_count;
  /** What it answers; NULL where nothing is desired. */
  const atoll_desired *desired;
  /** SHA-256 of the model that runs; NULL where none does. */
  const uint8_t *model;
  /** Of a failure; NULL without. */
  const char *code, *detail;
  /** NULL before anything is measured. */
  const atoll_measured *measured;
} atoll_reported;

void atoll_reported_write(const atoll_reported *reported, atoll_writer *writer);

#endif
