/*
 * purge, and the life of what keeps segments (the rounds of retention: keep_round.c).
 *
 * - Nothing is removed while the followed source is fenced, or since a repoint does not yet cover what was held: the log may be the only copy of
 *   what a candidate still lacks. Never what a named consumer needs. Both are asked on the loop's thread, before the job; a fence that comes while a
 *   job runs stops it at the next file.
 */
#include "ops/retention/keep.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "ops/admin/admin.h"
#include "ops/fence/fence.h"
#include "ops/retention/keep_internal.h"
#include "store/reader.h"

/* ---- purge ---- */

struct purge_job {
    struct keep_order order;
    struct store_place keep_from;
    bool dry_run;
    struct store_purged purged;
};

static void run_purge(struct worker_job *job)
{
    struct purge_job *p = (struct purge_job *)job;
    struct store_purge_options opt = {.keep = p->keep_from, .dry_run = p->dry_run, .cancel = &p->order.keep->forbidden};
    p->order.rc = store_purge(p->order.keep->ops->opt.store, &opt, &p->purged, &p->order.err);
}

static json_t *describe_purged(const struct purge_job *p)
{
    const struct store_purged *d = &p->purged;
    bool any = d->segments > 0;
    return json_pack("{s:b, s:I, s:I, s:s?, s:s?, s:o}", "dry_run", p->dry_run, "segments", (json_int_t)d->segments,
                     "bytes", (json_int_t)d->bytes, "first", any ? d->first.file : NULL, "last",
                     any ? d->last.file : NULL, "cut_off", keep_cut_off(p->order.keep->ops, d));
}

static void answer_purge(struct keep_order *o)
{
    const struct purge_job *p = (const struct purge_job *)o;
    if (o->rc == 0) {
        admin_reply_send(o->reply, describe_purged(p));
        return;
    }
    const char *code = o->rc == LT_EINVAL ? "last_segments"
                       : o->rc == LT_ESTOPPED
                           ? (fence_holds(o->keep->ops->fence) == FENCE_HOLDS_UNCOVERED ? "not_covered" : "fenced")
                           : admin_error_code(o->rc);
    admin_reply_error(o->reply, code, o->err.text, describe_purged(p));
}

static void purge_done(struct worker_job *job)
{
    const struct purge_job *p = (struct purge_job *)job;
    if (!p->dry_run && p->purged.segments > 0)
        log_notice("store", "purged %" PRIu64 " segments, up to %s", p->purged.segments, p->purged.last.file);
    if (!p->dry_run)
        keep_log_cut_off(p->order.keep->ops, &p->purged);
    keep_order_done((struct keep_order *)job, answer_purge);
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
    char name[NEEDED_BY_MAX + 1];
    struct store_place needed = keep_needed(k->ops, name);
    struct store_place from = {0};
    char text[600];
    enum fence_holds holds = fence_holds(k->ops->fence);
    if (holds != FENCE_HOLDS_NOTHING) {
        admin_reply_error(reply, holds == FENCE_HOLDS_FENCED ? "fenced" : "not_covered",
                          holds == FENCE_HOLDS_FENCED
                              ? "the source that is followed is fenced: nothing is removed until it is released, or "
                                "another one is followed"
                              : "since the repoint the new source's stream does not yet cover what was held before: "
                                "nothing is removed until it does",
                          NULL);
        return;
    }
    if (!find_place(k->ops->opt.store, file, &from)) {
        admin_reply_error(reply, "not_found", "there is no such segment; segments lists them", NULL);
        return;
    }
    if (needed.lineage != 0 && store_place_compare(&from, &needed) > 0) {
        (void)snprintf(text, sizeof text, "the %s still needs %.255s of lineage %u", name, needed.file, needed.lineage);
        admin_reply_error(reply, "needed", text, NULL);
        return;
    }
    struct purge_job *p = calloc(1, sizeof *p);
    if (p == NULL) {
        admin_reply_error(reply, "out_of_memory", "out of memory", NULL);
        return;
    }
    p->order.job = (struct worker_job){.run = run_purge, .done = purge_done};
    p->keep_from = from;
    p->dry_run = dry_run;
    keep_order_submit(k, &p->order, "purge", reply);
}

/* ---- life ---- */

int keep_open(struct ops *ops, struct keep **ret, struct lt_err *err)
{
    struct keep *k = calloc(1, sizeof *k);
    if (k == NULL)
        return lt_err_set(err, LT_ENOMEM, "out of memory");
    k->ops = ops;
    atomic_init(&k->forbidden, fence_holds(ops->fence) != FENCE_HOLDS_NOTHING);
    k->rules = ops->opt.retention;
    k->next_us = clock_mono_us() + KEEP_FIRST_US;
    keep_load_ages(k);
    int rc = worker_open(ops->opt.base, &k->worker, err);
    if (rc != 0) {
        age_fini(&k->ages);
        free(k);
        return rc;
    }
    ops->forbid_removal = keep_forbid;
    *ret = k;
    return LT_OK;
}

void keep_set_rules(struct keep *k, const struct ops_retention *rules)
{
    k->rules = *rules;
    keep_soon(k);
}

void keep_forbid(struct keep *k, bool forbidden)
{
    if (k != NULL && atomic_exchange(&k->forbidden, forbidden) != forbidden)
        keep_soon(k); /* what is held back, and why, changes now */
}

void keep_soon(struct keep *k)
{
    uint64_t soon = clock_mono_us() + KEEP_FIRST_US;
    if (k->next_us > soon)
        k->next_us = soon;
}

void keep_held(const struct keep *k, struct keep_held *ret)
{
    *ret = (struct keep_held){0};
    if (k != NULL)
        *ret = k->held;
}

void keep_close(struct keep *k)
{
    if (k == NULL)
        return;
    worker_close(k->worker);
    age_fini(&k->ages);
    free(k);
}
