#ifndef ATOLL_CRC_H
#define ATOLL_CRC_H

#include <stdint.h>

/** CRC-16/XMODEM: polynomial 0x1021. @param crc of what came before; 0 to begin */
uint16_t atoll_crc16(uint16_t crc, const uint8_t *bytes, uint32_t length);

/** CRC-32 of zlib. @param crc of what came before; 0 to begin */
uint32_t atoll_crc32(uint32_t crc, const uint8_t *bytes, uint32_t length);

#endif
