// Port: the board.
#ifndef ATOLL_SYSTEM_H
#define ATOLL_SYSTEM_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Algorithms of COSE, as their identifiers are encoded. */
enum { ATOLL_ES256 = 0x26, ATOLL_EDDSA = 0x27 };

/** A signature over a head and a message, one after another. */
typedef struct atoll_signature {
  uint8_t algorithm;
  /** The first 8 bytes of the SHA-256 of the public key: 32 bytes of Ed25519, or an uncompressed point of P-256. */
  const uint8_t *key_id;
  uint32_t key_id_bytes;
  const uint8_t *head;
  uint32_t head_bytes;
  const uint8_t *message;
  uint32_t message_bytes;
  /** 64 bytes where it is whole: of Ed25519, or r and s. */
  const uint8_t *signature;
  uint32_t signature_bytes;
} atoll_signature;

typedef struct atoll_system {
  void *context;
  const char *id;
  const char *target;
  const char *firmware;
  /** Of `ticks`. */
  uint32_t tick_hz;
  /** A clock that runs while a model runs; it may wrap. */
  uint32_t (*ticks)(void *context);
  /** A clock that does not wrap within a day. */
  uint32_t (*now_ms)(void *context);
  /** Starts over, as after a power cycle; called when the answer to the request is sent. */
  void (*reset)(void *context);
  /** Resets the board unless it is called again within so many milliseconds; 0 ends the watch. NULL where there is none. */
  void (*watchdog)(void *context, uint32_t ms);
  /** An active model that is not confirmed within so many milliseconds is given up; 0: only boots count. */
  uint32_t confirm_ms;
  /** Whether a key that the device trusts has made a signature. NULL: it has no key, and runs what it is given. */
  bool (*verify)(void *context, const atoll_signature *signature);
} atoll_system;

#ifdef __cplusplus
}
#endif

#endif
