/* What keep.c and keep_round.c share. Not for others. Layer: ops/retention. Thread: main, but for `ages`, which belongs to the round that runs. */
#ifndef LT_OPS_KEEP_INTERNAL_H
#define LT_OPS_KEEP_INTERNAL_H

#include <stdatomic.h>

#include "ops/common/worker.h"
#include "ops/retention/keep.h"
#include "store/age.h"
#include "store/consumers.h"
#include "store/purge.h"

struct purge_job;

struct keep {
    struct ops *ops;
    atomic_bool forbidden; /* fence_holds says so */
    struct worker *worker;
    bool busy;               /* a round is on its way */
    struct purge_job *purge; /* that is on its way; NULL: none */
    uint64_t next_us;
    bool failed; /* the last round: said in the log */
    struct ops_retention rules;
    struct keep_held held;
    bool consumer_holds; /* in the last round */
    struct age_ledger ages;
    uint64_t ages_saved_us;
    bool ages_failed; /* to be saved: said in the log */
};

/* What the slowest named consumer within its limit needs, and its name; lineage 0: nothing is. */
struct store_place keep_needed(const struct ops *ops, char ret_name[CONSUMER_NAME_MAX + 1]);
/* Its client waits no longer than PURGE_ANSWER_US. */
void keep_poll_purge(struct keep *k, uint64_t now);
/* The next round is due within KEEP_FIRST_US. */
void keep_soon(struct keep *k);
/* Before the first round. What cannot be read makes everything count as stored just now. */
void keep_load_ages(struct keep *k);

#endif
