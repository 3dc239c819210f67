// The slot image: a model, and a trailer that says what it is and how to test it.
#ifndef ATOLL_IMAGE_H
#define ATOLL_IMAGE_H

#include "cbor.h"

typedef struct atoll_image {
  const uint8_t *model;
  uint32_t model_bytes;
  /** false for a bare .tflite, of which nothing else is known. */
  bool has_trailer;
  /** Encoded; no length where there is none. Nothing of it has been checked. */
  atoll_bytes signature;
  /** What is signed. */
  atoll_bytes manifest;
  /** An image below that of the confirmed one is refused. */
  uint32_t counter;
  atoll_bytes target;
  /** Of elements that may differ from a vector's, by up to max_lsb; exact where that is 0. */
  uint32_t max_lsb, min_share_ppm;
  /** An encoded array of vectors. */
  atoll_bytes vectors;
  uint32_t vector_count;
} atoll_image;

/** @param detail what is wrong, for people. @return false for an image that is not whole */
bool atoll_image_open(atoll_image *image, const uint8_t *bytes, uint32_t length, const char **detail);

/** Takes the next vector off a reader over the vectors' entries. */
bool atoll_image_vector(atoll_reader *reader, uint32_t *seed, atoll_bytes *output);
/** Where the entries begin, and how many there are. */
bool atoll_image_vectors(const atoll_image *image, atoll_reader *reader, uint32_t *count);

#endif
