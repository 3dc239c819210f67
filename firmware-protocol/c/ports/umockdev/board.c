// The device side as an emulated USB device. Run as
//   umockdev-wrapper build/atoll-usb COMMAND...
// The command sees the device 1209:a701, with one packet per bulk transfer. ATOLL_UNPLUG_AT=n unplugs it at the n-th
// transfer; with ATOLL_RENUMBER=1 a reset removes it from the bus, and it comes back as 1209:a703.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "atoll/device.h"
#include "atoll_runtime.h"
#include "clock.h"
#include "flash_model.h"
#include "usbfs.h"

enum {
  VENDOR = 0x1209, PRODUCT = 0xa701, OTHER_PRODUCT = 0xa703, PACKET = 64, IN = 0x81, OUT = 0x02, SECTOR = 4096,
  UNIT = 16, SLOT = 1 << 20, ARENA = 1 << 20
};

// Device: USB 2.0, class by interface, strings 1 to 3; one configuration, one vendor-specific interface, a bulk
// endpoint in each direction.
#define DESCRIPTORS(product)                                                                             \
  {18, 1, 0x00, 0x02, 0, 0, 0, 64, VENDOR & 0xff, VENDOR >> 8, product & 0xff, product >> 8, 0x00, 0x01, \
   1,  2, 3,    1,    9, 2, 32, 0, 1, 1, 0, 0x80, 50, 9, 4, 0, 0, 2, 0xff, 0, 0, 0,                      \
   7,  5, IN,   2,    PACKET, 0, 0, 7, 5, OUT, 2, PACKET, 0, 0}

static const uint8_t descriptors[] = DESCRIPTORS(PRODUCT);
static const uint8_t other_descriptors[] = DESCRIPTORS(OTHER_PRODUCT);
static const char *const strings[] = {"", "Atoll", "emulated board", "usb-1"};

static struct {
  atoll_device device;
  uint8_t out[ATOLL_PACKET_BYTES + PACKET], in[ATOLL_PACKET_BYTES];
  uint32_t out_bytes, in_bytes, transfers, unplug_at;
  bool reset, renumbers, leaving;
} board;

static atoll_flash_model flash;
static atoll_runtime runtime;
static atoll_inference inference;

static void reset(void *context) { *(bool *)context = true; }

static const atoll_system port = {.context = &board.reset,
                                  .id = "usb-1",
                                  .target = "qemu-mps2-an386",
                                  .firmware = "atoll-device usb",
                                  .tick_hz = 1000000,
                                  .ticks = posix_microseconds,
                                  .now_ms = posix_milliseconds,
                                  .reset = reset};

static bool boot(void) { return atoll_device_boot(&board.device, &port, &flash.flash, &inference); }

static const usbfs_gadget *const other_gadget;

static void count_transfer(void) {
  if (++board.transfers == board.unplug_at) usbfs_unplug();
}

/** A packet of the host is complete when a USB packet of it is short. */
static int32_t take_out(uint8_t endpoint, const uint8_t *bytes, uint32_t length) {
  (void)endpoint;
  const int32_t taken = (int32_t)length;
  count_transfer();
  if (board.out_bytes + length > sizeof board.out) length = 0;
  if (length > 0) memcpy(board.out + board.out_bytes, bytes, length);
  board.out_bytes += length;
  if (length % PACKET == 0 && length > 0) return taken;
  board.in_bytes = atoll_device_answer(&board.device, board.out, board.out_bytes, board.in);
  board.out_bytes = 0;
  atoll_device_poll(&board.device);
  if (board.reset) {
    board.reset = false;
    if (!boot()) abort();
    board.leaving = board.renumbers;
  }
  return taken;
}

static int32_t give_in(uint8_t endpoint, uint8_t *bytes, uint32_t room) {
  (void)endpoint;
  const uint32_t length = board.in_bytes;
  if (length == 0 || length > room) return USBFS_NOTHING;
  count_transfer();
  memcpy(bytes, board.in, length);
  board.in_bytes = 0;
  // The response to a reset is the last packet under this id.
  if (board.leaving) usbfs_become(other_gadget);
  board.leaving = false;
  return (int32_t)length;
}

#define GADGET(ids_product, which)                   \
  {.vendor = VENDOR,                                 \
   .product = ids_product,                           \
   .descriptors = which,                             \
   .descriptor_bytes = sizeof which,                 \
   .strings = strings,                               \
   .string_count = sizeof strings / sizeof *strings, \
   .take_out = take_out,                             \
   .give_in = give_in}

static const usbfs_gadget gadget = GADGET(PRODUCT, descriptors), renumbered = GADGET(OTHER_PRODUCT, other_descriptors);
static const usbfs_gadget *const other_gadget = &renumbered;

int main(int argc, char **argv) {
  if (argc < 2) {
    fputs("usage: umockdev-wrapper atoll-usb COMMAND...\n", stderr);
    return 2;
  }
  static uint8_t area[2 * SLOT + 2 * SECTOR] __attribute__((aligned(16)));
  static bool written[sizeof area / UNIT];
  static uint8_t arena[ARENA] __attribute__((aligned(16)));
  const char *unplug = getenv("ATOLL_UNPLUG_AT");
  board.renumbers = getenv("ATOLL_RENUMBER") != NULL;
  board.unplug_at = unplug == NULL ? 0 : (uint32_t)atoi(unplug);
  memset(area, 0xff, sizeof area);
  atoll_flash_model_init(&flash, area, written, SLOT, SECTOR, UNIT);
  atoll_runtime_init(&runtime, arena, ARENA, posix_microseconds, NULL, &inference);
  return boot() ? usbfs_run(&gadget, argv + 1) : 1;
}
