// OS group (0), statistics group (2) and enumeration group (10).
#include <string.h>

#include "server.h"

static atoll_status echo(atoll_device *device, atoll_bytes request, atoll_writer *answer) {
  (void)device;
  atoll_bytes text;
  if (!atoll_map_text(request, "d", &text)) return smp_error(SMP_EINVAL);
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

/** The meaning of the letters of `format` (Zephyr smp_group_0.rst), in the order of the response. */
static const char *info_field(const atoll_system *system, char letter) {
  switch (letter) {
    case 's':
    case 'o':
      return "Atoll";
    case 'n':
      return system->id;
    case 'r':
      return system->firmware;
    case 'm':
    case 'i':
      return system->target;
    default:
      return "unknown";
  }
}

static atoll_status info(atoll_device *device, atoll_bytes request, atoll_writer *answer) {
  static const char letters[] = "snrvbmpio";
  atoll_bytes format = {(const uint8_t *)"s", 1};
  atoll_reader given;
  if (atoll_map_find(request, "format", &given) && !atoll_read_text(&given, &format)) return smp_error(SMP_EINVAL);
  bool all = false;
  for (uint32_t i = 0; i < format.length; i++) {
    if (format.at[i] == 'a') all = true;
    else if (format.at[i] == 0 || strchr(letters, format.at[i]) == NULL) return os_error(OS_INVALID_FORMAT);
  }
  char text[160];
  size_t length = 0;
  for (const char *letter = letters; *letter != 0; letter++) {
    if (!all && memchr(format.at, *letter, format.length) == NULL) continue;
    const char *field = info_field(device->system, *letter);
    const size_t bytes = strlen(field);
    if (length + 1 + bytes > sizeof text) return smp_error(SMP_EMSGSIZE);
    if (length > 0) text[length++] = ' ';
    memcpy(text + length, field, bytes);
    length += bytes;
  }
  atoll_put_map(answer, 1);
  atoll_put_text(answer, "output");
  atoll_put_text_bytes(answer, (atoll_bytes){(const uint8_t *)text, (uint32_t)length});
  return atoll_ok();
}

static const char stats_name[] = "atoll";

static atoll_status stats_read(atoll_device *device, atoll_bytes request, atoll_writer *answer) {
  atoll_bytes name;
  if (!atoll_map_text(request, "name", &name)) return smp_error(SMP_EINVAL);
  if (!atoll_text_is(name, stats_name)) return smp_error(SMP_ENOENT);
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
    {GROUP_OS, 0, true, echo},    {GROUP_OS, 0, false, echo}, {GROUP_OS, 5, true, reset},
    {GROUP_OS, 6, false, params}, {GROUP_OS, 7, false, info}, {0},
};

const atoll_command atoll_stats_commands[] = {
    {GROUP_STATS, 0, false, stats_read}, {GROUP_STATS, 1, false, stats_list}, {0}};

typedef struct group_name {
  uint32_t id;
  const char *name;
} group_name;

static const group_name groups[] = {
    {GROUP_OS, "os mgmt"},     {GROUP_STATS, "stat mgmt"}, {GROUP_FILE, "fs mgmt"},
    {GROUP_ENUMERATION, "enum mgmt"}, {GROUP_ATOLL, "atoll"},
};
enum { GROUPS = sizeof groups / sizeof groups[0] };

static atoll_status enum_count(atoll_device *device, atoll_bytes request, atoll_writer *answer) {
  (void)device;
  (void)request;
  atoll_put_map(answer, 1);
  atoll_put_key_uint(answer, "count", GROUPS);
  return atoll_ok();
}

static atoll_status enum_list(atoll_device *device, atoll_bytes request, atoll_writer *answer) {
  (void)device;
  (void)request;
  atoll_put_map(answer, 1);
  atoll_put_text(answer, "groups");
  atoll_put_array(answer, GROUPS);
  for (uint32_t i = 0; i < GROUPS; i++) atoll_put_uint(answer, groups[i].id);
  return atoll_ok();
}

static atoll_status enum_single(atoll_device *device, atoll_bytes request, atoll_writer *answer) {
  (void)device;
  uint32_t index = 0;
  atoll_reader given;
  if (atoll_map_find(request, "index", &given) && !atoll_read_uint(&given, &index)) return smp_error(SMP_EINVAL);
  if (index >= GROUPS) return (atoll_status){.group = GROUP_ENUMERATION, .rc = ENUM_INDEX_TOO_LARGE};
  const bool end = index == GROUPS - 1;
  atoll_put_map(answer, end ? 2 : 1);
  atoll_put_key_uint(answer, "group", groups[index].id);
  if (end) atoll_put_key_bool(answer, "end", true);
  return atoll_ok();
}

/** Whether the request names this group, or none. */
static bool is_asked(atoll_bytes request, uint32_t id) {
  atoll_reader list;
  uint32_t count;
  if (!atoll_map_find(request, "groups", &list) || !atoll_read_array(&list, &count)) return true;
  for (uint32_t i = 0; i < count && !(count == UINT32_MAX && atoll_at_break(&list)); i++) {
    uint32_t asked;
    if (!atoll_read_uint(&list, &asked)) return false;
    if (asked == id) return true;
  }
  return false;
}

static atoll_status enum_details(atoll_device *device, atoll_bytes request, atoll_writer *answer) {
  (void)device;
  uint32_t asked = 0;
  for (uint32_t i = 0; i < GROUPS; i++) asked += is_asked(request, groups[i].id) ? 1u : 0u;
  atoll_put_map(answer, 1);
  atoll_put_text(answer, "groups");
  atoll_put_array(answer, asked);
  for (uint32_t i = 0; i < GROUPS; i++) {
    if (!is_asked(request, groups[i].id)) continue;
    atoll_put_map(answer, 2);
    atoll_put_key_uint(answer, "group", groups[i].id);
    atoll_put_key_text(answer, "name", groups[i].name);
  }
  return atoll_ok();
}

const atoll_command atoll_enum_commands[] = {
    {GROUP_ENUMERATION, 0, false, enum_count},
    {GROUP_ENUMERATION, 1, false, enum_list},
    {GROUP_ENUMERATION, 2, false, enum_single},
    {GROUP_ENUMERATION, 3, false, enum_details},
    {0},
};
