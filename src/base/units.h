/*
 * Sizes and durations as people write them: 4096B, 16MiB, 1GB, 250ms, 5s, 7d.
 * Layer: base. Thread: any. Errors: LT_EINVAL (malformed, negative, overflow); the result is not written then.
 */
#ifndef LT_BASE_UNITS_H
#define LT_BASE_UNITS_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Bytes. Suffixes: B, K/KiB, M/MiB, G/GiB, T/TiB (powers of 1024), kB/KB, MB, GB, TB (powers of 1000); a bare 0 is 0; other bare numbers are refused. */
int units_parse_bytes(const char *text, uint64_t *ret_bytes) LT_MUST_CHECK;
/* Microseconds. Suffixes: us, ms, s, min, h, d; a bare 0 is 0; other bare numbers are refused. Fractions ("1.5s") are allowed. */
int units_parse_duration(const char *text, uint64_t *ret_us) LT_MUST_CHECK;
/* "16MiB", "1536B": the largest unit that divides it; into buf, always terminated. Round-trips through the parser. */
const char *units_format_bytes(uint64_t bytes, char *buf, size_t cap);
const char *units_format_duration(uint64_t us, char *buf, size_t cap);
/* Decimal without sign, space or trailing bytes. */
int units_parse_u64(const char *text, uint64_t max, uint64_t *ret_value) LT_MUST_CHECK;
/* A text as it is, whole or not at all: LT_EINVAL where it and its end do not fit into cap bytes. */
int units_take_text(char *dst, size_t cap, const char *text) LT_MUST_CHECK;

#endif
