// A device of a fleet: hears over a broker what it is to run, fetches it block by block, proves it, runs it and reports each step
// (docs/fleets.md of atoll-agent). Works on an atoll_device, whose SMP packets it answers over the broker as well. The broker is a port:
// this side knows topics and messages, nothing of MQTT. Nothing is allocated.
#ifndef ATOLL_FLEET_H
#define ATOLL_FLEET_H

#include "device.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Names of fleets, devices, rollouts and clients end here. */
enum { ATOLL_NAME_BYTES = 64, ATOLL_TOPIC_BYTES = 224, ATOLL_REPORT_BYTES = 1024 };

/** Port: the connection to the broker. Topics end with a zero byte. What fails is said again when the connection is made again. The
    session must be one that the broker keeps (clean session off): a desire that is taken back while the device is away is told by nothing else. */
typedef struct atoll_fleet_port {
  void *context;
  bool (*subscribe)(void *context, const char *topic);
  bool (*unsubscribe)(void *context, const char *topic);
  /** At QoS 1. */
  bool (*publish)(void *context, const char *topic, const uint8_t *payload, uint32_t length, bool retain);
  /** Hundredths of a second since 1970, or any clock that is later after every start. Reports are counted from it on. */
  uint64_t (*centiseconds)(void *context);
  /** Labelled samples that the device holds, run on the active model; NULL where there are none. @return false where it fails */
  bool (*samples)(void *context, uint32_t *count, uint32_t *correct);
} atoll_fleet_port;

/** Words by which its owner tells a device from others. */
typedef struct atoll_tag {
  const char *name, *value;
} atoll_tag;

/** What is to run; without length where nothing is desired. */
typedef struct atoll_desired {
  char rollout[ATOLL_NAME_BYTES + 1];
  uint8_t sha[32];
  uint32_t attempt, bytes, block_bytes, seed, deadline;
  bool pull, outputs;
} atoll_desired;

typedef enum atoll_fleet_step { ATOLL_FLEET_RESTING, ATOLL_FLEET_FETCHING, ATOLL_FLEET_TESTING, ATOLL_FLEET_PROVING } atoll_fleet_step;

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
  /** The next block; blocks are written in their order, and those that come before theirs are fetched again. */
  uint32_t block, blocks;
  /** When the segment was asked for last, how often in vain, and how it is asked for now. */
  uint32_t asked_ms, impatience;
  bool subscribed;
  /** The segment that is subscribed to. */
  uint32_t segment;
  /** What was said last, and when; it is said again after a time that doubles. */
  uint8_t report[ATOLL_REPORT_BYTES];
  uint32_t report_bytes, reported_ms, repeat_ms;
  char topic[ATOLL_TOPIC_BYTES];
} atoll_fleet;

/** @param name of the fleet. @param tags stay with the caller */
void atoll_fleet_init(atoll_fleet *fleet, atoll_device *device, const atoll_fleet_port *port, const char *name, const atoll_tag *tags, uint32_t tag_count);

/** What the connection's last will says, retained, when the device is gone; the topic is valid until the next call. */
const char *atoll_fleet_will(atoll_fleet *fleet);
extern const char atoll_fleet_offline[];

/** At first, and whenever the connection is back. */
void atoll_fleet_connected(atoll_fleet *fleet);

/** A message has come. @param answer room for ATOLL_PACKET_BYTES */
void atoll_fleet_message(atoll_fleet *fleet, const char *topic, const uint8_t *payload, uint32_t length, uint8_t *answer);

/** To be called often: takes one step of what is to be done, which may be a self-test. */
void atoll_fleet_poll(atoll_fleet *fleet);

#ifdef __cplusplus
}
#endif

#endif
