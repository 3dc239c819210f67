#ifndef ATOLL_CRC_H
#define ATOLL_CRC_H

#include <stdint.h>

/** CRC-16/XMODEM: polynomial 0x1021. @param crc of the preceding bytes; 0 at the beginning */
uint16_t atoll_crc16(uint16_t crc, const uint8_t *bytes, uint32_t length);

/** CRC-32 of zlib. @param crc of the preceding bytes; 0 at the beginning */
uint32_t atoll_crc32(uint32_t crc, const uint8_t *bytes, uint32_t length);

#endif
