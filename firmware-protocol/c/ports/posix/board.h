// What the programs of this machine have in common: their options, a flash in a file, the runtime, the device.
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
/** Takes an option and its value. @return false where it is none of these; ends the program where its value is wrong */
bool posix_board_option(posix_board *board, const char *name, const char *value);
/** Sets up what the options say, and boots. @return false, with errno or a message, where that fails */
bool posix_board_start(posix_board *board);
/** To be called after every answer: resets where that was asked for. @return whether it has started anew */
bool posix_board_poll(posix_board *board);

#endif
