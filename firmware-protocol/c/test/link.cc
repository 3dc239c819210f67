// The public headers in C++: they compile, and what they declare links.
#include "atoll/device.h"
#include "atoll/fleet.h"

int main() {
  static atoll_device device;
  static atoll_fleet fleet;
  atoll_slot_phase phase = ATOLL_SLOT_OPEN;
  atoll_fleet_step step = ATOLL_FLEET_RESTING;
  device.store.slots[0].phase = phase;
  fleet.step = step;
  uint8_t answer[ATOLL_PACKET_BYTES];
  const uint8_t nothing[1] = {0};
  return atoll_device_answer(&device, nothing, 0, answer) == 0 ? 0 : 1;
}
