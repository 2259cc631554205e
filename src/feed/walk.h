/*
 * Walks the events of a stored file and cuts it into batches: whole events, never past the readable end, whole transactions left out where
 * a GTID set holds them. The tracker is the store's, so both see the same transactions.
 *
 * Layer: feed. Thread: one window per thread. Owns: the window's buffer (window_fini). Borrows: files, trackers, sets.
 * Errors: LT_ECORRUPT (no event where one must be), LT_ESYS, LT_ENOMEM; the tracker is not to be used any more then.
 */
#ifndef LT_FEED_WALK_H
#define LT_FEED_WALK_H

#include "binlog/txn.h"
#include "feed/files.h"

#define WINDOW_READ   65536u                         /* read at once */
#define WINDOW_BYTES  (WINDOW_READ + TXN_HEAD_BYTES) /* holds the head of any event */
#define WALK_TURN_MAX (2u << 20) /* bytes walked without anything to send before others get a turn */

struct window {
    uint8_t *buf;
    uint64_t file_id; /* 0: holds nothing */
    uint64_t off;
    size_t len;
};
int window_init(struct window *w, struct lt_err *err) LT_MUST_CHECK;
void window_fini(struct window *w);
/* Bytes [off, off + len) of the file where the window happens to hold them, else NULL. */
const uint8_t *window_peek(const struct window *w, const struct feed_file *f, uint64_t off, size_t len);

/* As MariaDB's replicas name their place: in this domain, all up to that one GTID, whichever servers wrote it. */
struct walk_after {
    struct gtid gtid;
    bool reached;
};

/* What a GTID subscription leaves out and what it has been sent. */
struct walk_filter {
    struct walk_after *after; /* those that are reached are not looked at any more */
    size_t after_count;
    struct gtid_set held; /* asked to leave out; and all of the lineages before */
    struct gtid_set sent; /* of this lineage: it cannot come twice in one, so it is not asked */
    bool skipping;        /* inside a transaction that is left out */
};
void walk_filter_fini(struct walk_filter *flt);
/* Another history begins: what was sent may come again. */
int walk_filter_new_lineage(struct walk_filter *flt) LT_MUST_CHECK;

/* A tracker that stands at off, where no transaction is open. */
int walk_seed(struct feed_file *f, uint64_t off, struct txn_tracker *ret, struct lt_err *err) LT_MUST_CHECK;

struct walk_batch {
    uint64_t from;
    uint64_t to; /* == from: nothing to send */
    uint32_t count;
    bool boundary;
    bool more; /* stopped for the sake of others: call again */
};
struct walk_limits {
    uint64_t max_bytes; /* of a batch; a single larger event still comes whole */
    uint64_t end;       /* not past this offset; UINT64_MAX: the readable end */
};
/* From the tracker's place, which moves behind the batch. filter may be NULL. */
int walk_batch(struct window *w, struct feed_file *f, struct txn_tracker *t, const struct walk_limits *limits,
               struct walk_filter *filter, struct walk_batch *ret, struct lt_err *err) LT_MUST_CHECK;

/*
 * One turn of the way to `target`: LT_OK when an event starts there (the tracker stands at it), LT_EAGAIN: call again, LT_EINVAL: an event
 * lies across it; *ret_near is that event's start. target must not be past the readable end.
 */
int walk_to(struct window *w, struct feed_file *f, struct txn_tracker *t, uint64_t target, uint64_t *ret_near,
            struct lt_err *err) LT_MUST_CHECK;

#endif
