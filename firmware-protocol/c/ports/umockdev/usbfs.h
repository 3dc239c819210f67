// A USB device that libusb finds and talks to, without hardware: umockdev puts its descriptors where the system's would be, and the ioctls that libusb
// makes on its device node are answered here. What the device does is in its gadget.
#ifndef ATOLL_USBFS_H
#define ATOLL_USBFS_H

#include <stddef.h>
#include <stdint.h>

enum { USBFS_STALL = -1, USBFS_NOTHING = -2 };

typedef struct usbfs_gadget {
  uint16_t vendor, product;
  /** The device descriptor, then its one configuration with all that belongs to it. */
  const uint8_t *descriptors;
  size_t descriptor_bytes;
  /** By their index; the first is not used. String 3 is the serial number. */
  const char *const *strings;
  uint32_t string_count;
  /** A request of a class or vendor. @param data of the host, or for it. @return bytes for the host, or USBFS_STALL */
  int32_t (*control)(const uint8_t setup[8], uint8_t *data, uint32_t length);
  /** Bytes on the endpoint to the device; NULL where it has none. */
  void (*take_out)(const uint8_t *bytes, uint32_t length);
  /** What a read of the other endpoint gets: a transfer's length, or USBFS_NOTHING. */
  int32_t (*give_in)(uint8_t *bytes, uint32_t room);
} usbfs_gadget;

/** Runs a program that sees the device, under umockdev-wrapper. @return its exit code */
int usbfs_run(const usbfs_gadget *gadget, char **command);

/** The plug is pulled: what is under way ends, and the device is gone. */
void usbfs_unplug(void);

/** The device goes, and comes back as another one. */
void usbfs_become(const usbfs_gadget *other);

#endif
