// A bootloader that takes firmware by DFU, as an emulated USB device. Run it as
//   umockdev-wrapper build/atoll-dfu COMMAND...
// ATOLL_DFU says which: `dfuse` (0483:df11, ST's extension, the sectors of an STM32F746), `dfu` (1209:a702, DFU 1.1
// with an alternate setting for the firmware and one for the model), `runtime` (1209:a701, firmware that becomes the
// second when it is told to detach). ATOLL_FLASH names a file that gets the flash's content in the end; ATOLL_FAIL_AT=n
// lets the n-th write fail, ATOLL_UNPLUG_AT=n pulls the plug at the n-th request. Sources: USB Device Class
// Specification for Device Firmware Upgrade 1.1; ST's AN3156 and UM0424.
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "usbfs.h"

enum { DETACH, DNLOAD, UPLOAD, GETSTATUS, CLRSTATUS, GETSTATE, ABORT, SET_INTERFACE = 11 };
enum {
  APP_IDLE, APP_DETACH, IDLE, DNLOAD_SYNC, DNBUSY, DNLOAD_IDLE, MANIFEST_SYNC, MANIFEST, WAIT_RESET, UPLOAD_IDLE,
  ERROR
};
enum {
  OK, ERR_TARGET, ERR_FILE, ERR_WRITE, ERR_ERASE, ERR_CHECK_ERASED, ERR_PROG, ERR_VERIFY, ERR_ADDRESS,
  ERR_STALLED = 15
};
enum {
  SE_ADDRESS = 0x21, SE_ERASE = 0x41, TRANSFER = 1024, BASE = 0x08000000, FLASH = 1 << 20, PLAIN_AREA = FLASH / 2
};

/** Sectors of an STM32F746: 4 of 32 KiB, 1 of 128, 3 of 256. */
static const uint32_t sectors[] = {32, 32, 32, 32, 128, 256, 256, 256};

static uint8_t flash[FLASH];

static struct {
  bool dfuse;
  uint8_t state, status, alternate;
  /** The operation requested by the last download, performed when the host asks for the status. */
  uint16_t block;
  uint8_t data[TRANSFER];
  uint32_t length, address, next, writes, fail_at, requests, unplug_at;
} dfu = {.state = IDLE, .address = BASE};

static void fail(uint8_t status) {
  dfu.state = ERROR;
  dfu.status = status;
}

/** The sector at an address, as an offset in the flash. @return its size; 0 if no sector starts there or contains it */
static uint32_t sector_around(uint32_t address, uint32_t *start) {
  *start = 0;
  for (size_t i = 0; i < sizeof sectors / sizeof *sectors; i++) {
    const uint32_t bytes = sectors[i] * 1024;
    if (address >= BASE + *start && address - BASE - *start < bytes) return bytes;
    *start += bytes;
  }
  return 0;
}

static void erase(uint32_t address) {
  uint32_t start;
  const uint32_t bytes = sector_around(address, &start);
  if (bytes == 0) fail(ERR_ADDRESS);
  else memset(flash + start, 0xff, bytes);
}

/** Flash accepts writes to erased bytes, or of equal values. */
static void program(uint32_t at, const uint8_t *bytes, uint32_t length, uint32_t end) {
  if (at > end || length > end - at) {
    fail(ERR_ADDRESS);
    return;
  }
  if (++dfu.writes == dfu.fail_at) {
    fail(ERR_PROG);
    return;
  }
  for (uint32_t i = 0; i < length; i++) {
    if (flash[at + i] != 0xff && flash[at + i] != bytes[i]) {
      fail(ERR_CHECK_ERASED);
      return;
    }
    flash[at + i] = bytes[i];
  }
}

static uint32_t plain_start(void) { return dfu.alternate == 0 ? 0 : PLAIN_AREA; }

/** The operation requested by the last download. */
static void execute(void) {
  if (!dfu.dfuse) {
    // An area is erased when its first block arrives.
    if (dfu.next == 0) memset(flash + plain_start(), 0xff, PLAIN_AREA);
    program(plain_start() + dfu.next, dfu.data, dfu.length, plain_start() + PLAIN_AREA);
    dfu.next += dfu.length;
    return;
  }
  const uint32_t value = dfu.length < 5 ? 0
                                        : (uint32_t)dfu.data[1] | (uint32_t)dfu.data[2] << 8 |
                                              (uint32_t)dfu.data[3] << 16 | (uint32_t)dfu.data[4] << 24;
  if (dfu.block >= 2) program(dfu.address - BASE + (dfu.block - 2u) * TRANSFER, dfu.data, dfu.length, FLASH);
  else if (dfu.block == 0 && dfu.length == 5 && dfu.data[0] == SE_ADDRESS) dfu.address = value;
  else if (dfu.block == 0 && dfu.length == 5 && dfu.data[0] == SE_ERASE) erase(value);
  else fail(ERR_STALLED);
}

static int32_t download(uint16_t block, const uint8_t *data, uint32_t length) {
  if ((dfu.state != IDLE && dfu.state != DNLOAD_IDLE) || length > TRANSFER ||
      (length == 0 && dfu.state == IDLE && !dfu.dfuse)) {
    fail(ERR_STALLED);
    return USBFS_STALL;
  }
  if (dfu.state == IDLE) dfu.next = 0;
  dfu.block = block;
  dfu.length = length;
  if (length > 0) memcpy(dfu.data, data, length);
  dfu.state = length == 0 ? MANIFEST_SYNC : DNLOAD_SYNC;
  return 0;
}

static int32_t upload(uint16_t block, uint8_t *data, uint32_t length) {
  if ((dfu.state != IDLE && dfu.state != UPLOAD_IDLE) || (dfu.dfuse && block < 2)) {
    fail(ERR_STALLED);
    return USBFS_STALL;
  }
  const uint32_t start =
      dfu.dfuse ? dfu.address - BASE + (block - 2u) * TRANSFER : plain_start() + (uint32_t)block * TRANSFER;
  const uint32_t end = dfu.dfuse ? FLASH : plain_start() + PLAIN_AREA;
  const uint32_t given = start >= end ? 0 : end - start < length ? end - start : length;
  memcpy(data, flash + start, given);
  dfu.state = given < length ? IDLE : UPLOAD_IDLE;
  return (int32_t)given;
}

/** The status. The pending operation is performed while the host waits. */
static int32_t get_status(uint8_t *data) {
  uint8_t shown = dfu.state;
  if (dfu.state == DNLOAD_SYNC && dfu.dfuse) shown = dfu.state = DNBUSY;
  else if (dfu.state == DNBUSY || dfu.state == DNLOAD_SYNC) {
    dfu.state = DNLOAD_IDLE;
    execute();
    shown = dfu.state;
  } else if (dfu.state == MANIFEST_SYNC) {
    shown = MANIFEST;
    dfu.state = WAIT_RESET;
  }
  const uint8_t answer[6] = {dfu.status, 2, 0, 0, shown, 0};
  memcpy(data, answer, sizeof answer);
  // Manifestation ends with a reset: the firmware starts, and the bootloader is gone.
  if (shown == MANIFEST) usbfs_unplug();
  return sizeof answer;
}

static int32_t control(const uint8_t setup[8], uint8_t *data, uint32_t length) {
  const uint16_t value = (uint16_t)(setup[2] | (setup[3] << 8));
  if (setup[0] == 0x01 && setup[1] == SET_INTERFACE) {
    dfu.alternate = setup[2];
    return 0;
  }
  if (++dfu.requests == dfu.unplug_at) usbfs_unplug();
  switch (setup[1]) {
    case DNLOAD:
      return download(value, data, length);
    case UPLOAD:
      return upload(value, data, length);
    case GETSTATUS:
      return get_status(data);
    case CLRSTATUS:
      if (dfu.state != ERROR) return USBFS_STALL;
      dfu.state = IDLE;
      dfu.status = OK;
      return 0;
    case GETSTATE:
      data[0] = dfu.state;
      return 1;
    case ABORT:
      if (dfu.state == DNLOAD_IDLE || dfu.state == UPLOAD_IDLE || dfu.state == DNLOAD_SYNC) dfu.state = IDLE;
      return 0;
    default:
      return USBFS_STALL;
  }
}

// Attributes: can download, can upload, detaches by itself (run time only).
#define FUNCTIONAL(attributes, version) 9, 0x21, attributes, 0xff, 0x00, TRANSFER & 0xff, TRANSFER >> 8, version, 0x01
#define DEVICE(vendor, product) \
  18, 1, 0x00, 0x02, 0, 0, 0, 64, vendor & 0xff, vendor >> 8, product & 0xff, product >> 8, 0x00, 0x01, 1, 2, 3, 1
#define INTERFACE(alternate, protocol, name) 9, 4, 0, alternate, 0, 0xfe, 1, protocol, name

static const uint8_t dfuse_descriptors[] = {
    DEVICE(0x0483, 0xdf11), 9, 2, 36, 0, 1, 1, 0, 0xc0, 50, INTERFACE(0, 2, 4), INTERFACE(1, 2, 5),
    FUNCTIONAL(0x03, 0x1a)};
static const uint8_t plain_descriptors[] = {
    DEVICE(0x1209, 0xa702), 9, 2, 36, 0, 1, 1, 0, 0xc0, 50, INTERFACE(0, 2, 4), INTERFACE(1, 2, 5),
    FUNCTIONAL(0x03, 0x10)};
static const uint8_t runtime_descriptors[] = {
    DEVICE(0x1209, 0xa701), 9, 2, 27, 0, 1, 1, 0, 0xc0, 50, INTERFACE(0, 1, 0), FUNCTIONAL(0x0b, 0x10)};
static const char *const dfuse_strings[] = {"",
                                            "Atoll",
                                            "emulated bootloader",
                                            "dfu-1",
                                            "@Internal Flash  /0x08000000/04*032Kg,01*128Kg,03*256Kg",
                                            "@Option Bytes  /0x1FFF0000/01*032 e"};
static const char *const plain_strings[] = {"", "Atoll", "emulated bootloader", "dfu-1", "firmware", "model"};

#define GADGET(ids_vendor, ids_product, which, names, requests) \
  {.vendor = ids_vendor,                                        \
   .product = ids_product,                                      \
   .descriptors = which,                                        \
   .descriptor_bytes = sizeof which,                            \
   .strings = names,                                            \
   .string_count = 6,                                           \
   .control = requests}

static const usbfs_gadget dfuse_gadget = GADGET(0x0483, 0xdf11, dfuse_descriptors, dfuse_strings, control);
static const usbfs_gadget plain_gadget = GADGET(0x1209, 0xa702, plain_descriptors, plain_strings, control);

static int32_t runtime_control(const uint8_t setup[8], uint8_t *data, uint32_t length) {
  (void)length;
  const uint8_t status[6] = {OK, 0, 0, 0, APP_IDLE, 0};
  switch (setup[1]) {
    case DETACH:
      usbfs_become(&plain_gadget);
      return 0;
    case GETSTATUS:
      memcpy(data, status, sizeof status);
      return sizeof status;
    case SET_INTERFACE:
      return 0;
    default:
      return USBFS_STALL;
  }
}

static const usbfs_gadget runtime_gadget = GADGET(0x1209, 0xa701, runtime_descriptors, plain_strings, runtime_control);

int main(int argc, char **argv) {
  const char *kind = getenv("ATOLL_DFU"), *file = getenv("ATOLL_FLASH"), *failing = getenv("ATOLL_FAIL_AT"),
             *unplug = getenv("ATOLL_UNPLUG_AT");
  const usbfs_gadget *gadget = kind == NULL || strcmp(kind, "dfuse") == 0 ? &dfuse_gadget
                               : strcmp(kind, "dfu") == 0                 ? &plain_gadget
                                                                          : &runtime_gadget;
  if (argc < 2) {
    fputs("usage: umockdev-wrapper atoll-dfu COMMAND...\n", stderr);
    return 2;
  }
  dfu.dfuse = gadget == &dfuse_gadget;
  dfu.unplug_at = unplug == NULL ? 0 : (uint32_t)atoi(unplug);
  dfu.fail_at = failing == NULL ? 0 : (uint32_t)atoi(failing);
  // Initial content everywhere: writes without erasure fail, and bytes that must not change are distinguishable from
  // written ones.
  for (uint32_t i = 0; i < FLASH; i++) flash[i] = (uint8_t)(i * 7 + i / 1024);
  const int code = usbfs_run(gadget, argv + 1);
  FILE *out = file == NULL ? NULL : fopen(file, "wb");
  if (out != NULL) {
    fwrite(flash, 1, sizeof flash, out);
    fclose(out);
  }
  return code;
}
