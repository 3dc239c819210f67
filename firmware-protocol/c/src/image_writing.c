// Writes an image into the inactive slot, plain or from inflated blocks, within its limits.
#include "server.h"

atoll_status atoll_begin_image(atoll_device *device, uint32_t length) {
  const uint8_t slot = atoll_store_inactive(&device->store);
  if (length != UINT32_MAX && length > device->store.flash->slot_bytes)
    return atoll_error(ATOLL_RC_IMAGE_TOO_LARGE, "the image is larger than a slot");
  if (atoll_store_in_use(&device->store, slot))
    return atoll_error(ATOLL_RC_SLOT_IN_USE,
                       "the device falls back to this slot while the active one is not confirmed");
  if (device->loaded == slot) device->loaded = ATOLL_NO_SLOT;
  return atoll_store_begin(&device->store, slot, length == UINT32_MAX ? 0 : length) ? atoll_ok()
                                                                                    : file_error(FILE_WRITE_FAILED);
}

atoll_status atoll_append_image(atoll_device *device, const uint8_t *bytes, uint32_t length) {
  const uint8_t slot = atoll_store_inactive(&device->store);
  if (atoll_store_in_use(&device->store, slot))
    return atoll_error(ATOLL_RC_SLOT_IN_USE,
                       "the device falls back to this slot while the active one is not confirmed");
  if (length > device->store.flash->slot_bytes - device->store.slots[slot].bytes)
    return atoll_error(ATOLL_RC_IMAGE_TOO_LARGE, "the image is larger than a slot");
  return atoll_store_append(&device->store, slot, bytes, length) ? atoll_ok() : file_error(FILE_WRITE_FAILED);
}
