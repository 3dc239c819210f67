// SMP's console framing on the device, byte by byte.
#ifndef ATOLL_CONSOLE_H
#define ATOLL_CONSOLE_H

#include <stdbool.h>
#include <stdint.h>

#include "atoll/config.h"

typedef struct atoll_console {
  enum { ATOLL_CONSOLE_TEXT, ATOLL_CONSOLE_MARKER, ATOLL_CONSOLE_FRAME } state;
  uint8_t marker;
  /** Four base64 characters. */
  uint8_t letters[4];
  uint8_t letter_count;
  /** After padding, the line must end. */
  bool padded;
  /** Length, packet, CRC; 0 bytes outside of a frame. */
  uint32_t bytes;
  uint8_t frame[2 + ATOLL_PACKET_BYTES + 2];
  /** Number of dropped frames. */
  uint32_t damaged;
} atoll_console;

/** Processes a byte from the line. @return length of the packet that it completes, at frame + 2; otherwise 0 */
uint32_t atoll_console_take(atoll_console *console, uint8_t byte);

/** Sends a packet, byte by byte. */
void atoll_console_send(const uint8_t *packet, uint32_t length, void (*put)(void *context, uint8_t byte),
                        void *context);

#endif
