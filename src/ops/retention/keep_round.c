/*
 * Rounds of retention, on the worker thread.
 *
 * - Every KEEP_ROUND_US, more often for a short retention_age: the ledger of ages learns what has ended, the rules are looked at, what goes, goes;
 *   then the reserve is filled up again.
 * - While removal is forbidden the rules are looked at all the same, so that it can be told what is held back, and why.
 * Failure: a removal or a ledger that cannot be written is logged once and tried again in the next round.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "ops/fence/fence.h"
#include "ops/retention/keep_internal.h"
#include "store/state.h"

#define AGE_SAVE_US       60000000u  /* new marks, at most so often */
#define AGE_REST_US       600000000u /* the clocks, when there is no new mark */
#define AGE_GRAINS        64u        /* of a retention_age */
#define AGE_GRAIN_MAX_US  (6u * 3600u * 1000000ull)
#define AGE_GRAIN_NONE_US 600000000u /* without a retention_age: for the day when there is one */
#define ROUNDS_PER_AGE    8u
#define ROUND_MIN_US      1000000u

struct round {
    struct worker_job job;
    struct keep *keep;
    struct ops_retention rules;
    struct store_place needed;
    char needed_by[NEEDED_BY_MAX + 1];
    enum fence_holds holds;
    struct age_reading clocks; /* but for the uptime */
    struct store_plan plan;
    struct store_purged purged;
    int rc;
    struct lt_err err;
};

struct store_place keep_needed(const struct ops *ops, char ret_name[NEEDED_BY_MAX + 1])
{
    struct store_place p = {0};
    const struct ops_consumers *c = &ops->opt.consumers;
    ret_name[0] = '\0';
    if (c->min_needed != NULL && !c->min_needed(c->arg, &p.lineage, p.file, ret_name))
        p = (struct store_place){0};
    return p;
}

void keep_load_ages(struct keep *k)
{
    struct lt_err err = {0};
    age_init(&k->ages);
    int rc = age_load(k->ops->opt.store, &k->ages, &err);
    if (rc != 0 && rc != LT_ENOTFOUND)
        log_warn("store", "%s: for retention_age all segments count as stored just now", err.text);
}

/* A part of the age, between two bounds. */
static uint64_t part_of(uint64_t age_us, uint64_t parts, uint64_t least, uint64_t most)
{
    uint64_t us = age_us / parts;
    return us < least ? least : us > most ? most : us;
}

static uint64_t round_us(const struct keep *k)
{
    return k->rules.age_us == 0 ? KEEP_ROUND_US : part_of(k->rules.age_us, ROUNDS_PER_AGE, ROUND_MIN_US, KEEP_ROUND_US);
}

/* ---- on the worker ---- */

static void save_ages(struct round *r)
{
    struct keep *k = r->keep;
    struct lt_err err = {0};
    uint64_t now = clock_mono_us();
    uint64_t age_us = r->rules.age_us;
    uint64_t wait_us = !k->ages.changed ? AGE_REST_US
                       : age_us == 0    ? AGE_SAVE_US
                                        : part_of(age_us, ROUNDS_PER_AGE, ROUND_MIN_US, AGE_SAVE_US);
    if (k->ages_saved_us != 0 && now - k->ages_saved_us < wait_us)
        return;
    int rc = age_save(k->ops->opt.store, &k->ages, &err);
    if (rc != 0 && !k->ages_failed)
        log_warn("store", "the ages of segments are not on disk: %s", err.text);
    k->ages_failed = rc != 0;
    k->ages_saved_us = now;
}

static void note_ages(struct round *r)
{
    struct keep *k = r->keep;
    struct store_segment_info *list = NULL;
    size_t n = 0;
    uint64_t age_us = r->rules.age_us;
    if (store_list(k->ops->opt.store, &list, &n) != 0)
        return;
    age_read_uptime(&r->clocks.up);
    age_advance(&k->ages, &r->clocks);
    age_note(&k->ages, list, n, age_us == 0 ? AGE_GRAIN_NONE_US : part_of(age_us, AGE_GRAINS, 0, AGE_GRAIN_MAX_US));
    free(list);
    save_ages(r);
}

static void run_round(struct worker_job *job)
{
    struct round *r = (struct round *)job;
    struct store *store = r->keep->ops->opt.store;
    struct store_purge_options opt = {.cancel = &r->keep->forbidden};
    struct store_retention rules = {.bytes = r->rules.bytes, .needed = r->needed};
    struct lt_err ignored;
    note_ages(r);
    if (r->rules.age_us != 0)
        rules.aged = age_older_than(&r->keep->ages, r->rules.age_us);
    r->rc = store_retention_plan(store, &rules, &r->plan, &r->err);
    opt.keep = r->plan.keep;
    if (r->rc == 0 && r->holds == FENCE_HOLDS_NOTHING && opt.keep.lineage != 0)
        r->rc = store_purge(store, &opt, &r->purged, &r->err);
    if (r->rc == LT_ESTOPPED)
        r->rc = LT_OK;
    lt_ignore(store_reserve_fill(store, &ignored)); /* a full disk: again in the next round */
}

/* ---- on main ---- */

/* A consumer that is a moment late at a change of file is no news: only from the second round on. */
static void note_held(struct keep *k, const struct round *r)
{
    struct keep_held h = {0};
    bool consumer = r->holds == FENCE_HOLDS_NOTHING && r->plan.due > r->plan.going;
    if (r->rc != 0) {
        h.by = KEEP_HELD_FAILED;
        h.segments = r->plan.going - r->purged.segments;
        (void)snprintf(h.why, sizeof h.why, "%.255s", r->err.text);
    } else if (r->holds != FENCE_HOLDS_NOTHING && r->plan.due > 0) {
        h.by = r->holds == FENCE_HOLDS_FENCED ? KEEP_HELD_FENCED : KEEP_HELD_UNCOVERED;
        h.segments = r->plan.due;
    } else if (consumer && k->consumer_holds) {
        h.by = KEEP_HELD_CONSUMER;
        h.segments = r->plan.due - r->plan.going;
        (void)snprintf(h.why, sizeof h.why, "%s", r->needed_by);
    }
    k->held = h;
    if (consumer && !k->consumer_holds)
        keep_soon(k);
    k->consumer_holds = consumer;
}

static void round_done(struct worker_job *job)
{
    struct round *r = (struct round *)job;
    struct keep *k = r->keep;
    k->busy = false;
    if (r->purged.segments > 0)
        log_notice("store", "retention removed %" PRIu64 " segments, %" PRIu64 " bytes, up to %s", r->purged.segments,
                   r->purged.bytes, r->purged.last.file);
    keep_log_cut_off(k->ops, &r->purged);
    if (r->rc != 0 && !k->failed)
        log_error("store", "retention: %s", r->err.text);
    k->failed = r->rc != 0;
    note_held(k, r);
    free(r);
}

/* Ours and the source's, of one moment: the source's as of its last answer, moved on by the monotonic clock, so that a step of ours is in one only. */
static void read_clocks(const struct ops *ops, struct age_reading *ret)
{
    struct monitor_view mv;
    uint64_t now = clock_mono_us();
    ret->wall_us = (int64_t)clock_wall_us();
    if (monitor_view_get(ops->watch.monitor, &mv) != 0)
        return;
    if (monitor_view_fresh(&mv, now) && mv.server_us > 0 && mv.source_id[0] != '\0') {
        ret->source_us = mv.server_us + (int64_t)(now - mv.server_at_us);
        memcpy(ret->source_id, mv.source_id, sizeof ret->source_id);
    }
    monitor_view_fini(&mv);
}

void keep_tick(struct keep *k)
{
    uint64_t now = clock_mono_us();
    enum fence_holds holds = fence_holds(k->ops->fence);
    keep_forbid(k, holds != FENCE_HOLDS_NOTHING); /* that all is covered comes by itself */
    keep_order_poll(k, now);
    if (k->busy || now < k->next_us)
        return;
    struct round *r = calloc(1, sizeof *r);
    k->next_us = now + round_us(k);
    if (r == NULL)
        return;
    r->job = (struct worker_job){.run = run_round, .done = round_done};
    r->keep = k;
    r->rules = k->rules;
    r->holds = holds;
    r->needed = keep_needed(k->ops, r->needed_by);
    read_clocks(k->ops, &r->clocks);
    k->busy = true;
    worker_submit(k->worker, &r->job);
}
