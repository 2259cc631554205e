/*
 * The log's end as readers see it: the newest file, and whether what can be read of it has grown.
 *
 * Layer: feed. Thread: one at a time. Owns: a hold on the file. Errors: none; a file that cannot be opened now is tried for at the next look.
 */
#ifndef LT_FEED_NEWEST_H
#define LT_FEED_NEWEST_H

#include "feed/files.h"

struct newest {
    struct feed_file *file; /* NULL: nothing is stored yet */
    uint64_t seen_id;       /* the readable end as of the last look */
    uint64_t seen_end;
    bool seen_sealed;
};

/* True: it moved since the last look. */
bool newest_look(struct newest *n, struct feed_files *fs);
void newest_fini(struct newest *n);

#endif
