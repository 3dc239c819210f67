#include "flatbuffer.h"

#include <string.h>

static bool within(atoll_fb *fb, uint64_t at, uint64_t bytes) {
  if (at + bytes <= fb->length) return true;
  fb->bad = true;
  return false;
}

static uint32_t u16_at(atoll_fb *fb, uint64_t at) {
  return within(fb, at, 2) ? (uint32_t)(fb->bytes[at] | (fb->bytes[at + 1] << 8)) : 0;
}

static uint32_t u32_at(atoll_fb *fb, uint64_t at) {
  if (!within(fb, at, 4)) return 0;
  const uint8_t *b = fb->bytes + at;
  return (uint32_t)b[0] | ((uint32_t)b[1] << 8) | ((uint32_t)b[2] << 16) | ((uint32_t)b[3] << 24);
}

/** The target of an offset. */
static atoll_fb_at follow(atoll_fb *fb, atoll_fb_at at) {
  if (at == 0) return 0;
  const uint64_t to = (uint64_t)at + u32_at(fb, at);
  return within(fb, to, 4) ? (atoll_fb_at)to : 0;
}

atoll_fb_at atoll_fb_root(atoll_fb *fb) {
  const uint32_t to = u32_at(fb, 0);
  return to >= 4 && within(fb, to, 4) ? to : 0;
}

/** The position of a field of a table. */
static atoll_fb_at field_at(atoll_fb *fb, atoll_fb_at table, uint32_t field, uint32_t bytes) {
  if (table == 0) return 0;
  const int64_t vtable = (int64_t)table - (int32_t)u32_at(fb, table);
  if (vtable < 0 || !within(fb, (uint64_t)vtable, 4)) {
    fb->bad = true;
    return 0;
  }
  const uint32_t slot = 4 + 2 * field;
  if (slot + 2 > u16_at(fb, (uint64_t)vtable)) return 0;
  const uint32_t offset = u16_at(fb, (uint64_t)vtable + slot);
  return offset != 0 && within(fb, (uint64_t)table + offset, bytes) ? table + offset : 0;
}

int32_t atoll_fb_i8(atoll_fb *fb, atoll_fb_at table, uint32_t field, int32_t otherwise) {
  const atoll_fb_at at = field_at(fb, table, field, 1);
  return at == 0 ? otherwise : (int8_t)fb->bytes[at];
}

int32_t atoll_fb_i32(atoll_fb *fb, atoll_fb_at table, uint32_t field, int32_t otherwise) {
  const atoll_fb_at at = field_at(fb, table, field, 4);
  return at == 0 ? otherwise : (int32_t)u32_at(fb, at);
}

static float float_of(uint32_t bits) {
  float value;
  memcpy(&value, &bits, sizeof value);
  return value;
}

float atoll_fb_f32(atoll_fb *fb, atoll_fb_at table, uint32_t field, float otherwise) {
  const atoll_fb_at at = field_at(fb, table, field, 4);
  return at == 0 ? otherwise : float_of(u32_at(fb, at));
}

atoll_fb_at atoll_fb_table(atoll_fb *fb, atoll_fb_at table, uint32_t field) {
  return follow(fb, field_at(fb, table, field, 4));
}

atoll_fb_vector atoll_fb_elements(atoll_fb *fb, atoll_fb_at table, uint32_t field, uint32_t element_bytes) {
  const atoll_fb_at at = atoll_fb_table(fb, table, field);
  if (at == 0) return (atoll_fb_vector){0, 0};
  const uint32_t count = u32_at(fb, at);
  if (!within(fb, (uint64_t)at + 4, (uint64_t)count * element_bytes)) return (atoll_fb_vector){0, 0};
  return (atoll_fb_vector){at + 4, count};
}

atoll_fb_at atoll_fb_element_table(atoll_fb *fb, atoll_fb_vector vector, uint32_t index) {
  if (index >= vector.count) {
    fb->bad = true;
    return 0;
  }
  return follow(fb, vector.first + 4 * index);
}

int32_t atoll_fb_element_i32(const atoll_fb *fb, atoll_fb_vector vector, uint32_t index) {
  int32_t value;
  memcpy(&value, fb->bytes + vector.first + 4 * index, sizeof value);
  return value;
}

int64_t atoll_fb_element_i64(const atoll_fb *fb, atoll_fb_vector vector, uint32_t index) {
  int64_t value;
  memcpy(&value, fb->bytes + vector.first + 8 * index, sizeof value);
  return value;
}

float atoll_fb_element_f32(const atoll_fb *fb, atoll_fb_vector vector, uint32_t index) {
  return float_of((uint32_t)atoll_fb_element_i32(fb, vector, index));
}
