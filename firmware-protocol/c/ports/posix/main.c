// The device side as a program: a pseudo-terminal (console lines), a TCP port (packets one after another) or a UDP port, a flash in a file. For
// tests, and as a template of a port: wire.c is the transport, flash_model.c the flash, this file the rest.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <fcntl.h>
#include <unistd.h>

#include "atoll/device.h"
#include "atoll_runtime.h"
#include "clock.h"
#include "flash_model.h"
#include "verify.h"
#include "wire.h"

static const char usage[] =
    "usage: atoll-device [--listen pty|tcp:PORT|udp:PORT] [--target ID] [--id ID] [--flash FILE]\n"
    "                    [--slot-bytes N] [--arena-bytes N] [--confirm-ms N] [--key FILE]...\n"
    "A key is a PEM file of a public key; with one, only signed models run.\n"
    "Answers until it is ended; prints the URI that reaches it. Without --flash its slots are empty at every start.\n";

static void reset(void *context) { *(bool *)context = true; }

/** The file as memory, filled up with blanks; anonymous memory without a file. */
static uint8_t *open_area(const char *path, size_t bytes) {
  const int fd = path == NULL ? -1 : open(path, O_RDWR | O_CREAT, 0644);
  if (path != NULL && fd < 0) return NULL;
  const off_t had = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
  if (fd >= 0 && had < (off_t)bytes && ftruncate(fd, (off_t)bytes) != 0) return NULL;
  uint8_t *area = mmap(NULL, bytes, PROT_READ | PROT_WRITE, fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, fd, 0);
  if (area == MAP_FAILED) return NULL;
  if (had < (off_t)bytes) memset(area + had, 0xff, bytes - (size_t)had);
  return area;
}

static uint32_t number(const char *text) {
  char *end;
  const unsigned long value = strtoul(text, &end, 0);
  if (*text == '\0' || *end != '\0' || value == 0 || value > 1u << 30) {
    fprintf(stderr, "not a size: %s\n", text);
    exit(2);
  }
  return (uint32_t)value;
}

int main(int argc, char **argv) {
  const char *where = "pty", *target = "qemu-mps2-an386", *id = "posix", *file = NULL;
  uint32_t slot_bytes = 1 << 20, arena_bytes = 1 << 20, confirm_ms = 0;
  bool has_key = false;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (strcmp(argv[i], "--listen") == 0) where = argv[i + 1];
    else if (strcmp(argv[i], "--target") == 0) target = argv[i + 1];
    else if (strcmp(argv[i], "--id") == 0) id = argv[i + 1];
    else if (strcmp(argv[i], "--flash") == 0) file = argv[i + 1];
    else if (strcmp(argv[i], "--slot-bytes") == 0) slot_bytes = number(argv[i + 1]);
    else if (strcmp(argv[i], "--arena-bytes") == 0) arena_bytes = number(argv[i + 1]);
    else if (strcmp(argv[i], "--confirm-ms") == 0) confirm_ms = number(argv[i + 1]);
    else if (strcmp(argv[i], "--key") == 0) {
      if (!verify_trust(argv[i + 1])) {
        fprintf(stderr, "no public key in %s, or built without OpenSSL\n", argv[i + 1]);
        return 1;
      }
      has_key = true;
    } else argc = 0;
  }
  if (argc % 2 == 0) {
    fputs(usage, stderr);
    return 2;
  }
  enum { SECTOR = 4096, UNIT = 16 };
  slot_bytes = (slot_bytes + SECTOR - 1) / SECTOR * SECTOR;
  const size_t area_bytes = 2 * (size_t)slot_bytes + 2 * SECTOR;
  uint8_t *area = open_area(file, area_bytes);
  bool *written = calloc(area_bytes / UNIT, sizeof *written);
  uint8_t *arena = aligned_alloc(16, (arena_bytes + 15) / 16 * 16);
  wire *line = wire_open(where);
  if (area == NULL || written == NULL || arena == NULL || line == NULL) {
    perror("atoll-device");
    return 1;
  }

  static atoll_flash_model model;
  static atoll_runtime runtime;
  static atoll_device device;
  static uint8_t packet[ATOLL_PACKET_BYTES], answer[ATOLL_PACKET_BYTES];
  bool wants_reset = false;
  atoll_inference inference;
  const atoll_system system = {.context = &wants_reset,
                               .id = id,
                               .target = target,
                               .firmware = "atoll-device posix",
                               .tick_hz = 1000000,
                               .ticks = posix_microseconds,
                               .now_ms = posix_milliseconds,
                               .reset = reset,
                               .confirm_ms = confirm_ms,
                               .verify = has_key ? verify_signature : NULL};
  atoll_flash_model_init(&model, area, written, slot_bytes, SECTOR, UNIT);
  atoll_runtime_init(&runtime, arena, (arena_bytes + 15) / 16 * 16, posix_microseconds, NULL, &inference);
  if (!atoll_device_boot(&device, &system, &model.flash, &inference)) return 1;
  printf("{\"uri\": \"%s\", \"pid\": %ld}\n", wire_uri(line), (long)getpid());
  fflush(stdout);
  for (;;) {
    const uint32_t length = wire_receive(line, packet, 100);
    if (length > 0) wire_send(line, answer, atoll_device_answer(&device, packet, length, answer));
    atoll_device_poll(&device);
    if (!wants_reset) continue;
    wants_reset = false;
    const uint32_t resets = device.counters.resets;
    if (!atoll_device_boot(&device, &system, &model.flash, &inference)) return 1;
    device.counters.resets = resets + 1;
  }
}
