// The slot image: a model, and a trailer that describes it and contains its tests.
#ifndef ATOLL_IMAGE_H
#define ATOLL_IMAGE_H

#include "cbor.h"

typedef struct atoll_image {
  const uint8_t *model;
  uint32_t model_bytes;
  /** false for a plain .tflite file, which has no trailer. */
  bool has_trailer;
  /** Encoded and not verified; length 0 if there is none. */
  atoll_bytes signature;
  /** The signed bytes. */
  atoll_bytes manifest;
  /** An image with a lower counter than the confirmed one is refused. */
  uint32_t counter;
  atoll_bytes target;
  /** Share of elements that may differ from a vector's, by up to max_lsb; 0 requires equality. */
  uint32_t max_lsb, min_share_ppm;
  /** An encoded array of vectors. */
  atoll_bytes vectors;
  uint32_t vector_count;
} atoll_image;

/**
 * @param detail the fault, in words
 * @return false for an invalid image
 */
bool atoll_image_open(atoll_image *image, const uint8_t *bytes, uint32_t length, const char **detail);

/** Reads the next vector. */
bool atoll_image_vector(atoll_reader *reader, uint32_t *seed, atoll_bytes *output);
/** Position and number of the entries. */
bool atoll_image_vectors(const atoll_image *image, atoll_reader *reader, uint32_t *count);

#endif
