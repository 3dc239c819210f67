#include "cbor.h"

#include <stddef.h>
#include <string.h>

enum {
  MAJOR_UINT = 0, MAJOR_NEGATIVE = 1, MAJOR_BYTES = 2, MAJOR_TEXT = 3, MAJOR_ARRAY = 4, MAJOR_MAP = 5, MAJOR_TAG = 6,
  MAJOR_SIMPLE = 7
};
enum { BREAK = 0xff, DEPTH = 8 };
/** The argument of an array, map or string of indefinite length. */
static const uint64_t indefinite = UINT64_MAX;

/** The head of a value: its major type and argument. */
static bool read_head(atoll_reader *reader, uint8_t *major, uint64_t *argument) {
  if (reader->at >= reader->end) return false;
  const uint8_t first = *reader->at;
  const uint8_t info = first & 31;
  *major = first >> 5;
  const uint8_t *at = reader->at + 1;
  if (info < 24) *argument = info;
  else if (info < 28) {
    const uint32_t width = 1u << (info - 24);
    if ((uint32_t)(reader->end - at) < width) return false;
    uint64_t value = 0;
    for (uint32_t i = 0; i < width; i++) value = (value << 8) | *at++;
    *argument = value;
  } else if (info == 31 && *major >= MAJOR_BYTES && *major <= MAJOR_MAP) *argument = indefinite;
  else return false;
  reader->at = at;
  return true;
}

static bool read_of(atoll_reader *reader, uint8_t wanted, uint64_t *argument) {
  atoll_reader ahead = *reader;
  uint8_t major;
  if (!read_head(&ahead, &major, argument) || major != wanted) return false;
  *reader = ahead;
  return true;
}

bool atoll_read_uint(atoll_reader *reader, uint32_t *value) {
  atoll_reader ahead = *reader;
  uint64_t argument;
  if (!read_of(&ahead, MAJOR_UINT, &argument) || argument > UINT32_MAX) return false;
  *value = (uint32_t)argument;
  *reader = ahead;
  return true;
}

bool atoll_read_bool(atoll_reader *reader, bool *value) {
  if (reader->at >= reader->end || (*reader->at != 0xf4 && *reader->at != 0xf5)) return false;
  *value = *reader->at++ == 0xf5;
  return true;
}

static bool read_string(atoll_reader *reader, uint8_t major, atoll_bytes *string) {
  atoll_reader ahead = *reader;
  uint64_t length;
  if (!read_of(&ahead, major, &length) || length > (uint64_t)(ahead.end - ahead.at)) return false;
  *string = (atoll_bytes){ahead.at, (uint32_t)length};
  reader->at = ahead.at + length;
  return true;
}

bool atoll_read_text(atoll_reader *reader, atoll_bytes *text) { return read_string(reader, MAJOR_TEXT, text); }

bool atoll_read_bytes(atoll_reader *reader, atoll_bytes *bytes) { return read_string(reader, MAJOR_BYTES, bytes); }

static bool read_container(atoll_reader *reader, uint8_t major, uint32_t *count) {
  atoll_reader ahead = *reader;
  uint64_t argument;
  if (!read_of(&ahead, major, &argument)) return false;
  // Every entry takes at least one byte.
  if (argument != indefinite && argument > (uint64_t)(ahead.end - ahead.at)) return false;
  *count = argument == indefinite ? UINT32_MAX : (uint32_t)argument;
  *reader = ahead;
  return true;
}

bool atoll_read_array(atoll_reader *reader, uint32_t *count) { return read_container(reader, MAJOR_ARRAY, count); }

bool atoll_read_map(atoll_reader *reader, uint32_t *entries) { return read_container(reader, MAJOR_MAP, entries); }

bool atoll_at_break(const atoll_reader *reader) { return reader->at < reader->end && *reader->at == BREAK; }

bool atoll_skip(atoll_reader *reader) {
  atoll_reader ahead = *reader;
  // Number of values left in each open container; an indefinite one ends with a break.
  uint64_t left[DEPTH];
  int depth = 0;
  do {
    if (depth > 0 && left[depth - 1] == indefinite && atoll_at_break(&ahead)) {
      ahead.at++;
      depth--;
    } else {
      uint8_t major;
      uint64_t argument;
      if (!read_head(&ahead, &major, &argument)) return false;
      if (depth > 0 && left[depth - 1] != indefinite) left[depth - 1]--;
      if (major == MAJOR_BYTES || major == MAJOR_TEXT) {
        if (argument > (uint64_t)(ahead.end - ahead.at)) return false;
        ahead.at += argument;
      } else if (major == MAJOR_ARRAY || major == MAJOR_MAP || major == MAJOR_TAG) {
        if (depth == DEPTH) return false;
        if (major == MAJOR_TAG) argument = 1;
        if (argument != indefinite) {
          if (argument > (uint64_t)(ahead.end - ahead.at)) return false;
          if (major == MAJOR_MAP) argument *= 2;
        }
        left[depth++] = argument;
      }
    }
    while (depth > 0 && left[depth - 1] == 0) depth--;
  } while (depth > 0);
  *reader = ahead;
  return true;
}

bool atoll_map_find(atoll_bytes map, const char *key, atoll_reader *value) {
  atoll_reader reader = {map.at, map.at + map.length};
  uint32_t entries;
  if (!read_container(&reader, MAJOR_MAP, &entries)) return false;
  for (uint32_t i = 0; i < entries; i++) {
    if (entries == UINT32_MAX && atoll_at_break(&reader)) return false;
    atoll_bytes name;
    bool found = false;
    if (atoll_read_text(&reader, &name)) found = atoll_text_is(name, key);
    else if (!atoll_skip(&reader)) return false;
    if (found) {
      *value = reader;
      return true;
    }
    if (!atoll_skip(&reader)) return false;
  }
  return false;
}

bool atoll_is_map(atoll_bytes bytes) {
  atoll_reader reader = {bytes.at, bytes.at + bytes.length};
  return bytes.length > 0 && bytes.at[0] >> 5 == MAJOR_MAP && atoll_skip(&reader) && reader.at == reader.end;
}

/** Length of the shortest head with this argument. */
static uint32_t head_bytes(uint64_t argument) {
  return argument < 24 ? 1 : argument < 0x100 ? 2 : argument < 0x10000 ? 3 : argument <= UINT32_MAX ? 5 : 9;
}

bool atoll_is_deterministic(atoll_bytes bytes) {
  atoll_reader reader = {bytes.at, bytes.at + bytes.length};
  // Lengths are definite, so nesting needs no stack: the number of remaining values is sufficient.
  for (uint64_t values = 1; values > 0; values--) {
    const uint8_t *head = reader.at;
    uint8_t major;
    uint64_t argument;
    if (!read_head(&reader, &major, &argument) || major == MAJOR_TAG ||
        (uint32_t)(reader.at - head) != head_bytes(argument))
      return false;
    if (major < MAJOR_BYTES || major > MAJOR_MAP) continue;
    if (argument > (uint64_t)(reader.end - reader.at)) return false;
    if (major == MAJOR_ARRAY) values += argument;
    else if (major == MAJOR_MAP) values += 2 * argument;
    else reader.at += argument;
  }
  return reader.at == reader.end;
}

bool atoll_map_uint(atoll_bytes map, const char *key, uint32_t *value) {
  atoll_reader reader;
  return atoll_map_find(map, key, &reader) && atoll_read_uint(&reader, value);
}

bool atoll_map_bool(atoll_bytes map, const char *key, bool *value) {
  atoll_reader reader;
  return atoll_map_find(map, key, &reader) && atoll_read_bool(&reader, value);
}

bool atoll_map_text(atoll_bytes map, const char *key, atoll_bytes *text) {
  atoll_reader reader;
  return atoll_map_find(map, key, &reader) && atoll_read_text(&reader, text);
}

bool atoll_map_bytes(atoll_bytes map, const char *key, atoll_bytes *bytes) {
  atoll_reader reader;
  return atoll_map_find(map, key, &reader) && atoll_read_bytes(&reader, bytes);
}

bool atoll_text_is(atoll_bytes text, const char *expected) {
  return text.length == strlen(expected) && memcmp(text.at, expected, text.length) == 0;
}

static void put_head(atoll_writer *writer, uint8_t major, uint64_t argument) {
  uint8_t head[9] = {(uint8_t)(major << 5)};
  uint32_t length = 1;
  if (argument < 24) head[0] |= (uint8_t)argument;
  else {
    const uint32_t width = head_bytes(argument) - 1;
    head[0] |= (uint8_t)(width == 1 ? 24 : width == 2 ? 25 : width == 4 ? 26 : 27);
    for (uint32_t i = width; i > 0; i--) head[length++] = (uint8_t)(argument >> (8 * (i - 1)));
  }
  if (writer->full || (uint32_t)(writer->end - writer->at) < length) {
    writer->full = true;
    return;
  }
  memcpy(writer->at, head, length);
  writer->at += length;
}

void atoll_put_map(atoll_writer *writer, uint32_t entries) { put_head(writer, MAJOR_MAP, entries); }

void atoll_put_array(atoll_writer *writer, uint32_t entries) { put_head(writer, MAJOR_ARRAY, entries); }

void atoll_put_uint(atoll_writer *writer, uint32_t value) { put_head(writer, MAJOR_UINT, value); }

void atoll_put_uint64(atoll_writer *writer, uint64_t value) { put_head(writer, MAJOR_UINT, value); }

void atoll_put_bool(atoll_writer *writer, bool value) { put_head(writer, MAJOR_SIMPLE, value ? 21 : 20); }

static uint8_t *put_string_room(atoll_writer *writer, uint8_t major, uint32_t length) {
  put_head(writer, major, length);
  if (writer->full || (uint32_t)(writer->end - writer->at) < length) {
    writer->full = true;
    return NULL;
  }
  uint8_t *room = writer->at;
  writer->at += length;
  return room;
}

static void put_string(atoll_writer *writer, uint8_t major, const void *bytes, uint32_t length) {
  uint8_t *room = put_string_room(writer, major, length);
  if (room != NULL && length > 0) memcpy(room, bytes, length);
}

void atoll_put_text(atoll_writer *writer, const char *text) {
  put_string(writer, MAJOR_TEXT, text, (uint32_t)strlen(text));
}

void atoll_put_text_bytes(atoll_writer *writer, atoll_bytes text) {
  put_string(writer, MAJOR_TEXT, text.at, text.length);
}

void atoll_put_bytes(atoll_writer *writer, const uint8_t *bytes, uint32_t length) {
  put_string(writer, MAJOR_BYTES, bytes, length);
}

uint8_t *atoll_put_bytes_room(atoll_writer *writer, uint32_t length) {
  return put_string_room(writer, MAJOR_BYTES, length);
}

void atoll_put_bytes_head(atoll_writer *writer, uint32_t length) { put_head(writer, MAJOR_BYTES, length); }

void atoll_put_key_uint(atoll_writer *writer, const char *key, uint32_t value) {
  atoll_put_text(writer, key);
  atoll_put_uint(writer, value);
}

void atoll_put_key_bool(atoll_writer *writer, const char *key, bool value) {
  atoll_put_text(writer, key);
  atoll_put_bool(writer, value);
}

void atoll_put_key_text(atoll_writer *writer, const char *key, const char *text) {
  atoll_put_text(writer, key);
  atoll_put_text(writer, text);
}

void atoll_put_key_bytes(atoll_writer *writer, const char *key, const uint8_t *bytes, uint32_t length) {
  atoll_put_text(writer, key);
  atoll_put_bytes(writer, bytes, length);
}
