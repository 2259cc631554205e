/*
 * Variable-length integers of MySQL's "serialization" format: the number of trailing 1 bits of the first byte says how many bytes
 * follow it, 8 of them leave 64 bits in the clear.
 *
 * Layer: binlog, private. Thread: any. Errors: the cursor's sticky one.
 */
#ifndef LT_BINLOG_VARLEN_H
#define LT_BINLOG_VARLEN_H

#include "base/cursor.h"

uint64_t varlen_unsigned(struct cursor *c);
/* Zigzag on top of the unsigned form. */
int64_t varlen_signed(struct cursor *c);

#endif
