// Shared by the programs for POSIX: their options, a flash in a file, the runtime, the device.
#ifndef ATOLL_POSIX_BOARD_H
#define ATOLL_POSIX_BOARD_H

#include "atoll/device.h"

typedef struct posix_board {
  const char *target, *id, *file;
  uint32_t slot_bytes, arena_bytes, confirm_ms;
  bool has_key, wants_reset;
  atoll_system system;
  atoll_inference inference;
  const atoll_flash *flash;
  atoll_device device;
} posix_board;

/** The options of posix_board_option, for a usage message. */
extern const char posix_board_options[];

void posix_board_init(posix_board *board);
/** Processes an option and its value. @return false if the option is unknown; exits if its value is invalid */
bool posix_board_option(posix_board *board, const char *name, const char *value);
/** Applies the options and boots. @return false on failure, with errno or a message */
bool posix_board_start(posix_board *board);
/** To be called after every response: performs a requested reset. @return whether the board was restarted */
bool posix_board_poll(posix_board *board);

#endif
