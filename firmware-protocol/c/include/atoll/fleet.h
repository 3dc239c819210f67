// A device in a fleet: receives its desired model over a broker, fetches it block by block, verifies and runs it, and
// reports each step (docs/fleets.md of atoll-agent). It is built on an atoll_device, whose SMP packets it also answers
// over the broker. The broker is a port: this side handles topics and messages, not MQTT. Nothing is allocated.
#ifndef ATOLL_FLEET_H
#define ATOLL_FLEET_H

#include "device.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Maximum length of the names of fleets, devices, rollouts and clients. */
enum { ATOLL_NAME_BYTES = 64, ATOLL_TOPIC_BYTES = 224, ATOLL_REPORT_BYTES = 1024 };

/**
 * Port: the connection to the broker. Topics are zero-terminated. Messages that fail are sent again after a reconnect.
 * The session must be persistent (clean session off), since otherwise a device does not learn that a desired model was
 * withdrawn while it was disconnected.
 */
typedef struct atoll_fleet_port {
  void *context;
  bool (*subscribe)(void *context, const char *topic);
  bool (*unsubscribe)(void *context, const char *topic);
  /** At QoS 1. */
  bool (*publish)(void *context, const char *topic, const uint8_t *payload, uint32_t length, bool retain);
  /**
   * Hundredths of a second since 1970, or any clock that is later after every start. Sequence numbers of reports start
   * from it.
   */
  uint64_t (*centiseconds)(void *context);
  /** Runs labelled samples on the device with the active model; NULL if it has none. @return false if it fails */
  bool (*samples)(void *context, uint32_t *count, uint32_t *correct);
} atoll_fleet_port;

/** Tags by which the owner distinguishes devices. */
typedef struct atoll_tag {
  const char *name, *value;
} atoll_tag;

/** The desired model; its length is 0 if none is desired. */
typedef struct atoll_desired {
  char rollout[ATOLL_NAME_BYTES + 1];
  uint8_t sha[32];
  uint32_t attempt, bytes, block_bytes, seed, deadline;
  bool pull, outputs;
} atoll_desired;

typedef enum atoll_fleet_step {
  ATOLL_FLEET_RESTING,
  ATOLL_FLEET_FETCHING,
  ATOLL_FLEET_TESTING,
  ATOLL_FLEET_PROVING
} atoll_fleet_step;

typedef struct atoll_fleet {
  atoll_device *device;
  const atoll_fleet_port *port;
  const char *name;
  const atoll_tag *tags;
  uint32_t tag_count;
  atoll_fleet_step step;
  bool has_desired;
  atoll_desired desired;
  uint64_t sequence;
  /** The next block. Blocks are written in order, and those that arrive too early are requested again. */
  uint32_t block, blocks;
  /** When the segment was last requested, the number of failed attempts, and the current way of requesting it. */
  uint32_t asked_ms, impatience;
  bool subscribed;
  /** The subscribed segment. */
  uint32_t segment;
  /** The last message and its time; it is repeated with a delay that doubles. */
  uint8_t report[ATOLL_REPORT_BYTES];
  uint32_t report_bytes, reported_ms, repeat_ms;
  char topic[ATOLL_TOPIC_BYTES];
} atoll_fleet;

/**
 * @param name of the fleet
 * @param tags not copied
 */
void atoll_fleet_init(atoll_fleet *fleet, atoll_device *device, const atoll_fleet_port *port, const char *name,
                      const atoll_tag *tags, uint32_t tag_count);

/** The connection's last will, to be retained. The topic is valid until the next call. */
const char *atoll_fleet_will(atoll_fleet *fleet);
extern const char atoll_fleet_offline[];

/** To be called after the first connect and after every reconnect. */
void atoll_fleet_connected(atoll_fleet *fleet);

/** To be called for every received message. @param answer room for ATOLL_PACKET_BYTES */
void atoll_fleet_message(atoll_fleet *fleet, const char *topic, const uint8_t *payload, uint32_t length,
                         uint8_t *answer);

/** To be called often: performs one step of the pending work, which may be a self-test. */
void atoll_fleet_poll(atoll_fleet *fleet);

#ifdef __cplusplus
}
#endif

#endif
