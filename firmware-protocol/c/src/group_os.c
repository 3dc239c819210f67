// OS group (0) and statistics group (2).
#include "server.h"

static atoll_status echo(atoll_device *device, atoll_bytes request, atoll_writer *answer) {
  (void)device;
  atoll_bytes text;
  if (!atoll_map_text(request, "d", &text)) return smp_error(SMP_INVALID);
  atoll_put_map(answer, 1);
  atoll_put_text(answer, "r");
  atoll_put_text_bytes(answer, text);
  return atoll_ok();
}

static atoll_status reset(atoll_device *device, atoll_bytes request, atoll_writer *answer) {
  (void)request;
  device->reset_wanted = true;
  atoll_put_map(answer, 0);
  return atoll_ok();
}

static atoll_status params(atoll_device *device, atoll_bytes request, atoll_writer *answer) {
  (void)device;
  (void)request;
  atoll_put_map(answer, 2);
  atoll_put_key_uint(answer, "buf_size", ATOLL_PACKET_BYTES);
  atoll_put_key_uint(answer, "buf_count", ATOLL_BUFFERS);
  return atoll_ok();
}

static atoll_status info(atoll_device *device, atoll_bytes request, atoll_writer *answer) {
  (void)request;
  atoll_put_map(answer, 1);
  atoll_put_key_text(answer, "output", device->system->firmware);
  return atoll_ok();
}

static const char stats_name[] = "atoll";

static atoll_status stats_read(atoll_device *device, atoll_bytes request, atoll_writer *answer) {
  atoll_bytes name;
  if (!atoll_map_text(request, "name", &name)) return smp_error(SMP_INVALID);
  if (!atoll_text_is(name, stats_name)) return smp_error(SMP_NO_ENTRY);
  const atoll_counters *counters = &device->counters;
  atoll_put_map(answer, 2);
  atoll_put_key_text(answer, "name", stats_name);
  atoll_put_text(answer, "fields");
  atoll_put_map(answer, 5);
  atoll_put_key_uint(answer, "inferences", counters->inferences);
  atoll_put_key_uint(answer, "selftests_passed", counters->selftests_passed);
  atoll_put_key_uint(answer, "selftests_failed", counters->selftests_failed);
  atoll_put_key_uint(answer, "resets", counters->resets);
  atoll_put_key_uint(answer, "refused", counters->refused);
  return atoll_ok();
}

static atoll_status stats_list(atoll_device *device, atoll_bytes request, atoll_writer *answer) {
  (void)device;
  (void)request;
  atoll_put_map(answer, 1);
  atoll_put_text(answer, "stat_list");
  atoll_put_array(answer, 1);
  atoll_put_text(answer, stats_name);
  return atoll_ok();
}

const atoll_command atoll_os_commands[] = {
    {GROUP_OS, 0, true, echo},  {GROUP_OS, 0, false, echo}, {GROUP_OS, 5, true, reset}, {GROUP_OS, 6, false, params}, {GROUP_OS, 7, false, info}, {0},
};

const atoll_command atoll_stats_commands[] = {{GROUP_STATS, 0, false, stats_read}, {GROUP_STATS, 1, false, stats_list}, {0}};
