// A USB device that libusb finds and uses, without hardware: umockdev provides its descriptors in place of the
// kernel's, and the ioctls of libusb on its device node are handled here. The gadget implements the device.
#ifndef ATOLL_USBFS_H
#define ATOLL_USBFS_H

#include <stddef.h>
#include <stdint.h>

enum { USBFS_STALL = -1, USBFS_NOTHING = -2 };

typedef struct usbfs_gadget {
  uint16_t vendor, product;
  /** The device descriptor, followed by its only configuration with all that belongs to it. */
  const uint8_t *descriptors;
  size_t descriptor_bytes;
  /** String descriptors by index; the first is not used. String 3 is the serial number. A count of 0 means none. */
  const char *const *strings;
  uint32_t string_count;
  /** In Mbit/s, as reported by the kernel; 0: 12. */
  uint32_t speed;
  /**
   * A class or vendor request.
   * @param data from the host, or for it
   * @return number of bytes for the host, or USBFS_STALL
   */
  int32_t (*control)(const uint8_t setup[8], uint8_t *data, uint32_t length);
  /** Data for an endpoint of the device; NULL if it has none. @return number of accepted bytes, or USBFS_STALL */
  int32_t (*take_out)(uint8_t endpoint, const uint8_t *bytes, uint32_t length);
  /** The result of reading an endpoint: the length of a transfer, USBFS_NOTHING, or USBFS_STALL. */
  int32_t (*give_in)(uint8_t endpoint, uint8_t *bytes, uint32_t room);
  /** A bus reset; NULL if it changes nothing. */
  void (*reset)(void);
} usbfs_gadget;

/** Runs a program under umockdev-wrapper, in which it sees the device. @return its exit code */
int usbfs_run(const usbfs_gadget *gadget, char **command);

/** Unplugs the device: pending transfers end. */
void usbfs_unplug(void);

/** Removes the device, which comes back as another one. */
void usbfs_become(const usbfs_gadget *other);

#endif
