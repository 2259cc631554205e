/*
 * How far places lie behind the end of what is durable, in bytes, over files and lineages: the list of files as of now, its sizes added up.
 *
 * Layer: feed. Thread: one at a time. Owns: its list (ruler_fini). Errors: LT_ENOMEM.
 */
#ifndef LT_FEED_RULER_H
#define LT_FEED_RULER_H

#include "store/reader.h"
#include "store/store.h"

struct ruler {
    struct store_segment_info *list;
    uint64_t *before; /* bytes before each; n + 1 */
    size_t n;
};

/* After the places were taken: then none is ahead of it. */
int ruler_init(struct ruler *r, struct store *store) LT_MUST_CHECK;
void ruler_fini(struct ruler *r);
/* From a place to the end. A file that is no longer there counts from the next one. */
uint64_t ruler_lag(const struct ruler *r, unsigned lineage, const char *file, uint64_t offset);

#endif
