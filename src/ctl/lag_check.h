/*
 * A monitoring check of the source lag: one line of text with performance data, and 0, 1 or 2.
 *
 * Layer: ctl. Thread: main. Errors: what cannot be known is LAG_UNKNOWN, never OK.
 */
#ifndef LT_CTL_LAG_CHECK_H
#define LT_CTL_LAG_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

enum lag_verdict { LAG_OK = 0, LAG_BEHIND = 1, LAG_UNKNOWN = 2 };

struct lag_limits {
    bool has_seconds;
    bool has_bytes;
    double max_seconds;
    uint64_t max_bytes;
};

/* answer: of `lag` or `status`, NULL: there is none, and why says so. The line, without its end, goes into buf. */
enum lag_verdict lag_check(const struct lag_limits *limits, const json_t *answer, const char *why, char *buf,
                           size_t cap);

#endif
