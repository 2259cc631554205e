/*
 * From when to when: --from with a time, --until. Looks at every event before and after it is written.
 *
 * Layer: client (program). Thread: main. Pure but for memory. Owns: its sets (span_fini). Errors: LT_ENOMEM from span_init.
 */
#ifndef LT_CLIENT_SPAN_H
#define LT_CLIENT_SPAN_H

#include "binlog/gtid.h"
#include "client/binlogtail_opts.h"
#include "client/place.h"

enum span_word {
    SPAN_TAKE,
    SPAN_PASS, /* before the beginning: not to be written */
    SPAN_END,  /* behind the end: not to be written, nor anything after it */
};

struct span {
    const struct opts *opts; /* borrowed */
    bool begun;
    bool inside;            /* of a transaction */
    struct place at;        /* behind the last event */
    struct place stop;      /* --until with a position */
    struct gtid_set wanted; /* --until with a set: MySQL: what is wanted; MariaDB: what of it did not come yet */
    struct gtid_set seen;   /* MySQL: what came of it */
    uint64_t missing;       /* how many of it did not come yet */
};

int span_init(struct span *s, const struct opts *opts) LT_MUST_CHECK;
void span_fini(struct span *s);
/* Any event of the library, before it is written. */
enum span_word span_before(struct span *s, const struct binlogtail_event *ev);
/* One that was written: is it the last? */
bool span_after(struct span *s, const struct binlogtail_event *ev);

#endif
