/* - The source is asked anew, and it is judged by that. */
#include "ops/commands/drain.h"

#include <inttypes.h>
#include <stdio.h>

#include "ops/commands/fresh.h"
#include "ops/common/json_put.h"
#include "ops/fence/fence.h"
#include "ops/status/snapshot.h"

#define DRAIN_GHOST_US                                                                                                 \
    1000000u /* and three heartbeats: a source has noticed by then that a connection of ours is gone */

static void stop_now(struct ops *ops, struct admin_reply *reply, json_t *answer)
{
    struct ops_callbacks *cb = &ops->opt.callbacks;
    if (!admin_reply_in_time(reply)) {
        json_decref(answer);
        admin_reply_error(reply, "not_begun",
                          "the time of the order was over before the source had answered: not stopping", NULL);
        return;
    }
    admin_reply_send(reply, answer);
    if (cb->stop != NULL)
        cb->stop(cb->arg);
}

/* We are one of the clients; what is left must do. */
static void drain_by_view(struct ops *ops, const struct monitor_semi_sync *ss, struct admin_reply *reply)
{
    char text[300];
    json_t *counts =
        json_pack("{s:I, s:I}", "acknowledgers", (json_int_t)ss->clients, "wait_count", (json_int_t)ss->wait_count);
    if (ss->clients > ss->wait_count) {
        put(counts, "stopping", json_true());
        stop_now(ops, reply, counts);
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
static bool nobody_waits(const struct ops *ops, const struct snapshot *s)
{
    const struct monitor_semi_sync *ss = &s->mon.semi_sync;
    if (s->fenced)
        return true;
    if (s->ingest.semi_sync_active)
        return false;
    bool returns = s->ingest.state != INGEST_ERROR && s->ingest.state != INGEST_STOPPED;
    bool source_waits = s->mon_fresh && s->mon.connected && ss->supported && ss->enabled;
    return !(returns && source_waits && ops->opt.settings.semi_sync);
}

/* A source counts a connection of ours that has ended until it tries to send twice. Such a one is nobody who stays. */
static bool may_count_a_ghost(const struct ops *ops, const struct snapshot *s)
{
    uint64_t since_us = s->ingest.state_since_us;
    uint64_t streams_us = s->wall_us > since_us ? s->wall_us - since_us : 0;
    return s->ingest.state != INGEST_STREAMING || !s->ingest.semi_sync_active ||
           streams_us < 3 * ops->opt.settings.heartbeat_us + DRAIN_GHOST_US;
}

/* With what the source has said since the order came: an acknowledger that left a second ago must not be counted on. */
static void drain_asked(struct ops *ops, bool answered, struct admin_reply *reply)
{
    struct snapshot s;
    if (snapshot_take(ops, &s) != 0) {
        admin_reply_error(reply, "out_of_memory", "out of memory", NULL);
        return;
    }
    if (nobody_waits(ops, &s))
        stop_now(ops, reply, json_pack("{s:b, s:b}", "stopping", 1, "acknowledging", s.ingest.semi_sync_active));
    else if (!answered || !s.mon_fresh || !s.mon.connected || !s.mon.have_variables)
        admin_reply_error(reply, "unknown_acknowledgers",
                          "it is not known now who else acknowledges the source; --force stops all the same", NULL);
    else if (s.mon.semi_sync.clients > s.mon.semi_sync.wait_count && may_count_a_ghost(ops, &s))
        admin_reply_error(reply, "unknown_acknowledgers",
                          "this process connected a moment ago, and the source may still count its connection before: "
                          "ask again in some seconds; --force stops all the same",
                          NULL);
    else
        drain_by_view(ops, &s.mon.semi_sync, reply);
    snapshot_release(&s);
}

void drain_run(struct ops *ops, bool force, struct admin_reply *reply)
{
    struct ingest_view iv;
    ingest_view(ops->ingest, &iv);
    if (force || fence_current(ops->fence))
        stop_now(ops, reply, json_pack("{s:b, s:b}", "stopping", 1, "acknowledging", iv.semi_sync_active));
    else
        fresh_add(ops->fresh, drain_asked, reply);
}
