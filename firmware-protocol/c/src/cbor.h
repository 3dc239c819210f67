// The part of CBOR (RFC 8949) that SMP uses. Readers stay within their bytes for any input, and never recurse.
#ifndef ATOLL_CBOR_H
#define ATOLL_CBOR_H

#include <stdbool.h>
#include <stdint.h>

typedef struct atoll_bytes {
  const uint8_t *at;
  uint32_t length;
} atoll_bytes;

/** The rest of an encoded sequence. */
typedef struct atoll_reader {
  const uint8_t *at, *end;
} atoll_reader;

/** The value of a key in the encoded map. @return false if the key is absent, or the map is invalid */
bool atoll_map_find(atoll_bytes map, const char *key, atoll_reader *value);
/** Whether the bytes are exactly one map. */
bool atoll_is_map(atoll_bytes bytes);
/**
 * Whether the bytes are exactly one value, with the shortest heads, definite lengths and no tags (RFC 8949, 4.2.1,
 * except for the order of keys).
 */
bool atoll_is_deterministic(atoll_bytes bytes);

/** Each reads one value. @return false, without moving the reader, for a value of another type */
bool atoll_read_uint(atoll_reader *reader, uint32_t *value);
bool atoll_read_bool(atoll_reader *reader, bool *value);
bool atoll_read_text(atoll_reader *reader, atoll_bytes *text);
bool atoll_read_bytes(atoll_reader *reader, atoll_bytes *bytes);
/** @param count UINT32_MAX for an array of indefinite length; atoll_at_break detects its end */
bool atoll_read_array(atoll_reader *reader, uint32_t *count);
bool atoll_at_break(const atoll_reader *reader);
/** @param entries UINT32_MAX for a map of indefinite length */
bool atoll_read_map(atoll_reader *reader, uint32_t *entries);
/** Skips any value, nested up to a depth of 8. */
bool atoll_skip(atoll_reader *reader);

/** A value of a key in one step. @return false if it is absent or of another type */
bool atoll_map_uint(atoll_bytes map, const char *key, uint32_t *value);
bool atoll_map_bool(atoll_bytes map, const char *key, bool *value);
bool atoll_map_text(atoll_bytes map, const char *key, atoll_bytes *text);
bool atoll_map_bytes(atoll_bytes map, const char *key, atoll_bytes *bytes);

bool atoll_text_is(atoll_bytes text, const char *expected);

/** Writes values one after another; if one does not fit, `full` becomes true, and nothing more is written. */
typedef struct atoll_writer {
  uint8_t *at, *end;
  bool full;
} atoll_writer;

void atoll_put_map(atoll_writer *writer, uint32_t entries);
void atoll_put_array(atoll_writer *writer, uint32_t entries);
void atoll_put_uint(atoll_writer *writer, uint32_t value);
void atoll_put_uint64(atoll_writer *writer, uint64_t value);
void atoll_put_bool(atoll_writer *writer, bool value);
void atoll_put_text(atoll_writer *writer, const char *text);
void atoll_put_text_bytes(atoll_writer *writer, atoll_bytes text);
void atoll_put_bytes(atoll_writer *writer, const uint8_t *bytes, uint32_t length);
/** The head of a byte string; the caller writes the bytes to the returned address. @return NULL if they do not fit */
uint8_t *atoll_put_bytes_room(atoll_writer *writer, uint32_t length);
/** Only the head of a byte string. */
void atoll_put_bytes_head(atoll_writer *writer, uint32_t length);
/** A key and its value. */
void atoll_put_key_uint(atoll_writer *writer, const char *key, uint32_t value);
void atoll_put_key_bool(atoll_writer *writer, const char *key, bool value);
void atoll_put_key_text(atoll_writer *writer, const char *key, const char *text);
void atoll_put_key_bytes(atoll_writer *writer, const char *key, const uint8_t *bytes, uint32_t length);

#endif
