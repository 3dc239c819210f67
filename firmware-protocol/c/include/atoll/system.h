// Port: the board.
#ifndef ATOLL_SYSTEM_H
#define ATOLL_SYSTEM_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** COSE algorithm identifiers, as encoded. */
enum { ATOLL_ES256 = 0x26, ATOLL_EDDSA = 0x27 };

/** A signature over the concatenation of a head and a message. */
typedef struct atoll_signature {
  uint8_t algorithm;
  /** The first 8 bytes of the SHA-256 of the public key: 32 bytes for Ed25519, an uncompressed point for P-256. */
  const uint8_t *key_id;
  uint32_t key_id_bytes;
  const uint8_t *head;
  uint32_t head_bytes;
  const uint8_t *message;
  uint32_t message_bytes;
  /** 64 bytes if valid: an Ed25519 signature, or r and s. */
  const uint8_t *signature;
  uint32_t signature_bytes;
} atoll_signature;

typedef struct atoll_system {
  void *context;
  const char *id;
  const char *target;
  const char *firmware;
  /** Frequency of `ticks`, in Hz. */
  uint32_t tick_hz;
  /** A clock that runs while a model runs; it may wrap. */
  uint32_t (*ticks)(void *context);
  /** A clock that does not wrap within a day. */
  uint32_t (*now_ms)(void *context);
  /** Restarts as after a power cycle; called after the response to the request was sent. */
  void (*reset)(void *context);
  /**
   * Resets the board unless it is called again within this many milliseconds; 0 stops the watchdog. NULL if there is
   * none.
   */
  void (*watchdog)(void *context, uint32_t ms);
  /** An active model that is not confirmed within this many milliseconds is given up; 0: only boots count. */
  uint32_t confirm_ms;
  /** Whether a signature was made with a trusted key. NULL: the device has no key and runs unsigned models. */
  bool (*verify)(void *context, const atoll_signature *signature);
} atoll_system;

#ifdef __cplusplus
}
#endif

#endif
