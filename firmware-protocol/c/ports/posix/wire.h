// The transport of the POSIX port: whole packets over a pseudo-terminal, TCP or UDP.
#ifndef ATOLL_WIRE_H
#define ATOLL_WIRE_H

#include <stdint.h>

typedef struct wire wire;

/**
 * @param where pty, tcp:PORT or udp:PORT on the loopback address; port 0 chooses a free one
 * @return NULL on failure, with errno set
 */
wire *wire_open(const char *where);
/** The device's URI. */
const char *wire_uri(const wire *line);
/**
 * Waits for a packet.
 * @param packet room for ATOLL_PACKET_BYTES
 * @return its length, or 0 after the timeout
 */
uint32_t wire_receive(wire *line, uint8_t *packet, int timeout_ms);
void wire_send(wire *line, const uint8_t *packet, uint32_t length);

#endif
