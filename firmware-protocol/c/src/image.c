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

// An image has one encoding: the keys are in the order of atoll.cddl, without unknown ones.

static bool read_key(atoll_reader *reader, const char *key) {
  atoll_bytes name;
  return atoll_read_text(reader, &name) && atoll_text_is(name, key);
}

static bool read_uint_of(atoll_reader *reader, const char *key, uint32_t *value) {
  return read_key(reader, key) && atoll_read_uint(reader, value);
}

static bool read_text_of(atoll_reader *reader, const char *key, atoll_bytes *text) {
  return read_key(reader, key) && atoll_read_text(reader, text);
}

static bool read_bytes_of(atoll_reader *reader, const char *key, atoll_bytes *bytes) {
  return read_key(reader, key) && atoll_read_bytes(reader, bytes);
}

static bool read_sha_of(atoll_reader *reader, const char *key, atoll_bytes *sha) {
  return read_bytes_of(reader, key, sha) && sha->length == 32;
}

static bool read_agreement(atoll_reader *reader, atoll_image *image) {
  atoll_bytes word;
  uint32_t entries;
  image->max_lsb = 0;
  image->min_share_ppm = 1000000;
  if (!read_key(reader, "agreement")) return false;
  if (atoll_read_text(reader, &word)) return atoll_text_is(word, "exact");
  return atoll_read_map(reader, &entries) && entries == 2 && read_uint_of(reader, "max_lsb", &image->max_lsb) &&
         read_uint_of(reader, "min_share_ppm", &image->min_share_ppm);
}

static bool read_operators(atoll_reader *reader) {
  uint32_t count, code;
  atoll_bytes name;
  if (!read_key(reader, "operators") || !atoll_read_array(reader, &count)) return false;
  for (uint32_t i = 0; i < count; i++) {
    if (!atoll_read_uint(reader, &code) && !atoll_read_text(reader, &name)) return false;
  }
  return true;
}

static bool read_blocks(atoll_reader *reader, uint32_t model_bytes) {
  uint32_t block_bytes, count;
  atoll_bytes sha;
  if (!read_uint_of(reader, "block_bytes", &block_bytes) || block_bytes == 0) return false;
  if (!read_key(reader, "blocks") || !atoll_read_array(reader, &count) ||
      count != (model_bytes + (uint64_t)block_bytes - 1) / block_bytes)
    return false;
  for (uint32_t i = 0; i < count; i++) {
    if (!atoll_read_bytes(reader, &sha) || sha.length != 32) return false;
  }
  return true;
}

static bool read_manifest(atoll_image *image, atoll_bytes *model, atoll_bytes *vectors) {
  enum { ENTRIES = 12 };
  atoll_reader reader = {image->manifest.at, image->manifest.at + image->manifest.length};
  uint32_t entries, format, model_bytes, arena;
  atoll_bytes text;
  if (!atoll_is_deterministic(image->manifest) || !atoll_read_map(&reader, &entries) ||
      (entries != ENTRIES && entries != ENTRIES + 1))
    return false;
  image->counter = 0;
  return read_uint_of(&reader, "format", &format) && format == FORMAT && read_sha_of(&reader, "model", model) &&
         read_uint_of(&reader, "model_bytes", &model_bytes) && model_bytes == image->model_bytes &&
         read_text_of(&reader, "version", &text) &&
         (entries == ENTRIES || read_uint_of(&reader, "counter", &image->counter)) &&
         read_text_of(&reader, "target", &image->target) && read_text_of(&reader, "profile", &text) &&
         read_agreement(&reader, image) && read_operators(&reader) && read_uint_of(&reader, "arena", &arena) &&
         read_sha_of(&reader, "vectors", vectors) && read_blocks(&reader, model_bytes);
}

static bool read_vectors(atoll_image *image) {
  atoll_reader reader;
  if (!atoll_is_deterministic(image->vectors) || !atoll_image_vectors(image, &reader, &image->vector_count))
    return false;
  for (uint32_t i = 0; i < image->vector_count; i++) {
    uint32_t seed;
    atoll_bytes output;
    if (!atoll_image_vector(&reader, &seed, &output)) return false;
  }
  return true;
}

static bool read_trailer(atoll_image *image, atoll_bytes trailer, const char **detail) {
  atoll_bytes model, vectors;
  atoll_reader reader = {trailer.at, trailer.at + trailer.length};
  uint32_t entries;
  *detail = "the trailer is no map of manifest, vectors and signature";
  if (!atoll_is_deterministic(trailer) || !atoll_read_map(&reader, &entries) || (entries != 2 && entries != 3))
    return false;
  if (!read_bytes_of(&reader, "manifest", &image->manifest) || !read_bytes_of(&reader, "vectors", &image->vectors))
    return false;
  if (entries == 2) image->signature = (atoll_bytes){NULL, 0};
  else if (!read_bytes_of(&reader, "signature", &image->signature)) return false;
  *detail = "the manifest is not whole, or not in its one encoding";
  if (!read_manifest(image, &model, &vectors)) return false;
  *detail = "the model is not the one that the manifest names";
  if (!is_sha_of(model, image->model, image->model_bytes)) return false;
  *detail = "the self-test vectors are not those that the manifest names";
  if (!is_sha_of(vectors, image->vectors.at, image->vectors.length)) return false;
  *detail = "the self-test vectors are no array of vectors";
  return read_vectors(image);
}

static bool are_zeros(const uint8_t *from, const uint8_t *end) {
  while (from < end && *from == 0) from++;
  return from == end;
}

static uint32_t aligned(uint32_t length) { return (length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }

bool atoll_image_open(atoll_image *image, const uint8_t *bytes, uint32_t length, const char **detail) {
  *image = (atoll_image){.model = bytes, .model_bytes = length, .min_share_ppm = 1000000};
  if (length < FOOTER_BYTES) return true;
  const uint8_t *footer = bytes + length - FOOTER_BYTES;
  if (memcmp(footer, magic, sizeof magic) != 0) return true;
  *detail = "the footer is not whole";
  if (atoll_le32(footer + CRC_AT) != atoll_crc32(0, footer, CRC_AT) || atoll_le16(footer + 8) != FORMAT) return false;
  const uint32_t model_bytes = atoll_le32(footer + 12), trailer_at = atoll_le32(footer + 16),
                 trailer_bytes = atoll_le32(footer + 20);
  *detail = "the footer does not match the length";
  if (model_bytes > length || trailer_bytes > length || trailer_at != aligned(model_bytes)) return false;
  if ((uint64_t)trailer_at + aligned(trailer_bytes) + FOOTER_BYTES != length) return false;
  *detail = "the bytes between its parts are not 0";
  const uint8_t *trailer = bytes + trailer_at;
  if (!are_zeros(bytes + model_bytes, trailer) || !are_zeros(trailer + trailer_bytes, footer)) return false;
  if (!are_zeros(footer + 10, footer + 12) || !are_zeros(footer + 24, footer + CRC_AT)) return false;
  image->model_bytes = model_bytes;
  image->has_trailer = true;
  return read_trailer(image, (atoll_bytes){trailer, trailer_bytes}, detail);
}

bool atoll_image_vectors(const atoll_image *image, atoll_reader *reader, uint32_t *count) {
  *reader = (atoll_reader){NULL, NULL};
  *count = 0;
  if (!image->has_trailer) return true;
  *reader = (atoll_reader){image->vectors.at, image->vectors.at + image->vectors.length};
  return atoll_read_array(reader, count) && *count != UINT32_MAX;
}

bool atoll_image_vector(atoll_reader *reader, uint32_t *seed, atoll_bytes *output) {
  uint32_t entries;
  return atoll_read_map(reader, &entries) && entries == 2 && read_uint_of(reader, "seed", seed) &&
         read_bytes_of(reader, "output", output);
}
