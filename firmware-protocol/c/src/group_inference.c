// Group 16724: inference.
#include <string.h>

#include "server.h"

enum { PROFILE_ENTRIES = 32 };

static atoll_status write_input(atoll_device *device, atoll_bytes request, atoll_writer *answer) {
  const atoll_inference *inference = device->inference;
  uint32_t index, off;
  atoll_bytes data;
  if (!atoll_map_uint(request, "input", &index) || !atoll_map_uint(request, "off", &off) ||
      !atoll_map_bytes(request, "data", &data))
    return smp_error(SMP_EINVAL);
  const atoll_status loaded = atoll_load_active(device);
  if (loaded.rc != SMP_EOK) return loaded;
  if (index >= inference->input_count(inference->context))
    return atoll_error(ATOLL_RC_NO_SUCH_TENSOR, "the model has no such input");
  const atoll_tensor tensor = inference->input(inference->context, index);
  if (off > tensor.bytes || data.length > tensor.bytes - off)
    return atoll_error(ATOLL_RC_OFFSET_NOT_VALID, "outside the input");
  memcpy(tensor.data + off, data.at, data.length);
  atoll_put_map(answer, 1);
  atoll_put_key_uint(answer, "off", off + data.length);
  return atoll_ok();
}

static atoll_status run(atoll_device *device, atoll_bytes request, atoll_writer *answer) {
  uint32_t n = 1;
  bool stream = false;
  (void)atoll_map_uint(request, "n", &n);
  (void)atoll_map_bool(request, "stream", &stream);
  const atoll_status loaded = atoll_load_active(device);
  if (loaded.rc != SMP_EOK) return loaded;
  if (n > ATOLL_RUNS) n = ATOLL_RUNS;
  if (n == 0) return smp_error(SMP_EINVAL);
  uint32_t total = 0;
  for (uint32_t i = 0; i < n; i++) {
    uint32_t ticks;
    if (!atoll_invoke(device, stream, &ticks)) return atoll_error(ATOLL_RC_UNKNOWN, atoll_invoke_failed);
    total += ticks;
  }
  atoll_put_map(answer, 2);
  atoll_put_key_uint(answer, "n", n);
  atoll_put_key_uint(answer, "ticks", total);
  return atoll_ok();
}

static atoll_status read_output(atoll_device *device, atoll_bytes request, atoll_writer *answer) {
  const atoll_inference *inference = device->inference;
  uint32_t index, off;
  if (!atoll_map_uint(request, "output", &index) || !atoll_map_uint(request, "off", &off))
    return smp_error(SMP_EINVAL);
  const atoll_status loaded = atoll_load_active(device);
  if (loaded.rc != SMP_EOK) return loaded;
  if (index >= inference->output_count(inference->context))
    return atoll_error(ATOLL_RC_NO_SUCH_TENSOR, "the model has no such output");
  const atoll_tensor tensor = inference->output(inference->context, index);
  if (off > tensor.bytes) return atoll_error(ATOLL_RC_OFFSET_NOT_VALID, "outside the output");
  const uint32_t length = tensor.bytes - off < ATOLL_CHUNK_BYTES ? tensor.bytes - off : ATOLL_CHUNK_BYTES;
  atoll_put_map(answer, off == 0 ? 3 : 2);
  atoll_put_key_uint(answer, "off", off);
  atoll_put_key_bytes(answer, "data", tensor.data + off, length);
  if (off == 0) atoll_put_key_uint(answer, "len", tensor.bytes);
  return atoll_ok();
}

static atoll_status infer(atoll_device *device, atoll_bytes request, atoll_writer *answer) {
  const atoll_inference *inference = device->inference;
  atoll_bytes data;
  if (!atoll_map_bytes(request, "data", &data)) return smp_error(SMP_EINVAL);
  bool stream = false;
  (void)atoll_map_bool(request, "stream", &stream);
  const atoll_status loaded = atoll_load_active(device);
  if (loaded.rc != SMP_EOK) return loaded;
  const uint32_t sample_bytes = atoll_input_bytes(inference), result_bytes = atoll_output_bytes(inference);
  if (sample_bytes == 0 || data.length == 0 || data.length % sample_bytes != 0)
    return atoll_error(ATOLL_RC_OFFSET_NOT_VALID, "no whole number of samples");
  const uint32_t samples = data.length / sample_bytes;
  // The ticks precede the outputs, so each takes five bytes, as many as the longest needs.
  if ((uint64_t)samples * (result_bytes + 5) > ATOLL_CHUNK_BYTES)
    return atoll_error(ATOLL_RC_OFFSET_NOT_VALID, "the outputs of so many samples exceed an answer");
  atoll_put_map(answer, 2);
  atoll_put_text(answer, "data");
  uint8_t *outputs = atoll_put_bytes_room(answer, samples * result_bytes);
  if (outputs == NULL) return smp_error(SMP_EMSGSIZE);
  atoll_put_text(answer, "ticks");
  atoll_put_array(answer, samples);
  for (uint32_t s = 0; s < samples; s++) {
    for (uint32_t i = 0; i < inference->input_count(inference->context); i++) {
      const atoll_tensor tensor = inference->input(inference->context, i);
      memcpy(tensor.data, data.at, tensor.bytes);
      data.at += tensor.bytes;
    }
    uint32_t ticks;
    if (!atoll_invoke(device, stream, &ticks)) return atoll_error(ATOLL_RC_UNKNOWN, atoll_invoke_failed);
    for (uint32_t i = 0; i < inference->output_count(inference->context); i++) {
      const atoll_tensor tensor = inference->output(inference->context, i);
      memcpy(outputs, tensor.data, tensor.bytes);
      outputs += tensor.bytes;
    }
    atoll_put_uint(answer, ticks);
  }
  return atoll_ok();
}

static atoll_status profile(atoll_device *device, atoll_bytes request, atoll_writer *answer) {
  const atoll_inference *inference = device->inference;
  uint32_t off = 0, code, ticks;
  (void)atoll_map_uint(request, "off", &off);
  const atoll_status loaded = atoll_load_active(device);
  if (loaded.rc != SMP_EOK) return loaded;
  uint32_t count = 0;
  while (count < PROFILE_ENTRIES && off <= UINT32_MAX - count &&
         inference->profile_at(inference->context, off + count, &code, &ticks))
    count++;
  const bool more = count == PROFILE_ENTRIES && inference->profile_at(inference->context, off + count, &code, &ticks);
  atoll_put_map(answer, more ? 2 : 1);
  atoll_put_text(answer, "ops");
  atoll_put_array(answer, count);
  for (uint32_t i = 0; i < count; i++) {
    (void)inference->profile_at(inference->context, off + i, &code, &ticks);
    atoll_put_array(answer, 2);
    atoll_put_uint(answer, code);
    atoll_put_uint(answer, ticks);
  }
  if (more) atoll_put_key_uint(answer, "next", off + count);
  return atoll_ok();
}

const atoll_command atoll_inference_commands[] = {
    {GROUP_ATOLL, 5, true, write_input}, {GROUP_ATOLL, 6, true, run},  {GROUP_ATOLL, 7, false, read_output},
    {GROUP_ATOLL, 10, false, profile},   {GROUP_ATOLL, 11, true, infer}, {0},
};
