// A device for tests: a runtime that accepts any model beginning with M, and a client for it.
#ifndef ATOLL_FAKE_H
#define ATOLL_FAKE_H

#include "atoll/device.h"
#include "cbor.h"

enum { FAKE_TICKS = 12345 };

typedef struct fake_runtime {
  atoll_inference inference;
  uint8_t input[512], output[16];
  uint32_t input_bytes, output_bytes, operators;
  const uint8_t *model;
} fake_runtime;

typedef struct fake_system {
  atoll_system system;
  uint32_t ticks, ms, resets;
} fake_system;

void fake_runtime_init(fake_runtime *fake);
void fake_system_init(fake_system *fake);

/** A response: its map, and its rc (0 if absent). */
typedef struct fake_answer {
  uint8_t bytes[ATOLL_PACKET_BYTES];
  atoll_bytes map;
  uint32_t rc;
} fake_answer;

/** Sends a request, whose map is between `map` and `end`. */
void fake_ask(atoll_device *device, uint16_t group, uint8_t id, bool write, const uint8_t *map, const uint8_t *end,
              fake_answer *answer);
/** Uploads only. @return whether everything was accepted */
bool fake_upload(atoll_device *device, const uint8_t *image, uint32_t length);
/** Uploads, tests, activates and confirms. @return whether all steps succeeded */
bool fake_push(atoll_device *device, const uint8_t *image, uint32_t length, bool confirm);

#endif
