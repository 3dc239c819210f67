#define _GNU_SOURCE
#include "usbfs.h"

#include <errno.h>
#include <linux/usbdevice_fs.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <umockdev.h>
#include <unistd.h>

enum {
  URBS = 128, SETUP = 8, DATA = 8192, IN = 0x80, GET_DESCRIPTOR = 6, SET_INTERFACE = 11, DEVICE = 1,
  CONFIGURATION = 2, STRING = 3, POLL_US = 5000, RENUMBERING_US = 400000, PORT = 2, FULL_SPEED = 12
};

typedef struct pending {
  UMockdevIoctlData *urb, *buffer;
  bool done;
} pending;

/** One at a time, since the testbed calls from its own thread. */
static struct {
  const usbfs_gadget *gadget;
  pending urbs[URBS];
  uint32_t count;
  atomic_bool unplugged;
  /** The next device; the main thread makes the change. */
  _Atomic(const usbfs_gadget *) next;
} usb;

void usbfs_unplug(void) { usb.unplugged = true; }

void usbfs_become(const usbfs_gadget *other) {
  usb.unplugged = true;
  usb.next = other;
}

/**
 * @param at offset of the data in the buffer; for a control transfer it follows the setup packet, which does not count
 */
static void finish(pending *urb, int status, int at, const uint8_t *bytes, uint32_t length) {
  const int actual = (int)length;
  if (bytes != NULL && length > 0) umockdev_ioctl_data_update(urb->buffer, at, (guint8 *)(uintptr_t)bytes, actual);
  umockdev_ioctl_data_update(urb->urb, offsetof(struct usbdevfs_urb, status), (guint8 *)&status, sizeof status);
  umockdev_ioctl_data_update(urb->urb, offsetof(struct usbdevfs_urb, actual_length), (guint8 *)(uintptr_t)&actual,
                             sizeof actual);
  urb->done = true;
}

/** Status of a transfer that the device did not accept: it stalled or was unplugged. */
static int refused(void) { return usb.unplugged ? -ESHUTDOWN : -EPIPE; }

static int32_t string_descriptor(uint8_t index, uint8_t *out) {
  if (index == 0) {
    memcpy(out, "\x04\x03\x09\x04", 4);
    return 4;
  }
  if (index >= usb.gadget->string_count) return USBFS_STALL;
  const char *text = usb.gadget->strings[index];
  const uint32_t length = 2 + 2 * (uint32_t)strlen(text);
  if (length > 255) return USBFS_STALL;
  memset(out, 0, length);
  out[0] = (uint8_t)length;
  out[1] = STRING;
  for (uint32_t i = 0; text[i] != '\0'; i++) out[2 + 2 * i] = (uint8_t)text[i];
  return (int32_t)length;
}

static int32_t answer_control(const uint8_t *setup, uint8_t *data, uint32_t length) {
  const uint32_t device_bytes = usb.gadget->descriptors[0];
  if ((setup[0] & 0x60) != 0)
    return usb.gadget->control == NULL ? USBFS_STALL : usb.gadget->control(setup, data, length);
  if (setup[0] == IN && setup[1] == GET_DESCRIPTOR && setup[3] == STRING) return string_descriptor(setup[2], data);
  if (setup[0] == IN && setup[1] == GET_DESCRIPTOR && setup[3] == DEVICE) {
    memcpy(data, usb.gadget->descriptors, device_bytes);
    return (int32_t)device_bytes;
  }
  if (setup[0] == IN && setup[1] == GET_DESCRIPTOR && setup[3] == CONFIGURATION) {
    memcpy(data, usb.gadget->descriptors + device_bytes, usb.gadget->descriptor_bytes - device_bytes);
    return (int32_t)(usb.gadget->descriptor_bytes - device_bytes);
  }
  return (setup[0] & IN) != 0 ? USBFS_STALL : 0;
}

static void control(pending *urb) {
  uint8_t setup[SETUP], data[DATA];
  memcpy(setup, urb->buffer->data, SETUP);
  const uint32_t asked = (uint32_t)(setup[6] | (setup[7] << 8));
  const bool in = (setup[0] & IN) != 0;
  if (asked > DATA) {
    finish(urb, -EPIPE, 0, NULL, 0);
    return;
  }
  if (!in) memcpy(data, urb->buffer->data + SETUP, asked);
  const int32_t length = answer_control(setup, data, asked);
  if (length < 0) finish(urb, refused(), 0, NULL, 0);
  else if (in) finish(urb, 0, SETUP, data, (uint32_t)length < asked ? (uint32_t)length : asked);
  else finish(urb, 0, SETUP, NULL, asked);
}

static const struct usbdevfs_urb *urb_of(const pending *urb) {
  return (const struct usbdevfs_urb *)(const void *)urb->urb->data;
}

static bool is_waiting_read(const pending *urb) {
  return !urb->done && urb_of(urb)->type != USBDEVFS_URB_TYPE_CONTROL && (urb_of(urb)->endpoint & IN) != 0;
}

/** Completes waiting reads with data from the device, the first one of each endpoint first. */
static void serve_reads(void) {
  bool silent[1 << 8] = {false};
  for (uint32_t i = 0; i < usb.count && usb.gadget->give_in != NULL; i++) {
    if (!is_waiting_read(&usb.urbs[i])) continue;
    const uint8_t endpoint = urb_of(&usb.urbs[i])->endpoint;
    const uint32_t room = (uint32_t)urb_of(&usb.urbs[i])->buffer_length;
    if (silent[endpoint]) continue;
    uint8_t *data = malloc(room);
    const int32_t length = data == NULL ? USBFS_STALL : usb.gadget->give_in(endpoint & (IN - 1), data, room);
    if (length == USBFS_NOTHING) silent[endpoint] = true;
    else if (length < 0) finish(&usb.urbs[i], refused(), 0, NULL, 0);
    else finish(&usb.urbs[i], 0, 0, data, (uint32_t)length);
    free(data);
  }
}

/** Ends waiting reads, as when their interface is released. */
static void end_reads(void) {
  for (uint32_t i = 0; i < usb.count; i++)
    if (is_waiting_read(&usb.urbs[i])) finish(&usb.urbs[i], -ENOENT, 0, NULL, 0);
}

static int submit(UMockdevIoctlData *arg) {
  UMockdevIoctlData *data = umockdev_ioctl_data_resolve(arg, 0, sizeof(struct usbdevfs_urb), NULL);
  if (data == NULL || usb.count == URBS) return ENOMEM;
  const struct usbdevfs_urb *urb = (const struct usbdevfs_urb *)(const void *)data->data;
  UMockdevIoctlData *buffer =
      urb->buffer_length > 0
          ? umockdev_ioctl_data_resolve(data, offsetof(struct usbdevfs_urb, buffer), (gsize)urb->buffer_length, NULL)
          : NULL;
  pending *added = &usb.urbs[usb.count++];
  *added = (pending){data, buffer, false};
  if (urb->type == USBDEVFS_URB_TYPE_CONTROL) {
    control(added);
  } else if ((urb->endpoint & IN) == 0 && usb.gadget->take_out != NULL) {
    const int32_t taken =
        usb.gadget->take_out(urb->endpoint, buffer == NULL ? NULL : buffer->data, (uint32_t)urb->buffer_length);
    finish(added, taken < 0 ? refused() : 0, 0, NULL, taken < 0 ? 0 : (uint32_t)taken);
  }
  serve_reads();
  return 0;
}

/** Returns the first completed URB. */
static int reap(UMockdevIoctlData *arg) {
  for (uint32_t i = 0; i < usb.count; i++) {
    if (!usb.urbs[i].done) continue;
    UMockdevIoctlData *to = umockdev_ioctl_data_resolve(arg, 0, sizeof(void *), NULL);
    umockdev_ioctl_data_set_ptr(to, 0, usb.urbs[i].urb);
    g_object_unref(to);
    g_clear_object(&usb.urbs[i].urb);
    g_clear_object(&usb.urbs[i].buffer);
    memmove(&usb.urbs[i], &usb.urbs[i + 1], (usb.count - i - 1) * sizeof usb.urbs[0]);
    usb.count--;
    return 0;
  }
  return EAGAIN;
}

static int discard(UMockdevIoctlData *arg) {
  gulong address;
  memcpy(&address, arg->data, sizeof address);
  for (uint32_t i = 0; i < usb.count; i++) {
    if (usb.urbs[i].urb->client_addr != address || usb.urbs[i].done) continue;
    finish(&usb.urbs[i], -ENOENT, 0, NULL, 0);
    return 0;
  }
  return EINVAL;
}

/** Like the kernel: pending transfers end and can be reaped; afterwards there is no device. */
static int handle_unplugged(gulong request, UMockdevIoctlData *arg) {
  for (uint32_t i = 0; i < usb.count; i++)
    if (!usb.urbs[i].done) finish(&usb.urbs[i], -ESHUTDOWN, 0, NULL, 0);
  const bool reaps = request == USBDEVFS_REAPURB || request == USBDEVFS_REAPURBNDELAY;
  return reaps && reap(arg) == 0 ? 0 : ENODEV;
}

/** @return an errno, or 0 */
static int handle(gulong request, UMockdevIoctlData *arg) {
  if (usb.unplugged) return handle_unplugged(request, arg);
  switch (request) {
    case USBDEVFS_GET_CAPABILITIES: {
      // Transfers of any length arrive as one URB.
      uint32_t capabilities = USBDEVFS_CAP_NO_PACKET_SIZE_LIM;
      UMockdevIoctlData *to = umockdev_ioctl_data_resolve(arg, 0, sizeof capabilities, NULL);
      umockdev_ioctl_data_update(to, 0, (guint8 *)&capabilities, sizeof capabilities);
      g_object_unref(to);
      return 0;
    }
    case USBDEVFS_SUBMITURB:
      return submit(arg);
    case USBDEVFS_REAPURB:
    case USBDEVFS_REAPURBNDELAY:
      return reap(arg);
    case USBDEVFS_DISCARDURB:
      return discard(arg);
    case USBDEVFS_SETINTERFACE: {
      if (usb.gadget->control == NULL) return 0;
      // The gadget sees the control request that the kernel would send.
      UMockdevIoctlData *from = umockdev_ioctl_data_resolve(arg, 0, sizeof(struct usbdevfs_setinterface), NULL);
      const struct usbdevfs_setinterface *set = (const struct usbdevfs_setinterface *)(const void *)from->data;
      const uint8_t setup[SETUP] = {0x01, SET_INTERFACE, (uint8_t)set->altsetting, 0, (uint8_t)set->interface};
      (void)usb.gadget->control(setup, NULL, 0);
      g_object_unref(from);
      return 0;
    }
    case USBDEVFS_RELEASEINTERFACE:
    case USBDEVFS_RESET:
      end_reads();
      if (request == USBDEVFS_RESET && usb.gadget->reset != NULL) usb.gadget->reset();
      return usb.unplugged ? ENODEV : 0;
    case USBDEVFS_DISCONNECT_CLAIM:
    case USBDEVFS_CLAIMINTERFACE:
    case USBDEVFS_SETCONFIGURATION:
    case USBDEVFS_CLEAR_HALT:
      return 0;
    case USBDEVFS_IOCTL:
    case USBDEVFS_GETDRIVER:
      return ENODATA;
    default:
      return ENOTTY;
  }
}

typedef struct {
  UMockdevIoctlBase parent;
} AtollUsb;
typedef struct {
  UMockdevIoctlBaseClass parent;
} AtollUsbClass;
G_DEFINE_TYPE(AtollUsb, atoll_usb, UMOCKDEV_TYPE_IOCTL_BASE)

static gboolean handle_ioctl(UMockdevIoctlBase *self, UMockdevIoctlClient *client) {
  (void)self;
  UMockdevIoctlData *arg = umockdev_ioctl_client_get_arg(client);
  const int error = handle(umockdev_ioctl_client_get_request(client), arg);
  umockdev_ioctl_client_complete(client, error == 0 ? 0 : -1, error);
  return TRUE;
}

static void atoll_usb_class_init(AtollUsbClass *class) { class->parent.handle_ioctl = handle_ioctl; }
static void atoll_usb_init(AtollUsb *self) { (void)self; }

/** A device at a port of bus 1, in umockdev's form. It stays at that port when it becomes another device. */
static char *description(const usbfs_gadget *gadget, uint32_t number) {
  GString *hex = g_string_new(NULL);
  for (size_t i = 0; i < gadget->descriptor_bytes; i++) g_string_append_printf(hex, "%02X", gadget->descriptors[i]);
  char *serial = gadget->string_count > 3 ? g_strdup_printf("A: serial=%s\n", gadget->strings[3]) : g_strdup("");
  char *text = g_strdup_printf(
      "P: /devices/usb1/1-%u\n"
      "N: bus/usb/001/%03u=%s\n"
      "E: DEVNAME=/dev/bus/usb/001/%03u\nE: DEVTYPE=usb_device\nE: SUBSYSTEM=usb\nE: BUSNUM=001\nE: DEVNUM=%03u\n"
      "A: busnum=1\nA: devnum=%u\nA: speed=%u\nA: bConfigurationValue=1\nA: idVendor=%04x\nA: idProduct=%04x\n"
      "%s"
      "H: descriptors=%s\n\n",
      PORT, number, hex->str, number, number, number, gadget->speed == 0 ? FULL_SPEED : gadget->speed, gadget->vendor,
      gadget->product, serial, hex->str);
  g_free(serial);
  g_string_free(hex, TRUE);
  return text;
}

static bool plug_in(UMockdevTestbed *testbed, UMockdevIoctlBase *handler, const usbfs_gadget *gadget, uint32_t number) {
  GError *error = NULL;
  char *device = description(gadget, number), *node = g_strdup_printf("/dev/bus/usb/001/%03u", number);
  const bool done = umockdev_testbed_add_from_string(testbed, device, &error) &&
                    umockdev_testbed_attach_ioctl(testbed, node, handler, &error);
  if (!done) fprintf(stderr, "usbfs: %s\n", error->message);
  g_free(device);
  g_free(node);
  return done;
}

/** Removes the device node and adds another device, which the kernel announces. */
static void become(UMockdevTestbed *testbed, UMockdevIoctlBase *handler, const usbfs_gadget *next, uint32_t number) {
  char *port = g_strdup_printf("/sys/devices/usb1/1-%u", PORT);
  umockdev_testbed_uevent(testbed, port, "remove");
  umockdev_testbed_remove_device(testbed, port);
  // The time in which a bus enumerates a device: programs that still have the old one open find it gone.
  usleep(RENUMBERING_US);
  usb.gadget = next;
  usb.unplugged = false;
  if (plug_in(testbed, handler, next, number)) umockdev_testbed_uevent(testbed, port, "add");
  g_free(port);
}

int usbfs_run(const usbfs_gadget *gadget, char **command) {
  uint32_t number = 2;
  usb.gadget = gadget;
  UMockdevTestbed *testbed = umockdev_testbed_new();
  UMockdevIoctlBase *handler = g_object_new(atoll_usb_get_type(), NULL);
  if (!plug_in(testbed, handler, gadget, number)) return 1;
  const pid_t child = fork();
  if (child == 0) {
    execvp(command[0], command);
    perror(command[0]);
    _exit(127);
  }
  int status = 1;
  while (waitpid(child, &status, WNOHANG) == 0) {
    const usbfs_gadget *next = atomic_exchange(&usb.next, NULL);
    if (next != NULL) become(testbed, handler, next, ++number);
    else usleep(POLL_US);
  }
  g_object_unref(handler);
  g_object_unref(testbed);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
