// Arbitrary messages from a broker to a fleet device with an active model. Input: messages, each preceded by a byte
// that selects its topic, and by its length in two bytes.
#include <stdlib.h>
#include <string.h>

#include "atoll/fleet.h"
#include "bytes.h"
#include "cbor.h"
#include "fake.h"
#include "flash_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static atoll_fleet fleet;

static bool topic_is_whole(void *context, const char *topic) {
  (void)context;
  if (strlen(topic) >= ATOLL_TOPIC_BYTES || strncmp(topic, "atoll/f/", 8) != 0) abort();
  return true;
}

/** Any message is a single map, or empty. */
static bool say(void *context, const char *topic, const uint8_t *payload, uint32_t length, bool retain) {
  (void)topic_is_whole(context, topic);
  const bool alive = length == 6 && memcmp(payload, "online", 6) == 0;
  const bool packet = !retain && strstr(topic, "/smp/rsp/") != NULL;
  if (!alive && !packet && !atoll_is_map((atoll_bytes){payload, length})) abort();
  return true;
}

static uint64_t first_number(void *context) {
  (void)context;
  return 190000000000u;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static _Alignas(16) uint8_t area[2 * 4096 + 2 * 256];
  static bool written[sizeof area];
  static atoll_flash_model flash;
  static atoll_device device;
  static fake_runtime runtime;
  static fake_system board;
  static const uint8_t model[] = {'M', 1, 2, 3};
  static const char *const topics[] = {"atoll/f/d/fake/desired", "atoll/f/d/fake/blk", "atoll/f/d/fake/smp/req/c", "",
                                       "atoll/f/d/other/desired"};
  uint8_t answer[ATOLL_PACKET_BYTES];
  memset(area, 0xff, sizeof area);
  fake_runtime_init(&runtime);
  fake_system_init(&board);
  board.system.id = "fake";
  atoll_flash_model_init(&flash, area, written, 4096, 256, 16);
  if (!atoll_device_boot(&device, &board.system, &flash.flash, &runtime.inference) ||
      !fake_push(&device, model, sizeof model, true))
    abort();
  const atoll_fleet_port port = {
      .subscribe = topic_is_whole, .unsubscribe = topic_is_whole, .publish = say, .centiseconds = first_number};
  atoll_fleet_init(&fleet, &device, &port, "f", NULL, 0);
  atoll_fleet_connected(&fleet);
  for (size_t at = 0; at + 3 <= size;) {
    const uint8_t kind = data[at] % 8;
    size_t length = atoll_le16(data + at + 1);
    at += 3;
    if (length > size - at) length = size - at;
    char topic[ATOLL_TOPIC_BYTES];
    if (kind == 3 || kind > 4) {
      // A block of the bundle being fetched, if any: the first byte is its number.
      strcpy(topic, fleet.topic);
      char *end = strrchr(topic, '/');
      if (end != NULL && strchr(end, '+') != NULL) {
        end[1] = (char)('0' + (data[at - 3] >> 3) % 10);
        end[2] = 0;
      }
    } else strcpy(topic, topics[kind]);
    atoll_fleet_message(&fleet, topic, data + at, (uint32_t)length, answer);
    atoll_fleet_poll(&fleet);
    atoll_device_poll(&device);
    board.ms += 1000;
    at += length;
  }
  // A model runs or waits to be confirmed, and flash was written correctly.
  if (flash.violations > 0 || device.store.active == 2) abort();
  return 0;
}
