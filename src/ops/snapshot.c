#include "ops/snapshot.h"

#include <string.h>

#include "base/clock.h"
#include "ops/fence.h"
#include "ops/ops_internal.h"

static bool is_acknowledging(const struct snapshot *s)
{
    const struct ingest_view *iv = &s->ingest;
    if (s->fenced || iv->state != INGEST_STREAMING || !iv->semi_sync_active)
        return false;
    return s->mon_fresh ? s->mon.semi_sync.enabled : iv->source.semi_sync == SESSION_SEMI_SYNC_ON;
}

static void judge_lag(struct ops *ops, struct snapshot *s)
{
    const struct ingest_view *iv = &s->ingest;
    bool received = iv->received.file[0] != '\0';
    struct lag_input in = {
        .wall_us = s->wall_us,
        .connected = iv->connected && iv->state == INGEST_STREAMING,
        .idle = iv->source_idle,
        .zombie = ops->watch.alarms.list[ALARM_ZOMBIE].raised,
        .heard_age_us = s->heard_age_us,
        .heartbeat_us = ops->opt.settings.heartbeat_us,
        .last_event_s = iv->last_event_s,
        .clock_offset_us = iv->source.clock_offset_us,
        .file = received ? iv->received.file : s->store.file,
        .offset = received ? iv->received.offset : s->store.durable,
        .durable = &s->store.gtid_held,
        .here = &s->store.gtid_executed,
        .mon = &s->mon,
        .mon_fresh =
            s->mon_fresh && (s->store.source_id[0] == '\0' || strcmp(s->store.source_id, s->mon.source_id) == 0),
        .files = &ops->watch.files,
    };
    lag_judge(&in, &s->lag);
}

int snapshot_take(struct ops *ops, struct snapshot *ret)
{
    memset(ret, 0, sizeof *ret);
    if (store_view_get(ops->opt.store, &ret->store) != 0)
        return LT_ENOMEM;
    if (monitor_view_get(ops->watch.monitor, &ret->mon) != 0) {
        store_view_fini(&ret->store);
        return LT_ENOMEM;
    }
    ingest_view(ops->ingest, &ret->ingest);
    ret->now_us = clock_mono_us();
    ret->wall_us = clock_wall_us();
    ret->mon_fresh = monitor_view_fresh(&ret->mon, ret->now_us);
    ret->fenced = fence_current(ops->fence);
    ret->acknowledging = is_acknowledging(ret);
    uint64_t heard_us = ret->ingest.heard_us;
    ret->heard_age_us = ret->wall_us > heard_us ? ret->wall_us - heard_us : 0;
    uint64_t synced = store_stat_synced(ops->opt.store);
    uint64_t received = store_stat_received(ops->opt.store);
    ret->durable_lag = received > synced ? received - synced : 0;
    uint64_t since_us = store_stat_sync_since(ops->opt.store);
    ret->sync_running_us = since_us != 0 && ret->now_us > since_us ? ret->now_us - since_us : 0;
    if (ops->serve != NULL && serve_view_get(ops->serve, &ret->consumers) != 0)
        memset(&ret->consumers, 0, sizeof ret->consumers); /* out of memory */
    judge_lag(ops, ret);
    return LT_OK;
}

void snapshot_release(struct snapshot *s)
{
    store_view_fini(&s->store);
    monitor_view_fini(&s->mon);
}
