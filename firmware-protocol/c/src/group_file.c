// File group (8) over the two slots, with the offsets and errors of Zephyr's server: an upload at offset 0 starts
// again, any other offset must equal the length of the file, and the response to a mismatch contains that length.
#include <string.h>

#include "crc.h"
#include "server.h"
#include "sha256.h"

static const char inactive_file[] = "/atoll/inactive", active_file[] = "/atoll/active";

static atoll_status wrong_offset(uint32_t length) {
  return (atoll_status){.group = GROUP_FILE, .rc = FILE_OFFSET_NOT_VALID, .has_length = true, .length = length};
}

#if ATOLL_INFLATE_BYTES > 0
static const char compressed_file[] = "/atoll/inactive.z";

static bool is_compressed(atoll_bytes name) { return atoll_text_is(name, compressed_file); }

static atoll_status upload_compressed(atoll_device *device, uint32_t off, atoll_bytes data) {
  atoll_compressed *compressed = &device->compressed;
  if (off == 0) {
    memset(compressed, 0, sizeof *compressed);
    compressed->under_way = true;
  }
  const uint32_t received = compressed->under_way ? compressed->received : 0;
  if (!compressed->under_way || off != received) return wrong_offset(received);
  const atoll_status status = atoll_compressed_take(device, data.at, data.length);
  if (status.rc != SMP_EOK) compressed->under_way = false;
  return status;
}
#else
static bool is_compressed(atoll_bytes name) {
  (void)name;
  return false;
}
#endif

static atoll_status upload_plain(atoll_device *device, uint32_t off, atoll_bytes data, uint32_t length) {
  if (off == 0) {
    const atoll_status begun = atoll_begin_image(device, length);
    if (begun.rc != SMP_EOK) return begun;
  }
  const uint32_t end = device->store.slots[atoll_store_inactive(&device->store)].bytes;
  return off == end ? atoll_append_image(device, data.at, data.length) : wrong_offset(end);
}

/** The slot of a file. @return ATOLL_NO_SLOT if there is none */
static uint8_t slot_of(const atoll_device *device, atoll_bytes name) {
  if (atoll_text_is(name, inactive_file)) return atoll_store_inactive(&device->store);
  return atoll_text_is(name, active_file) ? device->store.active : (uint8_t)ATOLL_NO_SLOT;
}

static atoll_status upload(atoll_device *device, atoll_bytes request, atoll_writer *answer) {
  atoll_bytes name, data;
  uint32_t off, length = UINT32_MAX;
  if (!atoll_map_text(request, "name", &name) || !atoll_map_bytes(request, "data", &data) ||
      !atoll_map_uint(request, "off", &off))
    return smp_error(SMP_EINVAL);
  (void)atoll_map_uint(request, "len", &length);
  atoll_status status;
#if ATOLL_INFLATE_BYTES > 0
  if (is_compressed(name)) status = upload_compressed(device, off, data);
  else
#endif
      if (atoll_text_is(name, inactive_file)) status = upload_plain(device, off, data, length);
  else status = file_error(atoll_text_is(name, active_file) ? FILE_READ_ONLY : FILE_NOT_FOUND);
  if (status.rc != SMP_EOK) return status;
  atoll_put_map(answer, 1);
  atoll_put_key_uint(answer, "off", off + data.length);
  return atoll_ok();
}

static atoll_status download(atoll_device *device, atoll_bytes request, atoll_writer *answer) {
  atoll_bytes name;
  uint32_t off;
  if (!atoll_map_text(request, "name", &name) || !atoll_map_uint(request, "off", &off)) return smp_error(SMP_EINVAL);
  const uint8_t slot = slot_of(device, name);
  if (slot == ATOLL_NO_SLOT) return file_error(FILE_NOT_FOUND);
  const uint32_t end = device->store.slots[slot].bytes;
  if (off > end) return file_error(FILE_OFFSET_LARGER_THAN_FILE);
  const uint32_t length = end - off < ATOLL_CHUNK_BYTES ? end - off : ATOLL_CHUNK_BYTES;
  atoll_put_map(answer, off == 0 ? 3 : 2);
  atoll_put_key_uint(answer, "off", off);
  atoll_put_text(answer, "data");
  uint8_t *room = atoll_put_bytes_room(answer, length);
  if (room != NULL) atoll_store_read(&device->store, slot, off, room, length);
  if (off == 0) atoll_put_key_uint(answer, "len", end);
  return atoll_ok();
}

static atoll_status status_of(atoll_device *device, atoll_bytes request, atoll_writer *answer) {
  atoll_bytes name;
  if (!atoll_map_text(request, "name", &name)) return smp_error(SMP_EINVAL);
  uint32_t length = 0;
  if (!is_compressed(name)) {
    const uint8_t slot = slot_of(device, name);
    if (slot == ATOLL_NO_SLOT) return file_error(FILE_NOT_FOUND);
    length = device->store.slots[slot].bytes;
  }
#if ATOLL_INFLATE_BYTES > 0
  else if (device->compressed.under_way) length = device->compressed.received;
#endif
  atoll_put_map(answer, 1);
  atoll_put_key_uint(answer, "len", length);
  return atoll_ok();
}

/** Adds a part of a slot to a hash, piece by piece. */
static void each_piece(const atoll_store *store, uint8_t slot, uint32_t off, uint32_t length,
                       void (*take)(void *, const uint8_t *, uint32_t), void *into) {
  uint8_t piece[64];
  for (uint32_t at = 0; at < length; at += sizeof piece) {
    const uint32_t part = length - at < sizeof piece ? length - at : (uint32_t)sizeof piece;
    atoll_store_read(store, slot, off + at, piece, part);
    take(into, piece, part);
  }
}

static void take_sha(void *into, const uint8_t *bytes, uint32_t length) { atoll_sha256_add(into, bytes, length); }

static void take_crc(void *into, const uint8_t *bytes, uint32_t length) {
  uint32_t *crc = into;
  *crc = atoll_crc32(*crc, bytes, length);
}

static atoll_status hash(atoll_device *device, atoll_bytes request, atoll_writer *answer) {
  atoll_bytes name, type;
  uint32_t off = 0, length = UINT32_MAX;
  if (!atoll_map_text(request, "name", &name)) return smp_error(SMP_EINVAL);
  const uint8_t slot = slot_of(device, name);
  if (slot == ATOLL_NO_SLOT) return file_error(FILE_NOT_FOUND);
  (void)atoll_map_uint(request, "off", &off);
  (void)atoll_map_uint(request, "len", &length);
  const bool crc = atoll_map_text(request, "type", &type) && atoll_text_is(type, "crc32");
  if (!crc && atoll_map_text(request, "type", &type) && !atoll_text_is(type, "sha256"))
    return file_error(FILE_HASH_NOT_FOUND);
  const uint32_t end = device->store.slots[slot].bytes;
  if (end == 0) return file_error(FILE_EMPTY);
  if (off > end) return file_error(FILE_OFFSET_LARGER_THAN_FILE);
  if (length > end - off) length = end - off;
  atoll_put_map(answer, off == 0 ? 3 : 4);
  atoll_put_key_text(answer, "type", crc ? "crc32" : "sha256");
  atoll_put_key_uint(answer, "len", length);
  if (crc) {
    uint32_t value = 0;
    each_piece(&device->store, slot, off, length, take_crc, &value);
    atoll_put_key_uint(answer, "output", value);
  } else if (off == 0 && length == end) {
    atoll_put_key_bytes(answer, "output", atoll_store_sha(&device->store, slot), 32);
  } else {
    atoll_sha256 sha;
    uint8_t digest[32];
    atoll_sha256_begin(&sha);
    each_piece(&device->store, slot, off, length, take_sha, &sha);
    atoll_sha256_end(&sha, digest);
    atoll_put_key_bytes(answer, "output", digest, sizeof digest);
  }
  if (off != 0) atoll_put_key_uint(answer, "off", off);
  return atoll_ok();
}

static void put_hash_type(atoll_writer *answer, const char *name, uint32_t format, uint32_t size) {
  atoll_put_text(answer, name);
  atoll_put_map(answer, 2);
  atoll_put_key_uint(answer, "format", format);
  atoll_put_key_uint(answer, "size", size);
}

static atoll_status hash_types(atoll_device *device, atoll_bytes request, atoll_writer *answer) {
  (void)device;
  (void)request;
  atoll_put_map(answer, 1);
  atoll_put_text(answer, "types");
  atoll_put_map(answer, 2);
  put_hash_type(answer, "sha256", 1, 32);
  put_hash_type(answer, "crc32", 0, 4);
  return atoll_ok();
}

static atoll_status close_files(atoll_device *device, atoll_bytes request, atoll_writer *answer) {
  (void)device;
  (void)request;
  atoll_put_map(answer, 0);
  return atoll_ok();
}

const atoll_command atoll_file_commands[] = {
    {GROUP_FILE, 0, true, upload}, {GROUP_FILE, 0, false, download},   {GROUP_FILE, 1, false, status_of},
    {GROUP_FILE, 2, false, hash},  {GROUP_FILE, 3, false, hash_types}, {GROUP_FILE, 4, true, close_files},
    {0},
};
