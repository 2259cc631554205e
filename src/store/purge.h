/*
 * Removal of old segments: by name, or by the rules of retention. Which of them somebody still needs is the caller's to say.
 *
 * Layer: store. Thread: any but the writer's, one caller at a time; waits for the disk. Never disturbs the writer.
 * Errors: LT_ENOTFOUND (no such segment), LT_EINVAL (it would take one of the newest two), LT_ENOMEM, LT_ESYS: what was removed before stays
 *   removed, the rest is whole.
 * Units: bytes.
 * Invariants: removed is always a run of the oldest, on the disk too after a crash; the newest two stay; a reader keeps the descriptor it
 *   has, new opens get LT_ENOTFOUND.
 */
#ifndef LT_STORE_PURGE_H
#define LT_STORE_PURGE_H

#include "store/store.h"

#define STORE_KEEP_SEGMENTS 2

struct store_place {
    unsigned lineage; /* 0: none */
    char file[BINLOG_NAME_MAX + 1];
};

struct store_purged {
    uint64_t segments;
    uint64_t bytes;
    struct store_place first; /* oldest and newest removed */
    struct store_place last;
};

/* All segments before this one. */
struct store_purge_options {
    struct store_place keep;
    bool dry_run;              /* only count */
    const atomic_bool *cancel; /* true: no further segment (LT_ESTOPPED); may be NULL */
};
/* *ret is written also on failure: what was removed. */
int store_purge(struct store *s, const struct store_purge_options *opt, struct store_purged *ret,
                struct lt_err *err) LT_MUST_CHECK;

struct store_retention {
    struct store_place aged; /* this one and those before it ended so long ago that they go (age.h); lineage 0: none */
    uint64_t bytes;          /* above that the oldest go; 0: no limit */
    struct store_place needed; /* this one and what follows stay */
};
struct store_plan {
    struct store_place keep; /* the first segment that stays by these rules; lineage 0: nothing goes */
    uint64_t due;            /* how many would go if none were needed */
    uint64_t going;          /* how many go */
};
int store_retention_plan(struct store *s, const struct store_retention *r, struct store_plan *ret,
                         struct lt_err *err) LT_MUST_CHECK;

/* -1, 0, 1: by lineage, then by the number at the end of the name. */
int store_place_compare(const struct store_place *a, const struct store_place *b);

#endif
