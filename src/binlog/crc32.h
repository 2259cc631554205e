/*
 * CRC-32 as zlib's crc32(), the checksum of binlog events. Backed by libdeflate.
 * Layer: binlog. Thread: any. Start with 0; feed pieces in order.
 */
#ifndef LT_BINLOG_CRC32_H
#define LT_BINLOG_CRC32_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32_update(uint32_t crc, const void *data, size_t len);

#endif
