// The device side as a USB device that libusb finds and talks to, without hardware: umockdev puts its descriptors where the system's would be,
// and the ioctls that libusb makes on its device node are answered here. Run it as
//   umockdev-wrapper build/atoll-usb COMMAND...
// and the command sees the device 1209:a701, with one packet per bulk transfer. ATOLL_UNPLUG_AT=n pulls the plug at the n-th transfer.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/usbdevice_fs.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>
#include <umockdev.h>
#include <unistd.h>

#include "atoll/device.h"
#include "atoll_runtime.h"
#include "flash_model.h"

enum { VENDOR = 0x1209, PRODUCT = 0xa701, PACKET = 64, IN = 0x81, OUT = 0x02, SECTOR = 4096, UNIT = 16, SLOT = 1 << 20, ARENA = 1 << 20, URBS = 64 };

static const uint8_t descriptors[] = {
    // Device: USB 2.0, class by interface, strings 1 to 3.
    18, 1, 0x00, 0x02, 0, 0, 0, 64, VENDOR & 0xff, VENDOR >> 8, PRODUCT & 0xff, PRODUCT >> 8, 0x00, 0x01, 1, 2, 3, 1,
    // One configuration, one vendor-specific interface, a bulk endpoint each way.
    9, 2, 32, 0, 1, 1, 0, 0x80, 50, 9, 4, 0, 0, 2, 0xff, 0, 0, 0, 7, 5, IN, 2, PACKET, 0, 0, 7, 5, OUT, 2, PACKET, 0, 0};
static const char *const strings[] = {"", "Atoll", "emulated board", "usb-1"};

typedef struct pending {
  UMockdevIoctlData *urb, *buffer;
  bool done;
} pending;

/** One at a time: the testbed calls from a thread of its own. */
static struct {
  atoll_device device;
  pending urbs[URBS];
  uint32_t count;
  uint8_t out[ATOLL_PACKET_BYTES + PACKET], in[ATOLL_PACKET_BYTES];
  uint32_t out_bytes, in_bytes;
  bool answered;
  uint32_t transfers, unplug_at;
  bool unplugged, reset;
} usb;

static atoll_flash_model flash;
static atoll_runtime runtime;
static atoll_inference inference;

static uint32_t microseconds(void *context) {
  (void)context;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint32_t)(now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

static uint32_t milliseconds(void *context) { return microseconds(context) / 1000; }
static void reset(void *context) { *(bool *)context = true; }

static const atoll_system board = {.context = &usb.reset,
                                   .id = "usb-1",
                                   .target = "qemu-mps2-an386",
                                   .firmware = "atoll-device usb",
                                   .tick_hz = 1000000,
                                   .ticks = microseconds,
                                   .now_ms = milliseconds,
                                   .reset = reset};

static bool boot(void) { return atoll_device_boot(&usb.device, &board, &flash.flash, &inference); }

/** The host's packet is whole when a USB packet of it was short. */
static void take_out(const uint8_t *bytes, uint32_t length) {
  if (usb.out_bytes + length > sizeof usb.out) length = 0;
  memcpy(usb.out + usb.out_bytes, bytes, length);
  usb.out_bytes += length;
  if (length % PACKET == 0 && length > 0) return;
  usb.in_bytes = atoll_device_answer(&usb.device, usb.out, usb.out_bytes, usb.in);
  usb.answered = usb.in_bytes > 0;
  usb.out_bytes = 0;
  atoll_device_poll(&usb.device);
  if (usb.reset) {
    usb.reset = false;
    if (!boot()) abort();
  }
}

static void finish(pending *urb, int status, const uint8_t *bytes, uint32_t length) {
  const int actual = (int)length;
  if (bytes != NULL && length > 0) umockdev_ioctl_data_update(urb->buffer, 0, (guint8 *)(uintptr_t)bytes, actual);
  umockdev_ioctl_data_update(urb->urb, offsetof(struct usbdevfs_urb, status), (guint8 *)&status, sizeof status);
  umockdev_ioctl_data_update(urb->urb, offsetof(struct usbdevfs_urb, actual_length), (guint8 *)(uintptr_t)&actual, sizeof actual);
  urb->done = true;
}

/** A string descriptor, which is all that is asked for. */
static void control(pending *urb) {
  const uint8_t *setup = urb->buffer->data;
  const bool is_string = setup[0] == 0x80 && setup[1] == 6 && setup[3] == 3 && setup[2] < 4;
  uint8_t answer[8 + 64] = {0};
  memcpy(answer, setup, 8);
  uint32_t length = 0;
  if (is_string && setup[2] == 0) {
    memcpy(answer + 8, "\x04\x03\x09\x04", 4);
    length = 4;
  } else if (is_string) {
    const char *text = strings[setup[2]];
    length = 2 + 2 * (uint32_t)strlen(text);
    answer[8] = (uint8_t)length;
    answer[9] = 3;
    for (uint32_t i = 0; text[i] != '\0'; i++) answer[10 + 2 * i] = (uint8_t)text[i];
  } else if (setup[0] & 0x80) {
    finish(urb, -EPIPE, NULL, 0);
    return;
  }
  const uint32_t asked = (uint32_t)(setup[6] | (setup[7] << 8));
  if (length > asked) length = asked;
  // The buffer holds the set-up packet first; the length counts what follows it.
  const int status = 0, actual = (int)length;
  if (length > 0) umockdev_ioctl_data_update(urb->buffer, 8, answer + 8, (int)length);
  umockdev_ioctl_data_update(urb->urb, offsetof(struct usbdevfs_urb, status), (guint8 *)(uintptr_t)&status, sizeof status);
  umockdev_ioctl_data_update(urb->urb, offsetof(struct usbdevfs_urb, actual_length), (guint8 *)(uintptr_t)&actual, sizeof actual);
  urb->done = true;
}

/** Gives an answer to the read that waits for it. */
static void serve_reads(void) {
  for (uint32_t i = 0; i < usb.count && usb.answered; i++) {
    const struct usbdevfs_urb *urb = (const struct usbdevfs_urb *)(const void *)usb.urbs[i].urb->data;
    if (usb.urbs[i].done || urb->endpoint != IN) continue;
    finish(&usb.urbs[i], 0, usb.in, usb.in_bytes);
    usb.answered = false;
  }
}

static int submit(UMockdevIoctlData *arg) {
  UMockdevIoctlData *data = umockdev_ioctl_data_resolve(arg, 0, sizeof(struct usbdevfs_urb), NULL);
  if (data == NULL || usb.count == URBS) return ENOMEM;
  const struct usbdevfs_urb *urb = (const struct usbdevfs_urb *)(const void *)data->data;
  UMockdevIoctlData *buffer = urb->buffer_length > 0 ? umockdev_ioctl_data_resolve(data, offsetof(struct usbdevfs_urb, buffer), (gsize)urb->buffer_length, NULL) : NULL;
  pending *added = &usb.urbs[usb.count++];
  *added = (pending){data, buffer, false};
  if (urb->type == USBDEVFS_URB_TYPE_CONTROL) {
    control(added);
  } else {
    if (++usb.transfers == usb.unplug_at) usb.unplugged = true;
    if (urb->endpoint == OUT) {
      take_out(buffer == NULL ? NULL : buffer->data, (uint32_t)urb->buffer_length);
      finish(added, 0, NULL, (uint32_t)urb->buffer_length);
    }
  }
  serve_reads();
  return 0;
}

/** Hands the first URB back that is done. */
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
    finish(&usb.urbs[i], -ENOENT, NULL, 0);
    return 0;
  }
  return EINVAL;
}

/** As the system does: what was under way ends, can be reaped, and then there is no device any more. */
static int handle_unplugged(gulong request, UMockdevIoctlData *arg) {
  for (uint32_t i = 0; i < usb.count; i++)
    if (!usb.urbs[i].done) finish(&usb.urbs[i], -ESHUTDOWN, NULL, 0);
  const bool reaps = request == USBDEVFS_REAPURB || request == USBDEVFS_REAPURBNDELAY;
  return reaps && reap(arg) == 0 ? 0 : ENODEV;
}

/** @return an errno, or 0 */
static int handle(gulong request, UMockdevIoctlData *arg) {
  if (usb.unplugged) return handle_unplugged(request, arg);
  switch (request) {
    case USBDEVFS_GET_CAPABILITIES: {
      // Transfers of any length come as one URB.
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
    case USBDEVFS_DISCONNECT_CLAIM:
    case USBDEVFS_CLAIMINTERFACE:
    case USBDEVFS_RELEASEINTERFACE:
    case USBDEVFS_SETCONFIGURATION:
    case USBDEVFS_SETINTERFACE:
    case USBDEVFS_CLEAR_HALT:
    case USBDEVFS_RESET:
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

static char *description(void) {
  GString *hex = g_string_new(NULL);
  for (size_t i = 0; i < sizeof descriptors; i++) g_string_append_printf(hex, "%02X", descriptors[i]);
  char *text = g_strdup_printf(
      "P: /devices/usb1/1-1\n"
      "N: bus/usb/001/002=%s\n"
      "E: DEVNAME=/dev/bus/usb/001/002\nE: DEVTYPE=usb_device\nE: SUBSYSTEM=usb\nE: BUSNUM=001\nE: DEVNUM=002\n"
      "A: busnum=1\nA: devnum=2\nA: speed=12\nA: bConfigurationValue=1\nA: idVendor=%04x\nA: idProduct=%04x\n"
      "A: serial=%s\n"
      "H: descriptors=%s\n\n",
      hex->str, VENDOR, PRODUCT, strings[3], hex->str);
  g_string_free(hex, TRUE);
  return text;
}

int main(int argc, char **argv) {
  if (argc < 2) {
    fputs("usage: umockdev-wrapper atoll-usb COMMAND...\n", stderr);
    return 2;
  }
  static uint8_t area[2 * SLOT + 2 * SECTOR] __attribute__((aligned(16)));
  static bool written[sizeof area / UNIT];
  static uint8_t arena[ARENA] __attribute__((aligned(16)));
  const char *unplug = getenv("ATOLL_UNPLUG_AT");
  usb.unplug_at = unplug == NULL ? 0 : (uint32_t)atoi(unplug);
  memset(area, 0xff, sizeof area);
  atoll_flash_model_init(&flash, area, written, SLOT, SECTOR, UNIT);
  atoll_runtime_init(&runtime, arena, ARENA, microseconds, NULL, &inference);
  if (!boot()) return 1;

  GError *error = NULL;
  UMockdevTestbed *testbed = umockdev_testbed_new();
  char *device = description();
  UMockdevIoctlBase *handler = g_object_new(atoll_usb_get_type(), NULL);
  if (!umockdev_testbed_add_from_string(testbed, device, &error) || !umockdev_testbed_attach_ioctl(testbed, "/dev/bus/usb/001/002", handler, &error)) {
    fprintf(stderr, "atoll-usb: %s\n", error->message);
    return 1;
  }
  g_free(device);
  const pid_t child = fork();
  if (child == 0) {
    execvp(argv[1], argv + 1);
    perror(argv[1]);
    _exit(127);
  }
  int status = 1;
  waitpid(child, &status, 0);
  (void)umockdev_testbed_detach_ioctl(testbed, "/dev/bus/usb/001/002", NULL);
  g_object_unref(handler);
  g_object_unref(testbed);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
