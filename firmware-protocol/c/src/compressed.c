// An upload of the compressed form of an image: its inflated blocks are written to the inactive slot. Bytes that the
// slot already contains are not written again, so that an interrupted upload can be resumed.
#include "server.h"

#if ATOLL_INFLATE_BYTES > 0

#include "bytes.h"
#include "inflate.h"

enum { STREAM_HEADER = 16, VERSION = 1, SMALLEST_BLOCK = 512, GROWTH = 16 };

static atoll_status begin(atoll_device *device) {
  atoll_compressed *c = &device->compressed;
  const uint8_t *header = c->held;
  if (memcmp(header, "ATLZ", 4) != 0 || header[4] != VERSION)
    return atoll_error(ATOLL_RC_IMAGE_INVALID, "no compressed image of version 1");
  if (header[5] > 15) return atoll_error(ATOLL_RC_IMAGE_INVALID, "blocks longer than any device takes");
  c->block_bytes = 1u << header[5];
  c->block = atoll_le32(header + 8);
  c->image_bytes = atoll_le32(header + 12);
  c->held_bytes = 0;
  if (c->block_bytes < SMALLEST_BLOCK || c->block_bytes > ATOLL_INFLATE_BYTES)
    return atoll_error(ATOLL_RC_IMAGE_INVALID, "blocks longer than this device takes");
  if (c->image_bytes > device->store.flash->slot_bytes)
    return atoll_error(ATOLL_RC_IMAGE_TOO_LARGE, "the image is larger than a slot");
  if (c->block == 0) return atoll_begin_image(device, c->image_bytes);
  const uint32_t there = device->store.slots[atoll_store_inactive(&device->store)].bytes;
  if (c->block > there / c->block_bytes)
    return atoll_error(ATOLL_RC_OFFSET_NOT_VALID, "a gap would be left in the image");
  return atoll_ok();
}

/** Inflates the complete block, and writes the part of it that is new. */
static atoll_status take_block(atoll_device *device, uint32_t length) {
  atoll_compressed *c = &device->compressed;
  const uint32_t at = c->block * c->block_bytes;
  const uint32_t left = c->image_bytes - at;
  const uint32_t expected = left < c->block_bytes ? left : c->block_bytes;
  if (!atoll_inflate(c->held + 2, length, c->block_data, expected))
    return atoll_error(ATOLL_RC_IMAGE_INVALID, "a block is damaged");
  const uint32_t there = device->store.slots[atoll_store_inactive(&device->store)].bytes;
  const uint32_t known = there > at ? there - at : 0;
  c->block++;
  c->held_bytes = 0;
  return known < expected ? atoll_append_image(device, c->block_data + known, expected - known) : atoll_ok();
}

/** Number of bytes that must be buffered for the next step; 0 for an invalid length. */
static uint32_t wanted(const atoll_compressed *c) {
  if (c->block_bytes == 0) return STREAM_HEADER;
  if (c->held_bytes < 2) return 2;
  const uint32_t length = atoll_le16(c->held);
  return length > c->block_bytes + GROWTH ? 0 : 2 + length;
}

atoll_status atoll_compressed_take(atoll_device *device, const uint8_t *bytes, uint32_t length) {
  atoll_compressed *c = &device->compressed;
  c->received += length;
  while (length > 0) {
    if (c->block_bytes != 0 && (uint64_t)c->block * c->block_bytes >= c->image_bytes)
      return atoll_error(ATOLL_RC_IMAGE_INVALID, "it goes on behind the end of the image");
    uint32_t whole = wanted(c);
    const uint32_t piece = length < whole - c->held_bytes ? length : whole - c->held_bytes;
    memcpy(c->held + c->held_bytes, bytes, piece);
    c->held_bytes += piece;
    bytes += piece;
    length -= piece;
    whole = wanted(c);
    if (whole == 0) return atoll_error(ATOLL_RC_IMAGE_INVALID, "a block is longer than it may be");
    if (c->held_bytes < whole) continue;
    const atoll_status status = c->block_bytes == 0 ? begin(device) : take_block(device, whole - 2);
    if (status.rc != SMP_EOK) return status;
  }
  return atoll_ok();
}

#endif
