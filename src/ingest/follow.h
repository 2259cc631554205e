/*
 * DIR/source: the source that is followed instead of the configured one, after a repoint, and what is known about the seam between its
 * history and the one before.
 *
 * Layer: ingest. Thread: any, one at a time per value; load and save wait for the disk.
 * Owns: its texts and set (follow_fini). Errors: LT_ENOTFOUND (there is none), LT_ECORRUPT, LT_ENOMEM, and those of the file calls.
 * Format: key=value lines; unknown keys are passed over, so that an older program reads a newer file.
 */
#ifndef LT_INGEST_FOLLOW_H
#define LT_INGEST_FOLLOW_H

#include "binlog/gtid.h"
#include "store/store.h"

#define FOLLOW_HOST_MAX 255
#define FOLLOW_FILE_MAX (64u * 1024u * 1024u)

struct follow {
    bool active; /* false: the configured source is followed, nothing else here means anything */
    char host[FOLLOW_HOST_MAX + 1];
    unsigned port;
    char source_id[STORE_SOURCE_ID_MAX + 1];
    unsigned after_lineage;               /* its history goes into a lineage with a higher number */
    char start_file[BINLOG_NAME_MAX + 1]; /* first file of that lineage; "" = the source's oldest */
    bool new_history;                     /* nothing connects it with what was stored before */
    bool proved;                          /* GTIDs connect it, also where a new history was asked for */
    uint64_t at_us;                       /* wall clock of the repoint */
    struct gtid_set covers; /* held before: nothing is acknowledged until this source's stream covers it */
    struct gtid_set
        given_up; /* held here, and by an operator's word (new_history, of this repoint or one before) no source has to have it */
    char *gap;       /* what neither the store nor the source has any more; NULL: nothing, or not known */
    char *only_here; /* what the store holds and the source never had; NULL: nothing */
};

void follow_init(struct follow *f);
void follow_fini(struct follow *f);
int follow_copy(struct follow *dst, const struct follow *src) LT_MUST_CHECK; /* dst: initialised */

/* text is spoilt; an empty one is an inactive value. ret: initialised, unchanged on failure. */
int follow_parse(char *text, struct follow *ret) LT_MUST_CHECK;
char *follow_format(const struct follow *f); /* malloc'd; NULL when out of memory */

int follow_load(struct store *s, struct follow *ret, struct lt_err *err) LT_MUST_CHECK;
int follow_save(struct store *s, const struct follow *f, struct lt_err *err) LT_MUST_CHECK;

#endif
