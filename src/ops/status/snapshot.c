#include "ops/status/snapshot.h"

#include <string.h>

#include "base/clock.h"
#include "ops/fence/fence.h"

static bool is_acknowledging(const struct snapshot *s)
{
    const struct ingest_view *iv = &s->ingest;
    if (s->fenced || iv->state != INGEST_STREAMING || !iv->semi_sync_active)
        return false;
    return s->mon_fresh ? s->mon.semi_sync.enabled : iv->source.semi_sync == SESSION_SEMI_SYNC_ON;
}

/* The thread hangs in a file call and cannot say that the watchdog shut its connection down. */
static void show_stalled(struct ingest_view *iv, uint64_t now_wall_us)
{
    iv->state = INGEST_CONNECTING;
    iv->connected = false;
    iv->semi_sync_active = false;
    if (!iv->last_error_current || iv->last_error.code != FAULT_DISK_STALLED)
        iv->last_error_at_us = now_wall_us;
    (void)fault_set(&iv->last_error, FAULT_DISK_STALLED,
                    "a file call hangs for longer than store.stall_disconnect; the source was disconnected");
    iv->last_error_current = true;
}

void snapshot_expected_source(const struct snapshot *s, char ret[STORE_SOURCE_ID_MAX + 1])
{
    const struct session_info *known = &s->ingest.source;
    bool renamed = known->own_id[0] != '\0' && strcmp(known->source_id, s->store.source_id) == 0;
    memcpy(ret, renamed ? known->own_id : s->store.source_id, STORE_SOURCE_ID_MAX + 1);
}

static void judge_lag(struct ops *ops, struct snapshot *s)
{
    const struct ingest_view *iv = &s->ingest;
    bool received = iv->received.file[0] != '\0';
    char expected[STORE_SOURCE_ID_MAX + 1];
    snapshot_expected_source(s, expected);
    struct lag_input in = {
        .now_us = s->now_us,
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
        .mon_fresh = s->mon_fresh && (expected[0] == '\0' || strcmp(expected, s->mon.source_id) == 0),
        .files = &ops->watch.files,
        .history = &ops->watch.history,
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
    uint64_t heard_us = ret->ingest.heard_us;
    ret->heard_age_us = ret->now_us > heard_us ? ret->now_us - heard_us : 0;
    uint64_t synced = store_stat_synced(ops->opt.store);
    uint64_t received = store_stat_received(ops->opt.store);
    ret->durable_lag = received > synced ? received - synced : 0;
    uint64_t since_us = store_stat_busy_since(ops->opt.store);
    ret->busy_us = since_us != 0 && ret->now_us > since_us ? ret->now_us - since_us : 0;
    if (ret->ingest.disk_stalled && ret->busy_us > 0)
        show_stalled(&ret->ingest, ret->wall_us - ret->busy_us);
    ret->acknowledging = is_acknowledging(ret);
    if (ops->serve != NULL && serve_view_get(ops->serve, &ret->consumers) != 0)
        memset(&ret->consumers, 0, sizeof ret->consumers); /* out of memory */
    if (ops->replicas != NULL) {
        replicas_view_get(ops->replicas, &ret->replicas);
        ret->replicas_max_lag = ret->replicas.streaming > 0 ? replicas_max_lag(ops->replicas) : 0;
    }
    judge_lag(ops, ret);
    return LT_OK;
}

void snapshot_release(struct snapshot *s)
{
    store_view_fini(&s->store);
    monitor_view_fini(&s->mon);
}
