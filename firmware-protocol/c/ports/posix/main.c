// The device side as a program: a pseudo-terminal (console framing), a TCP port (packets back to back) or a UDP port,
// and a flash in a file. For tests, and as a template for ports: wire.c is the transport, flash_model.c the flash,
// board.c the rest.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "board.h"
#include "wire.h"

int main(int argc, char **argv) {
  static posix_board board;
  const char *where = "pty";
  posix_board_init(&board);
  for (int i = 1; i + 1 < argc; i += 2) {
    if (strcmp(argv[i], "--listen") == 0) where = argv[i + 1];
    else if (!posix_board_option(&board, argv[i], argv[i + 1])) argc = 0;
  }
  if (argc % 2 == 0) {
    fprintf(stderr,
            "usage: atoll-device [--listen pty|tcp:PORT|udp:PORT] %sAnswers until it is ended; prints the URI that "
            "reaches it.\n",
            posix_board_options);
    return 2;
  }
  wire *line = wire_open(where);
  if (line == NULL || !posix_board_start(&board)) {
    perror("atoll-device");
    return 1;
  }
  static uint8_t packet[ATOLL_PACKET_BYTES], answer[ATOLL_PACKET_BYTES];
  printf("{\"uri\": \"%s\", \"pid\": %ld}\n", wire_uri(line), (long)getpid());
  fflush(stdout);
  for (;;) {
    const uint32_t length = wire_receive(line, packet, 100);
    if (length > 0) wire_send(line, answer, atoll_device_answer(&board.device, packet, length, answer));
    (void)posix_board_poll(&board);
  }
}
