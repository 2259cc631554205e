#include "binlog/crc32.h"

#include <libdeflate.h>

uint32_t crc32_update(uint32_t crc, const void *data, size_t len)
{
    return libdeflate_crc32(crc, data, len);
}
