// Sizes of the device side. Each can be set with -D; all memory is static or the caller's, nothing is allocated.
#ifndef ATOLL_CONFIG_H
#define ATOLL_CONFIG_H

/** The largest packet, header included: what `params` reports. At least 128. */
#ifndef ATOLL_PACKET_BYTES
#define ATOLL_PACKET_BYTES 2048
#endif

/** How many packets may wait in the receiver's memory: what `params` reports. The transport of the port must have room for them. */
#ifndef ATOLL_BUFFERS
#define ATOLL_BUFFERS 1
#endif

/** Longest block of a compressed upload, a power of two from 512 to 32768; 0 leaves it out. Takes twice as much RAM. */
#ifndef ATOLL_INFLATE_BYTES
#define ATOLL_INFLATE_BYTES 4096
#endif

/** The longest write-once unit of a flash that the store can serve. */
#ifndef ATOLL_FLASH_UNIT_BYTES
#define ATOLL_FLASH_UNIT_BYTES 32
#endif

/** After so many boots without a confirmation the device goes back to the model before. */
#ifndef ATOLL_BOOT_ATTEMPTS
#define ATOLL_BOOT_ATTEMPTS 3
#endif

/** The watchdog's time for what may run a model that was never tried: more than loading and running one ever takes. */
#ifndef ATOLL_PATIENCE_MS
#define ATOLL_PATIENCE_MS 30000
#endif

/** Outputs of more inferences than this are not asked for in one request. */
#ifndef ATOLL_RUNS
#define ATOLL_RUNS 1000
#endif

#endif
