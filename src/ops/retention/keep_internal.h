/* What keep.c and keep_round.c share. Not for others. Layer: ops/retention. Thread: main, but for `ages`, which belongs to the round that runs. */
#ifndef LT_OPS_KEEP_INTERNAL_H
#define LT_OPS_KEEP_INTERNAL_H

#include <stdatomic.h>

#include "ops/common/worker.h"
#include "ops/retention/keep.h"
#include "store/age.h"
#include "store/consumers.h"
#include "store/purge.h"

/* First member of what an order needs; malloc'd, freed when it is done. */
struct keep_order {
    struct worker_job job;
    struct keep *keep;
    const char *name;
    struct admin_reply *reply; /* NULL: answered */
    uint64_t deadline_us;
    int rc;
    struct lt_err err;
};

struct keep {
    struct ops *ops;
    atomic_bool forbidden; /* fence_holds says so */
    struct worker *worker;
    bool busy;                /* a round is on its way */
    struct keep_order *order; /* that is on its way; NULL: none */
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
struct store_place keep_needed(const struct ops *ops, char ret_name[NEEDED_BY_MAX + 1]);

/* ---- keep_cut_off.c */
/* Who is streamed from what was, or would be, removed: [{address, server_id, file}]. Memory that is not there shows as a shorter list. */
json_t *keep_cut_off(const struct ops *ops, const struct store_purged *purged);
void keep_log_cut_off(const struct ops *ops, const struct store_purged *purged);
/* keep_order.c. o->job filled in; refused while another one is on its way. */
void keep_order_submit(struct keep *k, struct keep_order *o, const char *name, struct admin_reply *reply);
void keep_order_done(struct keep_order *o, void (*answer)(struct keep_order *o));
void keep_order_poll(struct keep *k, uint64_t now);
/* The next round is due within KEEP_FIRST_US. */
void keep_soon(struct keep *k);
/* Before the first round. What cannot be read makes everything count as stored just now. */
void keep_load_ages(struct keep *k);

#endif
