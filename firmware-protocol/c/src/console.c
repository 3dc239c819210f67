#include "console.h"

#include "bytes.h"
#include "crc.h"

enum { FIRST_1 = 0x06, FIRST_2 = 0x09, NEXT_1 = 0x04, NEXT_2 = 0x14, LINE_END = 0x0a, RAW_BYTES_PER_LINE = 93 };

static void drop(atoll_console *console) {
  if (console->bytes > 0) console->damaged++;
  console->bytes = 0;
  console->state = ATOLL_CONSOLE_TEXT;
}

/** @return 64 for a character that is not base64 */
static uint8_t value_of(uint8_t letter) {
  if (letter >= 'A' && letter <= 'Z') return (uint8_t)(letter - 'A');
  if (letter >= 'a' && letter <= 'z') return (uint8_t)(letter - 'a' + 26);
  if (letter >= '0' && letter <= '9') return (uint8_t)(letter - '0' + 52);
  return letter == '+' ? 62 : letter == '/' ? 63 : 64;
}

/** Decodes four characters. @return false if they are not base64 or do not fit */
static bool take_quad(atoll_console *console) {
  const uint8_t *l = console->letters;
  const uint32_t padding = l[3] != '=' ? 0 : l[2] != '=' ? 1 : 2;
  uint32_t bits = 0;
  for (uint32_t i = 0; i < 4; i++) {
    const uint8_t value = i < 4 - padding ? value_of(l[i]) : 0;
    if (value > 63) return false;
    bits = (bits << 6) | value;
  }
  if (console->padded || console->bytes + 3 - padding > sizeof console->frame) return false;
  for (uint32_t i = 0; i < 3 - padding; i++) console->frame[console->bytes++] = (uint8_t)(bits >> (16 - 8 * i));
  console->letter_count = 0;
  console->padded = padding > 0;
  return true;
}

/** @return length of the packet, if the frame is complete and its CRC is right */
static uint32_t end_of_line(atoll_console *console) {
  if (console->letter_count > 0 || console->bytes < 2) {
    drop(console);
    return 0;
  }
  console->state = ATOLL_CONSOLE_TEXT;
  const uint32_t length = atoll_be16(console->frame);
  if (length < 2 || console->bytes > 2 + length || 2 + length > sizeof console->frame) drop(console);
  else if (console->bytes == 2 + length) {
    // The CRC over the packet and its CRC is 0.
    if (atoll_crc16(0, console->frame + 2, length) == 0) {
      console->bytes = 0;
      return length - 2;
    }
    drop(console);
  }
  return 0;
}

uint32_t atoll_console_take(atoll_console *console, uint8_t byte) {
  // Neither text nor base64 contains these two bytes: they always start a line.
  if (byte == FIRST_1 || byte == NEXT_1) {
    if (console->state == ATOLL_CONSOLE_FRAME) drop(console);
    console->marker = byte;
    console->state = ATOLL_CONSOLE_MARKER;
    return 0;
  }
  switch (console->state) {
    case ATOLL_CONSOLE_MARKER: {
      const bool first = console->marker == FIRST_1 && byte == FIRST_2;
      const bool next = console->marker == NEXT_1 && byte == NEXT_2 && console->bytes > 0;
      if (first && console->bytes > 0) drop(console);
      console->state = first || next ? ATOLL_CONSOLE_FRAME : ATOLL_CONSOLE_TEXT;
      console->letter_count = 0;
      console->padded = false;
      return 0;
    }
    case ATOLL_CONSOLE_FRAME:
      if (byte == LINE_END) return end_of_line(console);
      if (byte == '\r') return 0;
      console->letters[console->letter_count++] = byte;
      if (console->letter_count == 4 && !take_quad(console)) drop(console);
      return 0;
    default:
      return 0;
  }
}

void atoll_console_send(const uint8_t *packet, uint32_t length, void (*put)(void *context, uint8_t byte),
                        void *context) {
  static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  uint8_t head[2], tail[2];
  atoll_put_be16(head, length + 2);
  atoll_put_be16(tail, atoll_crc16(0, packet, length));
  const uint32_t total = length + 4;
  for (uint32_t line = 0; line < total; line += RAW_BYTES_PER_LINE) {
    put(context, line == 0 ? FIRST_1 : NEXT_1);
    put(context, line == 0 ? FIRST_2 : NEXT_2);
    const uint32_t end = total - line < RAW_BYTES_PER_LINE ? total : line + RAW_BYTES_PER_LINE;
    for (uint32_t at = line; at < end; at += 3) {
      uint32_t bits = 0;
      for (uint32_t i = at; i < at + 3; i++) {
        const uint8_t byte = i >= end ? 0 : i < 2 ? head[i] : i < 2 + length ? packet[i - 2] : tail[i - 2 - length];
        bits = (bits << 8) | byte;
      }
      for (uint32_t i = 0; i < 4; i++)
        put(context, i <= end - at ? (uint8_t)letters[(bits >> (18 - 6 * i)) & 63] : '=');
    }
    put(context, LINE_END);
  }
}
