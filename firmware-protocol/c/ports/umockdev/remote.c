// An emulated USB device implemented by another process, over the socket ATOLL_USB_SOCKET. Run as
//   umockdev-wrapper build/atoll-usb-remote COMMAND...
// A request consists of its kind (a byte), the endpoint (a byte), two bytes of 0, a 32-bit length, the 8 bytes of a
// setup packet, and the data for the device. A response consists of a 32-bit length (negative: USBFS_STALL,
// USBFS_NOTHING, or one of the values below) and the data from the device. All numbers are little-endian.
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "usbfs.h"

enum { DESCRIBE = 'd', CONTROL = 'c', OUT = 'o', INPUT = 'i', RESET = 'r' };
/** Results in addition to those of usbfs.h: the device was unplugged, or became another one. */
enum { UNPLUGGED = -3, CHANGED = -4 };
enum { HEADER = 16, SETUP_AT = 8, LARGEST_DESCRIPTION = 4096, IDS = 8, DEVICE_IN = 0x80 };

static int line;
static usbfs_gadget gadgets[2];
static uint8_t descriptions[2][LARGEST_DESCRIPTION];
static unsigned current;

static void put_u32(uint8_t *at, uint32_t value) {
  for (unsigned i = 0; i < 4; i++) at[i] = (uint8_t)(value >> (8 * i));
}

static uint32_t get_u32(const uint8_t *at) {
  return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static void all_out(const uint8_t *bytes, size_t length) {
  while (length > 0) {
    const ssize_t sent = write(line, bytes, length);
    if (sent <= 0) {
      fprintf(stderr, "remote: the other process is gone\n");
      _exit(1);
    }
    bytes += sent;
    length -= (size_t)sent;
  }
}

static void all_in(uint8_t *bytes, size_t length) {
  while (length > 0) {
    const ssize_t got = read(line, bytes, length);
    if (got <= 0) {
      fprintf(stderr, "remote: the other process is gone\n");
      _exit(1);
    }
    bytes += got;
    length -= (size_t)got;
  }
}

/** @param out data for the device; NULL if `length` is the room for data from it */
static int32_t ask(uint8_t kind, uint8_t endpoint, const uint8_t *setup, const uint8_t *out, uint32_t length,
                   uint8_t *in) {
  uint8_t header[HEADER] = {kind, endpoint};
  put_u32(header + 4, length);
  if (setup != NULL) memcpy(header + SETUP_AT, setup, HEADER - SETUP_AT);
  all_out(header, sizeof header);
  if (out != NULL) all_out(out, length);
  uint8_t answer[4];
  all_in(answer, sizeof answer);
  const int32_t status = (int32_t)get_u32(answer);
  if (status == UNPLUGGED) usbfs_unplug();
  if (in != NULL && status > 0) {
    if ((uint32_t)status > length) {
      fprintf(stderr, "remote: an answer of %d bytes, there is room for %u\n", (int)status, (unsigned)length);
      _exit(1);
    }
    all_in(in, (size_t)status);
  }
  return status;
}

static int32_t control(const uint8_t setup[8], uint8_t *data, uint32_t length) {
  const bool in = (setup[0] & DEVICE_IN) != 0;
  return ask(CONTROL, 0, setup, in ? NULL : data, length, in ? data : NULL);
}

static int32_t take_out(uint8_t endpoint, const uint8_t *bytes, uint32_t length) {
  return ask(OUT, endpoint, NULL, bytes, length, NULL);
}

static int32_t give_in(uint8_t endpoint, uint8_t *bytes, uint32_t room) {
  return ask(INPUT, endpoint, NULL, NULL, room, bytes);
}

static void reset(void);

/** The current device: its ids, speed and descriptors. */
static const usbfs_gadget *describe(void) {
  current ^= 1;
  uint8_t *bytes = descriptions[current];
  const int32_t length = ask(DESCRIBE, 0, NULL, NULL, LARGEST_DESCRIPTION, bytes);
  if (length <= IDS) {
    fprintf(stderr, "remote: no description\n");
    _exit(1);
  }
  gadgets[current] = (usbfs_gadget){
      .vendor = (uint16_t)(bytes[0] | bytes[1] << 8),
      .product = (uint16_t)(bytes[2] | bytes[3] << 8),
      .speed = get_u32(bytes + 4),
      .descriptors = bytes + IDS,
      .descriptor_bytes = (size_t)length - IDS,
      .control = control,
      .take_out = take_out,
      .give_in = give_in,
      .reset = reset,
  };
  return &gadgets[current];
}

static void reset(void) {
  if (ask(RESET, 0, NULL, NULL, 0, NULL) == CHANGED) usbfs_become(describe());
}

int main(int argc, char **argv) {
  const char *path = getenv("ATOLL_USB_SOCKET");
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (argc < 2 || path == NULL || strlen(path) >= sizeof address.sun_path) {
    fprintf(stderr, "usage: ATOLL_USB_SOCKET=PATH umockdev-wrapper %s COMMAND...\n", argv[0]);
    return 2;
  }
  strcpy(address.sun_path, path);
  line = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (line < 0 || connect(line, (const struct sockaddr *)&address, sizeof address) != 0) {
    perror(path);
    return 1;
  }
  return usbfs_run(describe(), argv + 1);
}
