/*
 * DIR/consumers/NAME: what a named consumer committed last; small key=value text, replaced atomically and durably.
 * Does not know who is connected, nor whether a position is still stored.
 *
 * Layer: store. Thread: any, one writer per name at a time; blocks for the disk (two syncs).
 * Owns: nothing. Errors: LT_EINVAL (name), LT_ECORRUPT (a file that does not parse: its name is in the text), LT_ESYS, LT_EFULL, LT_ENOMEM.
 * Units: offset as the source counts; committed_us in microseconds since the epoch; away_us a length of time.
 */
#ifndef LT_STORE_CONSUMERS_H
#define LT_STORE_CONSUMERS_H

#include "store/store.h"

#define CONSUMER_NAME_MAX 64

struct consumer_state {
    char name[CONSUMER_NAME_MAX + 1];
    unsigned lineage;
    char source_id[STORE_SOURCE_ID_MAX + 1];
    char file[BINLOG_NAME_MAX + 1];
    uint64_t offset;
    uint64_t committed_us;
    uint64_t
        away_us; /* that a running logtailerd has seen it away, since it was last connected; stored in whole seconds */
};

/* [A-Za-z0-9_-] and dots, at most CONSUMER_NAME_MAX, not starting with a dot, not ending in ".tmp": it is a file's name. */
bool consumer_name_ok(const char *name);
int consumer_save(struct store *s, const struct consumer_state *c, struct lt_err *err) LT_MUST_CHECK;
/* Its file goes, durably; one that is not there is fine. */
int consumer_remove(struct store *s, const char *name, struct lt_err *err) LT_MUST_CHECK;
/* All there are, in any order; malloc'd, caller frees. A file that does not parse does not hide the others: it is left out, counted in *ret_bad,
 * and the last one is named in err. Where only away_us is not what was stored with this name and place, it is 0: the consumer counts as just left. */
int consumer_load_all(struct store *s, struct consumer_state **ret, size_t *ret_count, size_t *ret_bad,
                      struct lt_err *err) LT_MUST_CHECK;

#endif
