#include "image.h"

#include "bytes.h"
#include "crc.h"
#include "sha256.h"

enum { FOOTER_BYTES = 32, CRC_AT = 28, ALIGNMENT = 16, FORMAT = 1 };
static const uint8_t magic[8] = {'A', 'T', 'O', 'L', 'L', 'I', 'M', 'G'};

static bool is_sha_of(atoll_bytes sha, const uint8_t *bytes, uint32_t length) {
  uint8_t digest[32];
  if (sha.length != sizeof digest) return false;
  atoll_sha256_of(bytes, length, digest);
  return memcmp(digest, sha.at, sizeof digest) == 0;
}

static bool read_agreement(atoll_image *image, atoll_reader agreement) {
  atoll_bytes word;
  image->max_lsb = 0;
  image->min_share_ppm = 1000000;
  if (atoll_read_text(&agreement, &word)) return atoll_text_is(word, "exact");
  const atoll_bytes map = {agreement.at, (uint32_t)(agreement.end - agreement.at)};
  return atoll_map_uint(map, "max_lsb", &image->max_lsb) && atoll_map_uint(map, "min_share_ppm", &image->min_share_ppm);
}

static bool read_trailer(atoll_image *image, atoll_bytes trailer, const char **detail) {
  atoll_bytes model, vectors;
  atoll_reader value;
  uint32_t format;
  *detail = "the trailer is no map with manifest and vectors";
  if (!atoll_is_map(trailer) || !atoll_map_bytes(trailer, "manifest", &image->manifest) || !atoll_map_bytes(trailer, "vectors", &image->vectors)) return false;
  if (!atoll_map_bytes(trailer, "signature", &image->signature)) image->signature = (atoll_bytes){NULL, 0};
  const atoll_bytes manifest = image->manifest;
  *detail = "the manifest is not whole";
  if (!atoll_is_map(manifest) || !atoll_map_uint(manifest, "format", &format) || format != FORMAT) return false;
  if (!atoll_map_bytes(manifest, "model", &model) || !atoll_map_bytes(manifest, "vectors", &vectors)) return false;
  if (!atoll_map_text(manifest, "target", &image->target)) return false;
  if (!atoll_map_uint(manifest, "counter", &image->counter)) image->counter = 0;
  if (!atoll_map_find(manifest, "agreement", &value) || !read_agreement(image, value)) return false;
  *detail = "the model is not the one that the manifest names";
  if (!is_sha_of(model, image->model, image->model_bytes)) return false;
  *detail = "the self-test vectors are not those that the manifest names";
  if (!is_sha_of(vectors, image->vectors.at, image->vectors.length)) return false;
  *detail = "the self-test vectors are no array of vectors";
  atoll_reader reader;
  if (!atoll_image_vectors(image, &reader, &image->vector_count)) return false;
  for (uint32_t i = 0; i < image->vector_count; i++) {
    uint32_t seed;
    atoll_bytes output;
    if (!atoll_image_vector(&reader, &seed, &output)) return false;
  }
  return true;
}

static uint32_t aligned(uint32_t length) { return (length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }

bool atoll_image_open(atoll_image *image, const uint8_t *bytes, uint32_t length, const char **detail) {
  *image = (atoll_image){.model = bytes, .model_bytes = length, .min_share_ppm = 1000000};
  if (length < FOOTER_BYTES) return true;
  const uint8_t *footer = bytes + length - FOOTER_BYTES;
  if (memcmp(footer, magic, sizeof magic) != 0) return true;
  *detail = "the footer is not whole";
  if (atoll_le32(footer + CRC_AT) != atoll_crc32(0, footer, CRC_AT) || atoll_le16(footer + 8) != FORMAT) return false;
  const uint32_t model_bytes = atoll_le32(footer + 12), trailer_at = atoll_le32(footer + 16), trailer_bytes = atoll_le32(footer + 20);
  *detail = "the footer does not match the length";
  if (model_bytes > length || trailer_bytes > length || trailer_at != aligned(model_bytes)) return false;
  if ((uint64_t)trailer_at + aligned(trailer_bytes) + FOOTER_BYTES != length) return false;
  image->model_bytes = model_bytes;
  image->has_trailer = true;
  return read_trailer(image, (atoll_bytes){bytes + trailer_at, trailer_bytes}, detail);
}

bool atoll_image_vectors(const atoll_image *image, atoll_reader *reader, uint32_t *count) {
  *reader = (atoll_reader){NULL, NULL};
  *count = 0;
  if (!image->has_trailer) return true;
  *reader = (atoll_reader){image->vectors.at, image->vectors.at + image->vectors.length};
  return atoll_read_array(reader, count) && *count != UINT32_MAX;
}

bool atoll_image_vector(atoll_reader *reader, uint32_t *seed, atoll_bytes *output) {
  const uint8_t *from = reader->at;
  if (!atoll_skip(reader)) return false;
  const atoll_bytes map = {from, (uint32_t)(reader->at - from)};
  return atoll_map_uint(map, "seed", seed) && atoll_map_bytes(map, "output", output);
}
