/*
 * What the parts of recovery share: the files a directory holds, in order; what may be cut; what sealed files are worth. Private to recovery.
 *
 * Layer: store. Thread: writer. Errors: LT_ESYS, LT_ENOMEM.
 */
#ifndef LT_STORE_STORE_RECOVER_H
#define LT_STORE_STORE_RECOVER_H

#include "store/scan.h"
#include "store/store_internal.h"

struct found {
    const struct lineage *lineage;
    char file[BINLOG_NAME_MAX + 1];
    uint64_t size;
};

/* List the lineages (into s->lineages; the newest becomes s->lineage) and their files: lineage number, then the number at the end of the
 * name. malloc'd. Everything that is not named as a binlog file is passed over. */
int store_find_files(struct store *s, struct found **ret, size_t *ret_count, struct lt_err *err) LT_MUST_CHECK;

int found_open(struct store *s, const struct found *f, int flags, uint64_t *ret_size, struct lt_err *err) LT_MUST_CHECK;

/* What the sidecar of a file without checksums says. */
struct proof {
    uint64_t covered; /* bytes up to here were synced, and are what they were */
    size_t records;
    bool whole; /* none of its records is missing, but for one that a crash tore */
};

/* ---- store_judge.c */
/* Behind the last event of the newest file: how much data may be cut, or LT_ECORRUPT. sc: walked to its end; its limit is what the proof
 * covers in a file without checksums. */
int judge_tail(const struct store *s, const struct found *f, const struct scan *sc, const struct proof *proof,
               uint64_t size, uint64_t *ret_cut, struct lt_err *err) LT_MUST_CHECK;
/* Where the event at the end of the walk would end: its header's word where that can be believed, else where it begins. */
int judge_event_end(const struct scan *sc, uint64_t data_end, uint64_t *ret, struct lt_err *err) LT_MUST_CHECK;

/* ---- store_sealed.c */
/* The sidecar's records against the data. LT_ECORRUPT: they contradict each other, behind ret->covered. */
int prove_by_sidecar(struct store *s, const struct found *f, int fd, struct proof *ret,
                     struct lt_err *err) LT_MUST_CHECK;
/* Walk a sealed file and note what is wrong with it. f->size becomes what readers may see. newest_is_empty: nothing depends yet on where
 * this one, the last but one, ends. */
int sealed_check(struct store *s, struct found *f, bool newest_is_empty, struct lt_err *err) LT_MUST_CHECK;
/* The newest file (all[n]) has no list event: the executed set comes from the files of its lineage before it. */
int sealed_gtids(struct store *s, const struct found *all, size_t n, struct lt_err *err) LT_MUST_CHECK;

#endif
