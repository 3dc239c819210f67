// A fleet device as a program: the port of atoll/fleet.h to libmosquitto. It has a single thread: messages are
// processed between two steps.
#define _GNU_SOURCE
#include <mosquitto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "atoll/fleet.h"
#include "board.h"

enum { KEEPALIVE_S = 30, LOOP_MS = 20, QOS = 1, MOST_TAGS = 8 };

static const char usage[] = "usage: atoll-fleet-device --broker HOST:PORT --fleet NAME [--user NAME --password TEXT] "
                            "[--cafile FILE] [--tag NAME=VALUE]...\n"
                            "                          [--die-at STATE] %s"
                            "Takes rollouts and answers SMP packets until it is ended. It ends by itself when it has "
                            "reported STATE: for tests.\n";

/** Context of the library's callbacks. */
static struct {
  struct mosquitto *client;
  atoll_fleet fleet;
  const char *die_at;
} self;

static bool subscribe(void *context, const char *topic) {
  (void)context;
  return mosquitto_subscribe(self.client, NULL, topic, QOS) == MOSQ_ERR_SUCCESS;
}

static bool unsubscribe(void *context, const char *topic) {
  (void)context;
  return mosquitto_unsubscribe(self.client, NULL, topic) == MOSQ_ERR_SUCCESS;
}

static bool publish(void *context, const char *topic, const uint8_t *payload, uint32_t length, bool retain) {
  (void)context;
  return mosquitto_publish(self.client, NULL, topic, (int)length, payload, QOS, retain) == MOSQ_ERR_SUCCESS;
}

static uint64_t centiseconds(void *context) {
  (void)context;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (uint64_t)now.tv_sec * 100u + (uint64_t)now.tv_nsec / 10000000u;
}

static void on_connect(struct mosquitto *client, void *object, int code) {
  (void)client;
  (void)object;
  if (code == 0) atoll_fleet_connected(&self.fleet);
  else fprintf(stderr, "the broker refuses: %s\n", mosquitto_connack_string(code));
}

static void on_message(struct mosquitto *client, void *object, const struct mosquitto_message *message) {
  (void)client;
  (void)object;
  static uint8_t answer[ATOLL_PACKET_BYTES];
  static const uint8_t nothing = 0;
  const uint8_t *payload = message->payloadlen > 0 ? message->payload : &nothing;
  atoll_fleet_message(&self.fleet, message->topic, payload, (uint32_t)message->payloadlen, answer);
}

/** HOST:PORT, split in two. */
static int port_of(char *broker) {
  char *colon = strrchr(broker, ':');
  if (colon == NULL) return 1883;
  *colon = 0;
  return atoi(colon + 1);
}

/** Whether the last report contains this state. */
static bool has_reported(const char *state) {
  return self.fleet.report_bytes > 0 &&
         memmem(self.fleet.report, self.fleet.report_bytes, state, strlen(state)) != NULL;
}

int main(int argc, char **argv) {
  static posix_board board;
  static atoll_tag tags[MOST_TAGS];
  uint32_t tag_count = 0;
  char *broker = NULL;
  const char *name = NULL, *user = NULL, *password = NULL, *authority = NULL;
  posix_board_init(&board);
  for (int i = 1; i + 1 < argc; i += 2) {
    char *value = argv[i + 1];
    char *equals = strchr(value, '=');
    if (strcmp(argv[i], "--broker") == 0) broker = value;
    else if (strcmp(argv[i], "--fleet") == 0) name = value;
    else if (strcmp(argv[i], "--user") == 0) user = value;
    else if (strcmp(argv[i], "--password") == 0) password = value;
    else if (strcmp(argv[i], "--cafile") == 0) authority = value;
    else if (strcmp(argv[i], "--die-at") == 0) self.die_at = value;
    else if (strcmp(argv[i], "--tag") == 0 && equals != NULL && tag_count < MOST_TAGS) {
      *equals = 0;
      tags[tag_count++] = (atoll_tag){value, equals + 1};
    } else if (!posix_board_option(&board, argv[i], value)) argc = 0;
  }
  if (argc % 2 == 0 || broker == NULL || name == NULL) {
    fprintf(stderr, usage, posix_board_options);
    return 2;
  }
  if (!posix_board_start(&board)) {
    perror("atoll-fleet-device");
    return 1;
  }
  const atoll_fleet_port port = {
      .subscribe = subscribe, .unsubscribe = unsubscribe, .publish = publish, .centiseconds = centiseconds};
  char client_id[160];
  snprintf(client_id, sizeof client_id, "atoll-%s-%s", name, board.id);
  mosquitto_lib_init();
  self.client = mosquitto_new(client_id, false, NULL);
  if (self.client == NULL) return 1;
  atoll_fleet_init(&self.fleet, &board.device, &port, name, tags, tag_count);
  mosquitto_connect_callback_set(self.client, on_connect);
  mosquitto_message_callback_set(self.client, on_message);
  mosquitto_int_option(self.client, MOSQ_OPT_TCP_NODELAY, 1);
  mosquitto_will_set(self.client, atoll_fleet_will(&self.fleet), (int)strlen(atoll_fleet_offline), atoll_fleet_offline,
                     QOS, true);
  if (user != NULL) mosquitto_username_pw_set(self.client, user, password);
  if (authority != NULL) mosquitto_tls_set(self.client, authority, NULL, NULL, NULL, NULL);
  const int at = port_of(broker);
  int result = mosquitto_connect(self.client, broker, at, KEEPALIVE_S);
  if (result != MOSQ_ERR_SUCCESS) {
    fprintf(stderr, "no connection to %s:%d: %s\n", broker, at, mosquitto_strerror(result));
    return 1;
  }
  printf("{\"uri\": \"mqtt://%s:%d/%s/%s\", \"pid\": %ld}\n", broker, at, name, board.id, (long)getpid());
  fflush(stdout);
  for (;;) {
    result = mosquitto_loop(self.client, LOOP_MS, 1);
    if (result != MOSQ_ERR_SUCCESS) {
      usleep(200000);
      (void)mosquitto_reconnect(self.client);
      continue;
    }
    if (self.die_at != NULL && has_reported(self.die_at)) {
      // Pending messages are sent first.
      for (int i = 0; i < 10; i++) (void)mosquitto_loop(self.client, LOOP_MS, 1);
      return 3;
    }
    atoll_fleet_poll(&self.fleet);
    if (posix_board_poll(&board)) {
      atoll_fleet_init(&self.fleet, &board.device, &port, name, tags, tag_count);
      atoll_fleet_connected(&self.fleet);
    }
  }
}
