/*
 * The files a store directory holds, in order. Private to recovery.
 *
 * Layer: store. Thread: writer. Errors: LT_ESYS, LT_ENOMEM.
 */
#ifndef LT_STORE_STORE_RECOVER_H
#define LT_STORE_STORE_RECOVER_H

#include "store/store_internal.h"

struct found {
    const struct lineage *lineage;
    char file[BINLOG_NAME_MAX + 1];
    uint64_t size;
};

/* List the lineages (into s->lineages; the newest becomes s->lineage) and their files: lineage number, then the number at the end of the
 * name. malloc'd. Everything that is not named as a binlog file is passed over. */
int store_find_files(struct store *s, struct found **ret, size_t *ret_count, struct lt_err *err) LT_MUST_CHECK;

#endif
