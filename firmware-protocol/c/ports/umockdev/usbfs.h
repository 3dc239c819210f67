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
  /** By their index; the first is not used. String 3 is the serial number. None where the count is 0. */
  const char *const *strings;
  uint32_t string_count;
  /** In Mbit/s, as the system tells it; 0: 12. */
  uint32_t speed;
  /** A request of a class or vendor. @param data of the host, or for it. @return bytes for the host, or USBFS_STALL */
  int32_t (*control)(const uint8_t setup[8], uint8_t *data, uint32_t length);
  /** Bytes on an endpoint to the device; NULL where it has none. @return how many it has taken, or USBFS_STALL */
  int32_t (*take_out)(uint8_t endpoint, const uint8_t *bytes, uint32_t length);
  /** What a read of an endpoint gets: a transfer's length, USBFS_NOTHING, or USBFS_STALL. */
  int32_t (*give_in)(uint8_t endpoint, uint8_t *bytes, uint32_t room);
  /** The bus is reset; NULL where that changes nothing. */
  void (*reset)(void);
} usbfs_gadget;

/** Runs a program that sees the device, under umockdev-wrapper. @return its exit code */
int usbfs_run(const usbfs_gadget *gadget, char **command);

/** The plug is pulled: what is under way ends, and the device is gone. */
void usbfs_unplug(void);

/** The device goes, and comes back as another one. */
void usbfs_become(const usbfs_gadget *other);

#endif
