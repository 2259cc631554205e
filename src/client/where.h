/*
 * A place in the log as people name it: latest, earliest, FILE, FILE:OFFSET, a resume token, a GTID set, a time. @FILE and - (standard
 * input) stand for what is in there.
 *
 * Layer: client (program). Thread: main. Owns: text (where_fini). Errors: LT_EINVAL with a sentence that does not name the option; of
 * reading the file; LT_ENOMEM.
 */
#ifndef LT_CLIENT_WHERE_H
#define LT_CLIENT_WHERE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum where_kind { WHERE_NONE, WHERE_LATEST, WHERE_EARLIEST, WHERE_POSITION, WHERE_GTIDS, WHERE_TIME };

struct where {
    enum where_kind kind;
    char *text;     /* of a position or a set */
    int64_t time_s; /* since the epoch */
};

/* utc: times without a zone are in UTC, else in local time. A day alone may also be a GTID of MariaDB (2010-11-27): refused, with both readings. */
int where_parse(const char *word, bool utc, struct where *ret, struct lt_err *err) LT_MUST_CHECK;
void where_fini(struct where *w);

/*
 * "2026-11-27", "2026-11-27 10:00", "2026-11-27T10:00:05Z", "2026-11-27 10:00:05.5+02:00", "-90min" (before now). LT_EINVAL: none of these,
 * or no such day or time; *ret_looks (may be NULL): it looks like a time, and was meant as one. Parts of a second are dropped.
 */
int where_parse_time(const char *text, bool utc, int64_t now_s, int64_t *ret_s, bool *ret_looks) LT_MUST_CHECK;

#endif
