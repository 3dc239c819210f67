#include "fleet_messages.h"

#include <string.h>

/** 0 if the key is absent. @return false if its value is not a number */
static bool optional_uint(atoll_bytes map, const char *key, uint32_t *value) {
  atoll_reader reader;
  *value = 0;
  return !atoll_map_find(map, key, &reader) || atoll_read_uint(&reader, value);
}

static bool optional_bool(atoll_bytes map, const char *key, bool *value) {
  atoll_reader reader;
  *value = false;
  return !atoll_map_find(map, key, &reader) || atoll_read_bool(&reader, value);
}

bool atoll_desired_read(atoll_bytes message, atoll_desired *desired) {
  atoll_desired read = {0};
  atoll_bytes rollout, sha;
  if (!atoll_is_map(message) || !atoll_map_text(message, "rollout", &rollout) || !atoll_map_bytes(message, "sha", &sha))
    return false;
  if (rollout.length == 0 || rollout.length > ATOLL_NAME_BYTES || sha.length != sizeof read.sha) return false;
  if (!atoll_map_uint(message, "len", &read.bytes) || !atoll_map_uint(message, "block", &read.block_bytes) ||
      !atoll_map_uint(message, "seed", &read.seed))
    return false;
  if (!optional_uint(message, "attempt", &read.attempt) || !optional_uint(message, "deadline", &read.deadline))
    return false;
  if (!optional_bool(message, "pull", &read.pull) || !optional_bool(message, "outputs", &read.outputs)) return false;
  const uint32_t block = read.block_bytes;
  if (read.bytes == 0 || block < 512 || block > 32768 || (block & (block - 1)) != 0) return false;
  memcpy(read.rollout, rollout.at, rollout.length);
  memcpy(read.sha, sha.at, sha.length);
  *desired = read;
  return true;
}

void atoll_reported_write(const atoll_reported *r, atoll_writer *writer) {
  const atoll_measured *m = r->measured;
  uint32_t entries = 3;
  entries += r->tag_count > 0 ? 1u : 0u;
  entries += r->desired != NULL ? 3u : 0u;
  entries += (r->model != NULL ? 1u : 0u) + (r->code != NULL ? 1u : 0u) + (r->detail != NULL ? 1u : 0u);
  if (m != NULL)
    entries += 6u + (m->has_crc ? 1u : 0u) + (m->has_samples ? 2u : 0u) + (m->outputs.length > 0 ? 1u : 0u);
  atoll_put_map(writer, entries);
  atoll_put_text(writer, "seq");
  atoll_put_uint64(writer, r->sequence);
  atoll_put_key_text(writer, "target", r->target);
  if (r->tag_count > 0) {
    atoll_put_text(writer, "tags");
    atoll_put_map(writer, r->tag_count);
    for (uint32_t i = 0; i < r->tag_count; i++) atoll_put_key_text(writer, r->tags[i].name, r->tags[i].value);
  }
  atoll_put_key_text(writer, "state", r->state);
  if (r->desired != NULL) {
    atoll_put_key_text(writer, "rollout", r->desired->rollout);
    atoll_put_key_uint(writer, "attempt", r->desired->attempt);
    atoll_put_key_bytes(writer, "sha", r->desired->sha, sizeof r->desired->sha);
  }
  if (r->model != NULL) atoll_put_key_bytes(writer, "model", r->model, 32);
  if (r->code != NULL) atoll_put_key_text(writer, "code", r->code);
  if (r->detail != NULL) atoll_put_key_text(writer, "detail", r->detail);
  if (m == NULL) return;
  atoll_put_key_uint(writer, "vectors", m->vectors);
  atoll_put_key_uint(writer, "failed", m->failed);
  atoll_put_key_uint(writer, "arena", m->arena);
  atoll_put_key_uint(writer, "runs", m->runs);
  atoll_put_key_uint(writer, "median_us", m->median_us);
  atoll_put_key_uint(writer, "p95_us", m->p95_us);
  if (m->has_samples) {
    atoll_put_key_uint(writer, "samples", m->samples);
    atoll_put_key_uint(writer, "correct", m->correct);
  }
  if (m->has_crc) atoll_put_key_uint(writer, "crc", m->crc);
  if (m->outputs.length > 0) atoll_put_key_bytes(writer, "outputs", m->outputs.at, m->outputs.length);
}
