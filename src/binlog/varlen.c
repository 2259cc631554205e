#include "binlog/varlen.h"

uint64_t varlen_unsigned(struct cursor *c)
{
    unsigned first = cursor_u8(c);
    if (first == 0xff)
        return cursor_u64(c);
    unsigned more = (unsigned)__builtin_ctz(~first);
    const uint8_t *p = cursor_bytes(c, more);
    if (p == NULL)
        return 0;
    uint64_t raw = first;
    for (unsigned i = 0; i < more; i++)
        raw |= (uint64_t)p[i] << (8 * (i + 1));
    return raw >> (more + 1);
}

int64_t varlen_signed(struct cursor *c)
{
    uint64_t v = varlen_unsigned(c);
    uint64_t half = v >> 1;
    return v & 1 ? -(int64_t)half - 1 : (int64_t)half;
}
