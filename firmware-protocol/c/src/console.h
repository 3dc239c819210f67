// SMP's console framing, as firmware receives and sends it, byte by byte.
#ifndef ATOLL_CONSOLE_H
#define ATOLL_CONSOLE_H

#include <stdbool.h>
#include <stdint.h>

#include "atoll/config.h"

typedef struct atoll_console {
  enum { ATOLL_CONSOLE_TEXT, ATOLL_CONSOLE_MARKER, ATOLL_CONSOLE_FRAME } state;
  uint8_t marker;
  /** Four letters of base64 at a time. */
  uint8_t letters[4];
  uint8_t letter_count;
  /** Padding has been seen: the line must end. */
  bool padded;
  /** Length, packet, CRC; 0 bytes where no frame is under way. */
  uint32_t bytes;
  uint8_t frame[2 + ATOLL_PACKET_BYTES + 2];
  /** Frames that were dropped. */
  uint32_t damaged;
} atoll_console;

/** Takes a byte from the line. @return length of the packet that it completes, which lies at frame + 2; else 0 */
uint32_t atoll_console_take(atoll_console *console, uint8_t byte);

/** Sends a packet, byte by byte. */
void atoll_console_send(const uint8_t *packet, uint32_t length, void (*put)(void *context, uint8_t byte), void *context);

#endif
