/*
 * Walks the events of a stored file and cuts it into batches: whole events, never past the readable end, whole transactions left out where
 * a GTID set holds them. The tracker is the store's, so both see the same transactions.
 *
 * Layer: feed. Thread: one window per thread. Owns: the window's buffer (window_fini). Borrows: files, trackers, sets.
 * Errors: LT_ECORRUPT (no event where one must be), LT_EGAP (a place that is none, as MariaDB words it), LT_ESYS, LT_ENOMEM; the tracker is not to be used any more then.
 */
#ifndef LT_FEED_WALK_H
#define LT_FEED_WALK_H

#include "binlog/txn.h"
#include "feed/after.h"
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

/*
 * As MariaDB's replicas say where they want to end: in each domain that is named, with that GTID or before a later one of the same server; domains that are
 * not named are left out. Behind the transaction that is the last of the last domain the walk stands still.
 */
struct walk_until {
    struct walk_after *list; /* those that are reached are over */
    size_t count;
    bool on;
    bool last;  /* the transaction that is walked over now is the last */
    bool ended; /* it is over */
};

/* What a GTID subscription leaves out and what it has been sent. */
struct walk_filter {
    struct walk_after *after; /* those that are reached are not looked at any more */
    size_t after_count;
    bool strict; /* a place must be the GTID of a transaction of the log, or lie before it or behind it */
    struct walk_until until;
    bool keeps_state;      /* MariaDB: as long as somebody may have to be told */
    struct gtid_set state; /* which GTIDs were walked over, sent or not */
    bool tells;            /* a place was reached: once what is left out is over, */
    uint64_t
        tell_at; /* MariaDB: `state` is to be told here, because a place was reached; nothing is cut past it. 0: nowhere */
    struct gtid_set held; /* asked to leave out; and all of the lineages before */
    struct gtid_set sent; /* of this lineage: it cannot come twice in one, so it is not asked */
    bool skipping;        /* inside a transaction that is left out */
};
void walk_filter_fini(struct walk_filter *flt);
/* A file begins whose list of GTIDs is this one: what was to end before it has ended. */
int walk_filter_begin_file(struct walk_filter *flt, const struct gtid_set *list) LT_MUST_CHECK;
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
