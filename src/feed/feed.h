/*
 * What a consumer gets next, whatever the protocol that says it: from its place in the log, the format description of the file, batches of whole
 * events up to the watermark, the file's end, the next file, over lineages, and without the transactions that it has already.
 *
 * Layer: feed. Thread: that of its desk. Owns: holds on files, the filter (feed_close). Borrows: the files and the desk.
 * Errors: LT_EBUSY (no descriptor for another file), LT_ENOTFOUND (removed meanwhile), LT_ECORRUPT, LT_EGAP, LT_ESYS, LT_ENOMEM; the
 *   feed is of no use any more then but for feed_close.
 * Invariant: what is handed out was durable and complete (law 2): the end is always the store's readable one, looked at by walk_batch.
 */
#ifndef LT_FEED_FEED_H
#define LT_FEED_FEED_H

#include "feed/walk.h"

#define FEED_STARVED_US 5000000u /* how long a consumer waits for a descriptor for its next file */

/* The batch cut last, for the many that stand at the same place. */
struct feed_memo {
    uint64_t file_id; /* 0: none */
    uint64_t from;
    uint64_t end; /* readable end it was cut under */
    uint64_t max_bytes;
    struct walk_batch batch;
    struct txn_tracker after;
};

/* What the feeds of one thread share. */
struct feed_desk {
    struct window window;
    struct feed_memo memo;
};
int feed_desk_init(struct feed_desk *d, struct lt_err *err) LT_MUST_CHECK;
void feed_desk_fini(struct feed_desk *d);

/* All zero but files and desk: it has no place yet. */
struct feed {
    struct feed_files *files;
    struct feed_desk *desk;
    struct feed_file *file; /* NULL: no place */
    struct feed_file *left; /* the one before, until feed_let_go */
    struct txn_tracker trk; /* its offset is the place */
    uint64_t target;        /* feed_locate */
    struct walk_filter *filter;
    uint64_t max_batch;
    uint64_t starved_us; /* since when it waits for a descriptor; 0: it does not */
    bool begun;          /* FEED_FILE was told for file */
    bool ended;          /* FEED_FILE_END too */
    bool new_lineage;
    struct feed_file *end_file; /* NULL: for ever */
    uint64_t end_offset;
};

/* ---- before it runs */

/* The newest file's end as of now is where it ends. */
void feed_end_at(struct feed *fd, struct feed_file *newest);
/* Leave out what the set has; a GTID subscription, also with an empty one. LT_EINVAL: no set in that notation. */
int feed_leave_out(struct feed *fd, enum gtid_kind kind, const char *set) LT_MUST_CHECK;
/* The same with a set that is there already, copied; and as MariaDB's replicas name a place: one GTID for each domain, on the heap, taken. */
int feed_leave_out_set(struct feed *fd, const struct gtid_set *set) LT_MUST_CHECK;
int feed_begin_after(struct feed *fd, struct walk_after *after, size_t count) LT_MUST_CHECK;
/* Once it has a filter: as MariaDB's replicas name an end; until is on the heap, taken. FEED_END is told behind it. */
void feed_end_behind(struct feed *fd, struct walk_after *until, size_t count);
/* At offset, where no transaction is open. */
int feed_open(struct feed *fd, unsigned lineage, const char *name, uint64_t offset, struct lt_err *err) LT_MUST_CHECK;
/* Where the filter says. */
int feed_open_by_gtids(struct feed *fd, struct lt_err *err) LT_MUST_CHECK;
/* The file's start is open, and target set: one turn of the way there, as walk_to. */
int feed_locate(struct feed *fd, uint64_t *ret_near, struct lt_err *err) LT_MUST_CHECK;

/* ---- what is next */

enum feed_next {
    FEED_FILE,     /* a file is read from the place on: its format description */
    FEED_BATCH,    /* events */
    FEED_FILE_END, /* all of the file was handed out */
    FEED_END,      /* the place where it was to end; again when asked again */
    FEED_MOVED,    /* it stands in another file; `left` is held until feed_let_go. Call again */
    FEED_AGAIN,    /* others have their turn first */
    FEED_WAIT,     /* nothing until the watermark moves, or a descriptor is free */
    FEED_FAILED    /* err says why */
};

struct feed_item {
    struct walk_batch batch; /* FEED_BATCH */
    const uint8_t *fde;      /* FEED_FILE: valid as long as the file is held */
    size_t fde_len;
    bool mariadb;
    bool new_lineage;
    bool aborted; /* FEED_FILE_END: its last transaction never ended */
};

enum feed_next feed_next(struct feed *fd, struct feed_item *ret, struct lt_err *err);
void feed_let_go(struct feed *fd);

/* ---- the end */

/* Stands nowhere any more; the file is in `left`. */
void feed_leave(struct feed *fd);
/* Idempotent. */
void feed_close(struct feed *fd);

#endif
