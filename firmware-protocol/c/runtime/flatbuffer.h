// Reads a flatbuffer that may be damaged: every access is within the bytes; any other access marks the buffer as bad.
#ifndef ATOLL_FLATBUFFER_H
#define ATOLL_FLATBUFFER_H

#include <stdbool.h>
#include <stdint.h>

typedef struct atoll_fb {
  const uint8_t *bytes;
  uint32_t length;
  /** Whether something outside the buffer was read. */
  bool bad;
} atoll_fb;

/** Position in the buffer; 0: absent. */
typedef uint32_t atoll_fb_at;

typedef struct atoll_fb_vector {
  atoll_fb_at first;
  uint32_t count;
} atoll_fb_vector;

atoll_fb_at atoll_fb_root(atoll_fb *fb);
/** Scalars of a table, or the default for an absent one. */
int32_t atoll_fb_i8(atoll_fb *fb, atoll_fb_at table, uint32_t field, int32_t otherwise);
int32_t atoll_fb_i32(atoll_fb *fb, atoll_fb_at table, uint32_t field, int32_t otherwise);
float atoll_fb_f32(atoll_fb *fb, atoll_fb_at table, uint32_t field, float otherwise);
atoll_fb_at atoll_fb_table(atoll_fb *fb, atoll_fb_at table, uint32_t field);
/** A vector of elements of this size; empty if absent. */
atoll_fb_vector atoll_fb_elements(atoll_fb *fb, atoll_fb_at table, uint32_t field, uint32_t element_bytes);
/** The table in an element of a vector of tables. */
atoll_fb_at atoll_fb_element_table(atoll_fb *fb, atoll_fb_vector vector, uint32_t index);
/** Elements of a vector, which must be within its bounds. */
int32_t atoll_fb_element_i32(const atoll_fb *fb, atoll_fb_vector vector, uint32_t index);
int64_t atoll_fb_element_i64(const atoll_fb *fb, atoll_fb_vector vector, uint32_t index);
float atoll_fb_element_f32(const atoll_fb *fb, atoll_fb_vector vector, uint32_t index);

#endif
