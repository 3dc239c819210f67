// Sizes of the device side. Each can be set with -D. All memory is static or owned by the caller; nothing is allocated.
#ifndef ATOLL_CONFIG_H
#define ATOLL_CONFIG_H

/** The largest packet in bytes, with its header, as reported by `params`. At least 128. */
#ifndef ATOLL_PACKET_BYTES
#define ATOLL_PACKET_BYTES 2048
#endif

/**
 * Number of packets that the receiver can buffer, as reported by `params`. The port's transport must have room for
 * them.
 */
#ifndef ATOLL_BUFFERS
#define ATOLL_BUFFERS 1
#endif

/**
 * Largest block of a compressed upload, a power of two from 512 to 32768; 0 leaves compression out. Takes twice as much
 * RAM.
 */
#ifndef ATOLL_INFLATE_BYTES
#define ATOLL_INFLATE_BYTES 4096
#endif

/** The largest write-once unit of a flash that the store supports. */
#ifndef ATOLL_FLASH_UNIT_BYTES
#define ATOLL_FLASH_UNIT_BYTES 32
#endif

/** After this many boots without a confirmation the device falls back to the previous model. */
#ifndef ATOLL_BOOT_ATTEMPTS
#define ATOLL_BOOT_ATTEMPTS 3
#endif

/** Timeout of the watchdog for operations that may run an untested model: longer than loading and running one takes. */
#ifndef ATOLL_PATIENCE_MS
#define ATOLL_PATIENCE_MS 30000
#endif

/** Maximum number of inferences whose outputs are returned in one response. */
#ifndef ATOLL_RUNS
#define ATOLL_RUNS 1000
#endif

#endif
