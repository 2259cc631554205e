/*
 * - Every KEEP_ROUND_US the rules are looked at, on the worker thread: what goes, goes; then the reserve is filled up again.
 * - Never while a source is fenced: the log of a fenced source may be the only copy of what a candidate still lacks. Never what a named
 *   consumer needs. Both are asked on the loop's thread, before the job; a fence that comes while a job runs stops it at the next file.
 * - drain asks the source anew, and judges by that.
 */
#include "ops/keep.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "ops/fence.h"
#include "ops/fresh.h"
#include "ops/json_put.h"
#include "ops/snapshot.h"
#include "ops/worker.h"
#include "store/purge.h"
#include "store/reader.h"
#include "store/state.h"

#define KEEP_GHOST_US                                                                                                  \
    1000000u /* and three heartbeats: a source has noticed by then that a connection of ours is gone */

struct keep {
    struct ops *ops;
    atomic_bool forbidden; /* a source is fenced */
    struct worker *worker;
    bool busy; /* a round is on its way */
    uint64_t next_us;
    bool failed; /* the last round: said in the log */
    struct ops_retention rules;
};

struct round {
    struct worker_job job;
    struct keep *keep;
    struct store_retention rules;
    bool remove; /* false: only the reserve */
    struct store_purged purged;
    int rc;
    struct lt_err err;
};

static struct store_place needed_now(const struct ops *ops)
{
    struct store_place p = {0};
    const struct ops_consumers *c = &ops->opt.consumers;
    if (c->min_needed != NULL && !c->min_needed(c->arg, &p.lineage, p.file))
        p = (struct store_place){0};
    return p;
}

static void run_round(struct worker_job *job)
{
    struct round *r = (struct round *)job;
    struct store *store = r->keep->ops->opt.store;
    struct store_purge_options opt = {.cancel = &r->keep->forbidden};
    struct lt_err ignored;
    if (r->remove)
        r->rc = store_retention_plan(store, &r->rules, &opt.keep, &r->err);
    if (r->rc == 0 && opt.keep.lineage != 0)
        r->rc = store_purge(store, &opt, &r->purged, &r->err);
    if (r->rc == LT_ESTOPPED)
        r->rc = LT_OK;
    lt_ignore(store_reserve_fill(store, &ignored)); /* a full disk: again in the next round */
}

static void round_done(struct worker_job *job)
{
    struct round *r = (struct round *)job;
    struct keep *k = r->keep;
    k->busy = false;
    if (r->purged.segments > 0)
        log_notice("store", "retention removed %" PRIu64 " segments, %" PRIu64 " bytes, up to %s", r->purged.segments,
                   r->purged.bytes, r->purged.last.file);
    if (r->rc != 0 && !k->failed)
        log_error("store", "retention: %s", r->err.text);
    k->failed = r->rc != 0;
    free(r);
}

static int64_t source_now_s(const struct ops *ops)
{
    struct ingest_view iv;
    ingest_view(ops->ingest, &iv);
    return ((int64_t)clock_wall_us() + iv.source.clock_offset_us) / 1000000;
}

void keep_tick(struct keep *k)
{
    uint64_t now = clock_mono_us();
    if (k->busy || now < k->next_us)
        return;
    struct round *r = calloc(1, sizeof *r);
    k->next_us = now + KEEP_ROUND_US;
    if (r == NULL)
        return;
    r->job = (struct worker_job){.run = run_round, .done = round_done};
    r->keep = k;
    r->remove = (k->rules.age_us != 0 || k->rules.bytes != 0) && !fence_any(k->ops->fence);
    r->rules = (struct store_retention){.age_us = k->rules.age_us,
                                        .bytes = k->rules.bytes,
                                        .now_s = source_now_s(k->ops),
                                        .needed = needed_now(k->ops)};
    k->busy = true;
    worker_submit(k->worker, &r->job);
}

/* ---- purge ---- */

struct purge_job {
    struct worker_job job;
    struct keep *keep;
    struct admin_reply *reply;
    struct store_place keep_from;
    bool dry_run;
    struct store_purged purged;
    int rc;
    struct lt_err err;
};

static void run_purge(struct worker_job *job)
{
    struct purge_job *p = (struct purge_job *)job;
    struct store_purge_options opt = {.keep = p->keep_from, .dry_run = p->dry_run, .cancel = &p->keep->forbidden};
    p->rc = store_purge(p->keep->ops->opt.store, &opt, &p->purged, &p->err);
}

static json_t *describe_purged(const struct purge_job *p)
{
    const struct store_purged *d = &p->purged;
    bool any = d->segments > 0;
    return json_pack("{s:b, s:I, s:I, s:s?, s:s?}", "dry_run", p->dry_run, "segments", (json_int_t)d->segments, "bytes",
                     (json_int_t)d->bytes, "first", any ? d->first.file : NULL, "last", any ? d->last.file : NULL);
}

static void purge_done(struct worker_job *job)
{
    struct purge_job *p = (struct purge_job *)job;
    if (p->rc == 0) {
        if (!p->dry_run && p->purged.segments > 0)
            log_notice("store", "purged %" PRIu64 " segments, up to %s", p->purged.segments, p->purged.last.file);
        admin_reply_send(p->reply, describe_purged(p));
    } else {
        const char *code = p->rc == LT_EINVAL     ? "last_segments"
                           : p->rc == LT_ESTOPPED ? "fenced"
                                                  : admin_error_code(p->rc);
        admin_reply_error(p->reply, code, p->err.text, describe_purged(p));
    }
    free(p);
}

/* The newest segment of that name: names come again in other histories. */
static bool find_place(struct store *store, const char *file, struct store_place *ret)
{
    struct store_segment_info *list = NULL;
    size_t n = 0;
    bool found = false;
    if (store_list(store, &list, &n) != 0)
        return false;
    for (size_t i = n; i > 0 && !found; i--) {
        found = strcmp(list[i - 1].file, file) == 0;
        if (found) {
            ret->lineage = list[i - 1].lineage;
            memcpy(ret->file, list[i - 1].file, sizeof ret->file);
        }
    }
    free(list);
    return found;
}

void keep_purge(struct keep *k, const char *file, bool dry_run, struct admin_reply *reply)
{
    struct store_place needed = needed_now(k->ops);
    struct store_place from = {0};
    char text[400];
    if (fence_any(k->ops->fence)) {
        admin_reply_error(reply, "fenced", "a source is fenced: nothing is removed until it is released", NULL);
        return;
    }
    if (!find_place(k->ops->opt.store, file, &from)) {
        admin_reply_error(reply, "not_found", "there is no such segment; segments lists them", NULL);
        return;
    }
    if (needed.lineage != 0 && store_place_compare(&from, &needed) > 0) {
        (void)snprintf(text, sizeof text, "a named consumer still needs %.255s of lineage %u", needed.file,
                       needed.lineage);
        admin_reply_error(reply, "needed", text, NULL);
        return;
    }
    struct purge_job *p = calloc(1, sizeof *p);
    if (p == NULL) {
        admin_reply_error(reply, "out_of_memory", "out of memory", NULL);
        return;
    }
    p->job = (struct worker_job){.run = run_purge, .done = purge_done};
    p->keep = k;
    p->reply = reply;
    p->keep_from = from;
    p->dry_run = dry_run;
    worker_submit(k->worker, &p->job);
}

/* ---- drain ---- */

static void stop_now(struct keep *k, struct admin_reply *reply, json_t *answer)
{
    struct ops_callbacks *cb = &k->ops->opt.callbacks;
    admin_reply_send(reply, answer);
    if (cb->stop != NULL)
        cb->stop(cb->arg);
}

/* We are one of the clients; what is left must do. */
static void drain_by_view(struct keep *k, const struct monitor_semi_sync *ss, struct admin_reply *reply)
{
    char text[300];
    json_t *counts =
        json_pack("{s:I, s:I}", "acknowledgers", (json_int_t)ss->clients, "wait_count", (json_int_t)ss->wait_count);
    if (ss->clients > ss->wait_count) {
        put(counts, "stopping", json_true());
        stop_now(k, reply, counts);
        return;
    }
    (void)snprintf(text, sizeof text,
                   "the source would be left with %" PRIu64 " acknowledgers and needs %" PRIu64
                   ": its commits would wait; --force stops all the same",
                   ss->clients > 0 ? ss->clients - 1 : 0, ss->wait_count);
    admin_reply_error(reply, "acknowledger_needed", text, counts);
}

/*
 * No commit waits for this process. Between two connections (a reconnect, just released) it is about to acknowledge again, so commits may
 * well wait for it; a source that cannot be asked commits nothing now.
 */
static bool nobody_waits(const struct keep *k, const struct snapshot *s)
{
    const struct monitor_semi_sync *ss = &s->mon.semi_sync;
    if (s->fenced)
        return true;
    if (s->ingest.semi_sync_active)
        return false;
    bool returns = s->ingest.state != INGEST_ERROR && s->ingest.state != INGEST_STOPPED;
    bool source_waits = s->mon_fresh && s->mon.connected && ss->supported && ss->enabled;
    return !(returns && source_waits && k->ops->opt.settings.semi_sync);
}

/* A source counts a connection of ours that has ended until it tries to send twice. Such a one is nobody who stays. */
static bool may_count_a_ghost(const struct keep *k, const struct snapshot *s)
{
    uint64_t since_us = s->ingest.state_since_us;
    uint64_t streams_us = s->wall_us > since_us ? s->wall_us - since_us : 0;
    return s->ingest.state != INGEST_STREAMING || !s->ingest.semi_sync_active ||
           streams_us < 3 * k->ops->opt.settings.heartbeat_us + KEEP_GHOST_US;
}

/* With what the source has said since the order came: an acknowledger that left a second ago must not be counted on. */
static void drain_asked(struct ops *ops, bool answered, struct admin_reply *reply)
{
    struct keep *k = ops->keep;
    struct snapshot s;
    if (snapshot_take(ops, &s) != 0) {
        admin_reply_error(reply, "out_of_memory", "out of memory", NULL);
        return;
    }
    if (nobody_waits(k, &s))
        stop_now(k, reply, json_pack("{s:b, s:b}", "stopping", 1, "acknowledging", s.ingest.semi_sync_active));
    else if (!answered || !s.mon_fresh || !s.mon.connected || !s.mon.have_variables)
        admin_reply_error(reply, "unknown_acknowledgers",
                          "it is not known now who else acknowledges the source; --force stops all the same", NULL);
    else if (s.mon.semi_sync.clients > s.mon.semi_sync.wait_count && may_count_a_ghost(k, &s))
        admin_reply_error(reply, "unknown_acknowledgers",
                          "this process connected a moment ago, and the source may still count its connection before: "
                          "ask again in some seconds; --force stops all the same",
                          NULL);
    else
        drain_by_view(k, &s.mon.semi_sync, reply);
    snapshot_release(&s);
}

void keep_drain(struct keep *k, bool force, struct admin_reply *reply)
{
    struct ingest_view iv;
    ingest_view(k->ops->ingest, &iv);
    if (force || fence_current(k->ops->fence))
        stop_now(k, reply, json_pack("{s:b, s:b}", "stopping", 1, "acknowledging", iv.semi_sync_active));
    else
        fresh_add(k->ops->fresh, drain_asked, reply);
}

/* ---- life ---- */

int keep_open(struct ops *ops, struct keep **ret, struct lt_err *err)
{
    struct keep *k = calloc(1, sizeof *k);
    if (k == NULL)
        return lt_err_set(err, LT_ENOMEM, "out of memory");
    k->ops = ops;
    atomic_init(&k->forbidden, fence_any(ops->fence));
    k->rules = ops->opt.retention;
    k->next_us = clock_mono_us() + KEEP_FIRST_US;
    int rc = worker_open(ops->opt.base, &k->worker, err);
    if (rc != 0) {
        free(k);
        return rc;
    }
    *ret = k;
    return LT_OK;
}

void keep_set_rules(struct keep *k, const struct ops_retention *rules)
{
    k->rules = *rules;
}

void keep_forbid(struct keep *k, bool forbidden)
{
    if (k != NULL)
        atomic_store(&k->forbidden, forbidden);
}

void keep_close(struct keep *k)
{
    if (k == NULL)
        return;
    worker_close(k->worker);
    free(k);
}
