// Arbitrary packets to a device with an active model, and arbitrary bytes on its console line. Input: packets, each
// preceded by its length in two bytes; if the first byte is odd, all of it is sent over the line instead.
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "console.h"
#include "fake.h"
#include "flash_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static _Alignas(16) uint8_t area[2 * 2048 + 2 * 256];
  static bool written[sizeof area];
  static atoll_flash_model flash;
  static atoll_device device;
  static atoll_console console;
  static fake_runtime runtime;
  static fake_system board;
  static const uint8_t model[] = {'M', 1, 2, 3};
  uint8_t answer[ATOLL_PACKET_BYTES];
  if (size < 1) return 0;
  memset(area, 0xff, sizeof area);
  memset(&console, 0, sizeof console);
  fake_runtime_init(&runtime);
  fake_system_init(&board);
  atoll_flash_model_init(&flash, area, written, 2048, 256, 16);
  if (!atoll_device_boot(&device, &board.system, &flash.flash, &runtime.inference) ||
      !fake_push(&device, model, sizeof model, true))
    abort();
  if (data[0] & 1) {
    for (size_t i = 1; i < size; i++) {
      const uint32_t length = atoll_console_take(&console, data[i]);
      if (length > 0) (void)atoll_device_answer(&device, console.frame + 2, length, answer);
    }
  } else {
    for (size_t at = 1; at + 2 <= size;) {
      size_t length = atoll_le16(data + at);
      at += 2;
      if (length > size - at) length = size - at;
      const uint32_t answered = atoll_device_answer(&device, data + at, (uint32_t)length, answer);
      if (answered > ATOLL_PACKET_BYTES || (answered > 0 && !atoll_is_map((atoll_bytes){answer + 8, answered - 8})))
        abort();
      atoll_device_poll(&device);
      at += length;
    }
  }
  // The device still responds, the model still runs, and flash was written correctly.
  static const uint8_t echo[] = {0x0a, 0, 0, 4, 0, 0, 1, 0, 0xa1, 0x61, 'd', 0x60};
  if (atoll_device_answer(&device, echo, sizeof echo, answer) != 12 || flash.violations > 0 || device.store.active == 2)
    abort();
  return 0;
}
