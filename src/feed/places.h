/*
 * Is a place that a consumer names a place of this log? By the list of files, and by a file's size; whether an event starts there is found by a walk.
 *
 * Layer: feed. Thread: any. Borrows: everything. Errors: a verdict, with a sentence for people.
 */
#ifndef LT_FEED_PLACES_H
#define LT_FEED_PLACES_H

#include "feed/files.h"

#define PLACES_WHY_MAX 256

enum places_verdict {
    PLACES_OK,
    PLACES_NOT_FOUND,
    PLACES_PURGED,
    PLACES_AHEAD,        /* of what is durable here */
    PLACES_BAD,          /* no such offset in that file, or no file's name at all */
    PLACES_OTHER_SOURCE, /* the lineage is another server's */
    PLACES_NO_MEMORY
};

struct places_wanted {
    const char *file;
    unsigned lineage;      /* 0: the newest that has the file */
    const char *source_id; /* "": not asked */
    uint64_t offset;
};

struct places_found {
    struct store_segment_info info; /* the file, where there is one; as of now */
    char why[PLACES_WHY_MAX];       /* but for PLACES_OK */
};

/* To begin there. */
enum places_verdict places_judge(struct store *store, const struct places_wanted *at, struct places_found *ret);
/* Where a consumer says that it has got to, in a file of that lineage. */
enum places_verdict places_check(struct feed_files *fs, const struct places_wanted *at, struct places_found *ret);

#endif
