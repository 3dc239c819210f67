#define _GNU_SOURCE
#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include "atoll/config.h"
#include "console.h"

enum { HEADER_BYTES = 8 };

struct wire {
  enum { PTY, TCP, UDP } kind;
  char uri[64];
  /** The pseudo-terminal, the listening socket, or the UDP socket. */
  int fd;
  /** The client of a TCP port; the other end of the terminal, which keeps it open. */
  int peer;
  struct sockaddr_in from;
  atoll_console console;
  /** Bytes that were received and not processed yet. */
  uint8_t input[4096];
  uint32_t input_at, input_end;
  uint8_t packet[ATOLL_PACKET_BYTES];
  uint32_t packet_bytes, skip;
  uint8_t output[2 * ATOLL_PACKET_BYTES];
  uint32_t output_bytes;
};

static int open_pty(wire *line) {
  struct termios raw;
  line->fd = posix_openpt(O_RDWR | O_NOCTTY);
  if (line->fd < 0 || grantpt(line->fd) != 0 || unlockpt(line->fd) != 0) return -1;
  line->peer = open(ptsname(line->fd), O_RDWR | O_NOCTTY);
  if (line->peer < 0 || tcgetattr(line->peer, &raw) != 0) return -1;
  cfmakeraw(&raw);
  snprintf(line->uri, sizeof line->uri, "serial:%s", ptsname(line->fd));
  return tcsetattr(line->peer, TCSANOW, &raw);
}

static int open_socket(wire *line, int type, const char *port) {
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t length = sizeof address;
  const int yes = 1;
  line->fd = socket(AF_INET, type, 0);
  if (line->fd < 0 || setsockopt(line->fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0) return -1;
  if (bind(line->fd, (struct sockaddr *)&address, sizeof address) != 0 ||
      (type == SOCK_STREAM && listen(line->fd, 1) != 0))
    return -1;
  if (getsockname(line->fd, (struct sockaddr *)&address, &length) != 0) return -1;
  snprintf(line->uri, sizeof line->uri, "%s:127.0.0.1:%u", type == SOCK_STREAM ? "tcp" : "udp",
           (unsigned)ntohs(address.sin_port));
  return 0;
}

wire *wire_open(const char *where) {
  wire *line = calloc(1, sizeof *line);
  if (line == NULL) return NULL;
  line->peer = -1;
  int result = -1;
  if (strcmp(where, "pty") == 0) line->kind = PTY, result = open_pty(line);
  else if (strncmp(where, "tcp:", 4) == 0) line->kind = TCP, result = open_socket(line, SOCK_STREAM, where + 4);
  else if (strncmp(where, "udp:", 4) == 0) line->kind = UDP, result = open_socket(line, SOCK_DGRAM, where + 4);
  else errno = EINVAL;
  if (result != 0) {
    free(line);
    return NULL;
  }
  return line;
}

const char *wire_uri(const wire *line) { return line->uri; }

static bool readable(int fd, int timeout_ms) {
  struct pollfd wait = {.fd = fd, .events = POLLIN};
  return poll(&wait, 1, timeout_ms) == 1;
}

/** Processes input until a packet is complete. @return its length, or 0 */
static uint32_t take_console(wire *line, uint8_t *packet) {
  while (line->input_at < line->input_end) {
    const uint32_t length = atoll_console_take(&line->console, line->input[line->input_at++]);
    if (length == 0 || length > ATOLL_PACKET_BYTES) continue;
    memcpy(packet, line->console.frame + 2, length);
    return length;
  }
  return 0;
}

static uint32_t take_raw(wire *line, uint8_t *packet) {
  while (line->input_at < line->input_end) {
    const uint8_t byte = line->input[line->input_at++];
    if (line->skip > 0) {
      line->skip--;
      continue;
    }
    line->packet[line->packet_bytes++] = byte;
    if (line->packet_bytes < HEADER_BYTES) continue;
    const uint32_t length = HEADER_BYTES + (uint32_t)(line->packet[2] << 8 | line->packet[3]);
    if (length > ATOLL_PACKET_BYTES) {
      line->skip = length - line->packet_bytes;
      line->packet_bytes = 0;
    } else if (line->packet_bytes == length) {
      memcpy(packet, line->packet, length);
      line->packet_bytes = 0;
      return length;
    }
  }
  return 0;
}

static void forget_client(wire *line) {
  close(line->peer);
  line->peer = -1;
  line->packet_bytes = line->skip = 0;
}

/** Reads what was received. @return false if nothing was */
static bool fill(wire *line, int timeout_ms) {
  if (line->kind == TCP && line->peer < 0) {
    if (!readable(line->fd, timeout_ms)) return false;
    const int yes = 1;
    line->peer = accept(line->fd, NULL, NULL);
    if (line->peer >= 0) (void)setsockopt(line->peer, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return false;
  }
  const int fd = line->kind == TCP ? line->peer : line->fd;
  if (!readable(fd, timeout_ms)) return false;
  const ssize_t got = read(fd, line->input, sizeof line->input);
  if (got <= 0 && line->kind == TCP) forget_client(line);
  line->input_at = 0;
  line->input_end = got > 0 ? (uint32_t)got : 0;
  return got > 0;
}

uint32_t wire_receive(wire *line, uint8_t *packet, int timeout_ms) {
  if (line->kind == UDP) {
    socklen_t length = sizeof line->from;
    if (!readable(line->fd, timeout_ms)) return 0;
    const ssize_t got =
        recvfrom(line->fd, packet, ATOLL_PACKET_BYTES, MSG_TRUNC, (struct sockaddr *)&line->from, &length);
    return got > 0 && got <= ATOLL_PACKET_BYTES ? (uint32_t)got : 0;
  }
  do {
    const uint32_t length = line->kind == PTY ? take_console(line, packet) : take_raw(line, packet);
    if (length > 0) return length;
  } while (fill(line, timeout_ms));
  return 0;
}

static void put(void *context, uint8_t byte) {
  wire *line = context;
  if (line->output_bytes < sizeof line->output) line->output[line->output_bytes++] = byte;
}

static void write_all(int fd, const uint8_t *bytes, uint32_t length) {
  while (length > 0) {
    const ssize_t written = write(fd, bytes, length);
    if (written <= 0) return;
    bytes += written;
    length -= (uint32_t)written;
  }
}

void wire_send(wire *line, const uint8_t *packet, uint32_t length) {
  if (length == 0) return;
  if (line->kind == UDP) {
    (void)sendto(line->fd, packet, length, 0, (struct sockaddr *)&line->from, sizeof line->from);
  } else if (line->kind == TCP) {
    write_all(line->peer, packet, length);
  } else {
    line->output_bytes = 0;
    atoll_console_send(packet, length, put, line);
    write_all(line->fd, line->output, line->output_bytes);
  }
}
