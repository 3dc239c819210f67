// Raw deflate (RFC 1951) of a block whose compressed and inflated bytes are both in memory: no separate window.
#include "inflate.h"

#include <string.h>

enum { LENGTH_BITS = 15, LITERALS = 288, DISTANCES = 30, CODE_LENGTHS = 19, END_OF_BLOCK = 256 };

typedef struct source {
  const uint8_t *at, *end;
  uint32_t bits, count;
  bool ended;
} source;

/** A Huffman code: the number of codes of each length, and the symbols in the order of their codes. */
typedef struct code {
  uint16_t counts[LENGTH_BITS + 1];
  uint16_t symbols[LITERALS];
} code;

static uint32_t take(source *from, uint32_t count) {
  while (from->count < count) {
    if (from->at == from->end) {
      from->ended = true;
      return 0;
    }
    from->bits |= (uint32_t)*from->at++ << from->count;
    from->count += 8;
  }
  const uint32_t value = from->bits & ((1u << count) - 1);
  from->bits >>= count;
  from->count -= count;
  return value;
}

/** @return false if the lengths are not a prefix code */
static bool make(code *made, const uint8_t *lengths, uint32_t symbols) {
  memset(made->counts, 0, sizeof made->counts);
  for (uint32_t s = 0; s < symbols; s++) made->counts[lengths[s]]++;
  made->counts[0] = 0;
  int32_t left = 1;
  uint16_t offsets[LENGTH_BITS + 1];
  offsets[1] = 0;
  for (uint32_t length = 1; length <= LENGTH_BITS; length++) {
    left = 2 * left - made->counts[length];
    if (left < 0) return false;
    if (length < LENGTH_BITS) offsets[length + 1] = (uint16_t)(offsets[length] + made->counts[length]);
  }
  for (uint32_t s = 0; s < symbols; s++)
    if (lengths[s] != 0) made->symbols[offsets[lengths[s]]++] = (uint16_t)s;
  return true;
}

/** @return UINT32_MAX if the bits are not a code */
static uint32_t decode(source *from, const code *with) {
  uint32_t value = 0, first = 0, index = 0;
  for (uint32_t length = 1; length <= LENGTH_BITS; length++) {
    value |= take(from, 1);
    if (from->ended) return UINT32_MAX;
    const uint32_t count = with->counts[length];
    if (value < first + count) return with->symbols[index + (value - first)];
    index += count;
    first = (first + count) << 1;
    value <<= 1;
  }
  return UINT32_MAX;
}

/** Base and extra bits of a length or distance symbol, following the pattern of both tables of the RFC. */
static uint32_t ranged(source *from, uint32_t symbol, uint32_t steps_per_bit, uint32_t first) {
  if (symbol < 2 * steps_per_bit) return first + symbol;
  const uint32_t extra = symbol / steps_per_bit - 1;
  const uint32_t base = (steps_per_bit + symbol % steps_per_bit) << extra;
  return first + base + take(from, extra);
}

static bool inflate_codes(source *from, const code *literals, const code *distances, uint8_t *to, uint32_t room,
                          uint32_t *at) {
  for (;;) {
    const uint32_t symbol = decode(from, literals);
    if (symbol == UINT32_MAX) return false;
    if (symbol == END_OF_BLOCK) return true;
    if (symbol < END_OF_BLOCK) {
      if (*at == room) return false;
      to[(*at)++] = (uint8_t)symbol;
      continue;
    }
    if (symbol > 285) return false;
    // Length 258 has a symbol of its own.
    const uint32_t length = symbol == 285 ? 258 : ranged(from, symbol - 257, 4, 3);
    const uint32_t distance_symbol = decode(from, distances);
    if (distance_symbol >= DISTANCES) return false;
    const uint32_t distance = ranged(from, distance_symbol, 2, 1);
    if (from->ended || distance > *at || length > room - *at) return false;
    for (uint32_t i = 0; i < length; i++, (*at)++) to[*at] = to[*at - distance];
  }
}

static bool stored(source *from, uint8_t *to, uint32_t room, uint32_t *at) {
  // Whole bytes that were read ahead are returned to the stream.
  from->at -= from->count / 8;
  from->bits = from->count = 0;
  if (from->end - from->at < 4) return false;
  const uint32_t length = (uint32_t)(from->at[0] | (from->at[1] << 8));
  const uint32_t check = (uint32_t)(from->at[2] | (from->at[3] << 8));
  from->at += 4;
  if ((length ^ check) != 0xffff || (uint32_t)(from->end - from->at) < length || room - *at < length) return false;
  memcpy(to + *at, from->at, length);
  from->at += length;
  *at += length;
  return true;
}

static bool fixed_codes(code *literals, code *distances) {
  uint8_t lengths[LITERALS];
  for (uint32_t s = 0; s < LITERALS; s++) lengths[s] = s < 144 ? 8 : s < 256 ? 9 : s < 280 ? 7 : 8;
  if (!make(literals, lengths, LITERALS)) return false;
  memset(lengths, 5, DISTANCES);
  return make(distances, lengths, DISTANCES);
}

static bool dynamic_codes(source *from, code *literals, code *distances) {
  static const uint8_t order[CODE_LENGTHS] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
  uint8_t lengths[LITERALS + 32] = {0};
  const uint32_t literal_count = take(from, 5) + 257;
  const uint32_t distance_count = take(from, 5) + 1;
  const uint32_t code_count = take(from, 4) + 4;
  if (literal_count > 286 || distance_count > DISTANCES) return false;
  for (uint32_t i = 0; i < code_count; i++) lengths[order[i]] = (uint8_t)take(from, 3);
  if (!make(literals, lengths, CODE_LENGTHS)) return false;
  memset(lengths, 0, CODE_LENGTHS);
  uint32_t at = 0;
  while (at < literal_count + distance_count) {
    const uint32_t symbol = decode(from, literals);
    if (symbol > 18) return false;
    if (symbol < 16) {
      lengths[at++] = (uint8_t)symbol;
      continue;
    }
    if (symbol == 16 && at == 0) return false;
    const uint8_t repeated = symbol == 16 ? lengths[at - 1] : 0;
    const uint32_t times = symbol == 16 ? 3 + take(from, 2) : symbol == 17 ? 3 + take(from, 3) : 11 + take(from, 7);
    if (times > literal_count + distance_count - at) return false;
    memset(lengths + at, repeated, times);
    at += times;
  }
  if (from->ended || lengths[END_OF_BLOCK] == 0) return false;
  return make(distances, lengths + literal_count, distance_count) && make(literals, lengths, literal_count);
}

bool atoll_inflate(const uint8_t *bytes, uint32_t length, uint8_t *to, uint32_t room) {
  source from = {bytes, bytes + length, 0, 0, false};
  code literals, distances;
  uint32_t at = 0, last;
  do {
    last = take(&from, 1);
    const uint32_t kind = take(&from, 2);
    if (from.ended) return false;
    bool good = false;
    if (kind == 0) good = stored(&from, to, room, &at);
    else if (kind == 1) good = fixed_codes(&literals, &distances);
    else if (kind == 2) good = dynamic_codes(&from, &literals, &distances);
    if (good && kind != 0) good = inflate_codes(&from, &literals, &distances, to, room, &at);
    if (!good) return false;
  } while (last == 0);
  return at == room;
}
