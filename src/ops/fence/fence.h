/*
 * The fence in force: closes the gate, keeps DIR/fence and DIR/source, releases, and repoints. What the commands fence, unfence and
 * repoint do is here; their words are in commands_fence.c.
 *
 * Layer: ops/fence. Thread: main, all calls; files are written by a worker thread.
 * Owns: the state of both files. Borrows: the ops object it is part of, replies until they are answered.
 * Errors: fence_open: LT_ECORRUPT for files that cannot be read for certain, LT_ENOMEM, LT_ESYS. Commands answer errors to their client.
 * Invariants: a fence is in force in memory before anything waits; the gate opens only after what allows it is on disk; the answer of a fence
 *   never waits for longer than FENCE_ANSWER_US.
 */
#ifndef LT_OPS_FENCE_H
#define LT_OPS_FENCE_H

#include "ops/fence/fence_state.h"
#include "ops/parts/parts.h"
#include "ops/watch/failover.h"

struct admin_reply;

#define FENCE_ANSWER_US    1500000u /* then with persisted: false or final: false */
#define FENCE_RELEASE_US   1800000u /* an unfence that is not on disk by then is taken back */
#define FENCE_RETRY_US     1000000u /* of a write that failed */
#define REPOINT_EXAMINE_US 60000000u
#define REPOINT_COMMIT_US  10000000u

/* Before ingest starts: reads the files and sets the gate. */
int fence_open(struct ops *ops, struct fence **ret, struct lt_err *err) LT_MUST_CHECK;
/* Before admin_close; open answers become errors. Waits for a write that runs. NULL is fine. */
void fence_close(struct fence *f);
void fence_tick(struct fence *f);

struct fence_order {
    bool have_epoch;
    uint64_t epoch;
    enum fence_mode mode;              /* fence */
    char reason[FENCE_REASON_MAX + 1]; /* fence */
    const char *source_id;             /* unfence; NULL: the one last fenced */
    char host[FOLLOW_HOST_MAX + 1];    /* repoint */
    unsigned port;
    bool new_history;
    bool dry_run;
};
/* Each takes the reply and answers it, now or later. */
void fence_run(struct fence *f, const struct fence_order *o, struct admin_reply *reply);
void fence_run_unfence(struct fence *f, const struct fence_order *o, struct admin_reply *reply);
void fence_run_repoint(struct fence *f, const struct fence_order *o, struct admin_reply *reply);

bool fence_source_differs(const struct fence *f); /* from the configured one */
/* Why no segment may be removed now. */
enum fence_holds {
    FENCE_HOLDS_NOTHING,
    FENCE_HOLDS_FENCED,   /* the source that is followed */
    FENCE_HOLDS_UNCOVERED /* after a repoint its stream does not yet cover what was held before */
};
enum fence_holds fence_holds(struct fence *f);
bool fence_current(struct fence *f); /* the source that is followed */
const struct follow *fence_follow(const struct fence *f);
json_t *fence_status(struct fence *f);               /* for status: an object, or null */
void fence_warnings(struct fence *f, json_t *array); /* appends {code, message, cure, since} */
/* What the fence of the source that is followed says about a failover to what is held. */
enum failover_fence fence_failover(struct fence *f);
/* Why a failover to what this store holds may miss something since a repoint, in words put into buf; NULL: nothing. */
const char *fence_uncovered(const struct fence *f, const struct store_view *sv, char *buf, size_t cap);
/* The present lineage has all that is held (what its source no longer had at the repoint apart). Else an answer that names its end alone would
 * say too little: what is held is in sv->gtid_held and sv->held. */
bool fence_covered(const struct fence *f, const struct store_view *sv);

#endif
