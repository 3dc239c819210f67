#define _GNU_SOURCE
#include "board.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "atoll_runtime.h"
#include "clock.h"
#include "flash_model.h"
#include "verify.h"

enum { SECTOR = 4096, UNIT = 16 };

const char posix_board_options[] =
    "[--target ID] [--id ID] [--flash FILE] [--slot-bytes N] [--arena-bytes N] [--confirm-ms N] [--key FILE]...\n"
    "A key is a PEM file of a public key; with one, only signed models run. Without --flash its slots are empty at "
    "every start.\n";

static atoll_flash_model model;
static atoll_runtime runtime;

static void reset(void *context) { *(bool *)context = true; }

void posix_board_init(posix_board *board) {
  *board = (posix_board){.target = "qemu-mps2-an386", .id = "posix", .slot_bytes = 1 << 20, .arena_bytes = 1 << 20};
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

bool posix_board_option(posix_board *board, const char *name, const char *value) {
  if (strcmp(name, "--target") == 0) board->target = value;
  else if (strcmp(name, "--id") == 0) board->id = value;
  else if (strcmp(name, "--flash") == 0) board->file = value;
  else if (strcmp(name, "--slot-bytes") == 0) board->slot_bytes = number(value);
  else if (strcmp(name, "--arena-bytes") == 0) board->arena_bytes = number(value);
  else if (strcmp(name, "--confirm-ms") == 0) board->confirm_ms = number(value);
  else if (strcmp(name, "--key") == 0) {
    if (!verify_trust(value)) {
      fprintf(stderr, "no public key in %s, or built without OpenSSL\n", value);
      exit(1);
    }
    board->has_key = true;
  } else return false;
  return true;
}

/** The file mapped into memory and padded with blank bytes; without a file, anonymous memory. */
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

bool posix_board_start(posix_board *board) {
  const uint32_t slot_bytes = (board->slot_bytes + SECTOR - 1) / SECTOR * SECTOR;
  const uint32_t arena_bytes = (board->arena_bytes + 15) / 16 * 16;
  const size_t area_bytes = 2 * (size_t)slot_bytes + 2 * SECTOR;
  uint8_t *area = open_area(board->file, area_bytes);
  bool *written = calloc(area_bytes / UNIT, sizeof *written);
  uint8_t *arena = aligned_alloc(16, arena_bytes);
  if (area == NULL || written == NULL || arena == NULL) return false;
  board->system = (atoll_system){.context = &board->wants_reset,
                                 .id = board->id,
                                 .target = board->target,
                                 .firmware = "atoll-device posix",
                                 .tick_hz = 1000000,
                                 .ticks = posix_microseconds,
                                 .now_ms = posix_milliseconds,
                                 .reset = reset,
                                 .confirm_ms = board->confirm_ms,
                                 .verify = board->has_key ? verify_signature : NULL};
  atoll_flash_model_init(&model, area, written, slot_bytes, SECTOR, UNIT);
  board->flash = &model.flash;
  atoll_runtime_init(&runtime, arena, arena_bytes, posix_microseconds, NULL, &board->inference);
  return atoll_device_boot(&board->device, &board->system, board->flash, &board->inference);
}

bool posix_board_poll(posix_board *board) {
  atoll_device_poll(&board->device);
  if (!board->wants_reset) return false;
  board->wants_reset = false;
  const uint32_t resets = board->device.counters.resets;
  if (!atoll_device_boot(&board->device, &board->system, board->flash, &board->inference)) exit(1);
  board->device.counters.resets = resets + 1;
  return true;
}
