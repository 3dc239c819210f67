// Verification of the device's results, on inputs that both sides generate.
#ifndef ATOLL_PROOF_H
#define ATOLL_PROOF_H

#include "server.h"

typedef struct atoll_self_test_result {
  uint32_t vectors, failed, max_lsb, ticks, arena;
} atoll_self_test_result;

/** Loads the model of a slot, runs its vectors, and stores whether they passed. */
atoll_status atoll_self_test(atoll_device *device, uint8_t slot, atoll_self_test_result *result);

/** Runs the active model on samples generated from a seed. @param outputs room for those of all samples, or NULL */
atoll_status atoll_challenge(atoll_device *device, uint32_t seed, uint32_t samples, uint8_t *outputs, uint32_t *crc);

/**
 * Makes the model of a slot active and pending. The slot must contain the image with this hash, which must have passed
 * its self-test.
 */
atoll_status atoll_activate(atoll_device *device, uint8_t slot, atoll_bytes sha);


#endif
