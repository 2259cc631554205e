/*
 * Every figure comes from one snapshot; the parts of it are consistent in themselves.
 * Not known is null, never 0: a lag that nobody measured must not look like none.
 */
#include "ops/status/status.h"
#include "ops/fence/fence.h"

#include <stdlib.h>

#include "ops/status/status_internal.h"
#include "store/reader.h"

/* What is held, not what the present lineage has: after a repoint that one is empty at first. */
static json_t *durable(const struct ops *ops, const struct store_view *sv)
{
    json_t *o = file_offset(sv->held.file, sv->held.offset);
    if (json_is_object(o)) {
        put(o, "lineage", count(sv->held.lineage));
        put(o, "gtid_executed", gtids(&sv->gtid_held));
        put(o, "covered", json_boolean(fence_covered(ops->fence, sv)));
    }
    return o;
}

static const char *storage_state(uint64_t busy_us)
{
    if (busy_us >= ALARM_SYNC_SLOW_US)
        return "slow";
    return busy_us >= ALARM_SYNC_DELAY_US ? "delayed" : "ok";
}

static json_t *store_part(const struct ops *ops, const struct snapshot *s)
{
    uint64_t free_bytes = 0;
    bool known = disk_probe_get(ops->watch.disk, &free_bytes);
    json_t *o = json_object();
    put(o, "dir", text_or_null(ops->opt.settings.store_dir));
    put(o, "lineage", count(s->store.lineage));
    put(o, "source_id", text_or_null(s->store.source_id));
    put(o, "segments", count(s->store.segments));
    put(o, "bytes", count(s->store.bytes));
    put(o, "aborted_transactions", count(s->store.aborted));
    put(o, "free_bytes", known ? count(free_bytes) : json_null());
    put(o, "state", json_string(storage_state(s->busy_us)));
    put(o, "sync_running_ms", count(s->busy_us / 1000));
    return o;
}

static json_t *consumers_memory(const struct snapshot *s)
{
    json_t *o = json_object();
    put(o, "bytes", count(s->consumers.memory_bytes));
    put(o, "limit_bytes", count(s->consumers.memory_limit));
    put(o, "shed", count(s->consumers.shed));
    return o;
}

static json_t *consumer_names(const struct snapshot *s)
{
    json_t *o = json_object();
    put(o, "count", count(s->consumers.names));
    put(o, "forgotten", count(s->consumers.forgotten));
    return o;
}

static json_t *replicas_part(const struct ops *ops, const struct snapshot *s)
{
    const struct replicas_view *v = &s->replicas;
    json_t *o = json_object();
    put(o, "served", json_boolean(ops->replicas != NULL));
    put(o, "connected", count(v->connected));
    put(o, "streaming", count(v->streaming));
    put(o, "max_lag_bytes", count(s->replicas_max_lag));
    put(o, "accepted", count(v->accepted));
    put(o, "refused", count(v->refused));
    put(o, "denied", count(v->denied));
    put(o, "slow_closed", count(v->slow_closed));
    put(o, "sent_bytes", count(v->sent_bytes));
    return o;
}

static void fill_status(json_t *o, const struct ops *ops, const struct snapshot *s)
{
    const struct ingest_view *iv = &s->ingest;
    /* A fence holds from its answer on, also while the ingest thread hangs in a sync. */
    put(o, "state", json_string(ingest_state_name(s->fenced ? INGEST_FENCED : iv->state)));
    put(o, "state_since", wall_time(iv->state_since_us));
    put(o, "started", wall_time(ops->started_us));
    put(o, "server_id", iv->identity.server_id != 0 ? count(iv->identity.server_id) : json_null());
    put(o, "last_error", status_last_error(s));
    put(o, "source", status_source(ops, s));
    put(o, "monitor", status_monitor(s));
    put(o, "received", file_offset(iv->received.file, iv->received.offset));
    put(o, "durable", durable(ops, &s->store));
    put(o, "acked", file_offset(iv->acked.file, iv->acked.offset));
    put(o, "lag", status_lag(s));
    json_t *acks = histogram(ingest_ack_us(ops->ingest), "measured");
    put(acks, "sent", count(iv->acks_sent));
    put(acks, "requested", count(iv->acks_requested));
    put(acks, "boundary_mismatches", count(iv->boundary_mismatches));
    put(o, "acks", acks);
    put(o, "syncs", histogram(store_stat_sync_us(ops->opt.store), "count"));
    put(o, "consumers", count(s->consumers.connected));
    put(o, "consumers_memory", consumers_memory(s));
    put(o, "consumer_names", consumer_names(s));
    put(o, "replicas", replicas_part(ops, s));
    put(o, "store", store_part(ops, s));
    put(o, "fence", fence_status(ops->fence));
    put(o, "failover_safe", status_failover_safe(ops, s));
    put(o, "protection", status_protection(ops));
    put(o, "warnings", status_warnings(ops));
}

int status_answer(struct ops *ops, json_t **ret_answer)
{
    struct snapshot s;
    if (snapshot_take(ops, &s) != 0)
        return LT_ENOMEM;
    json_t *o = json_object();
    if (o != NULL)
        fill_status(o, ops, &s);
    snapshot_release(&s);
    *ret_answer = o;
    return o ? LT_OK : LT_ENOMEM;
}

int segments_answer(const struct ops *ops, json_t **ret_answer)
{
    struct store_segment_info *list = NULL;
    size_t n = 0;
    if (store_list(ops->opt.store, &list, &n) != 0)
        return LT_ENOMEM;
    json_t *segments = json_array();
    for (size_t i = 0; i < n; i++) {
        json_t *o = json_object();
        put(o, "lineage", count(list[i].lineage));
        put(o, "source_id", json_string(list[i].source_id));
        put(o, "file", json_string(list[i].file));
        put(o, "bytes", count(list[i].bytes));
        put(o, "sealed", json_boolean(list[i].sealed));
        put(o, "aborted_tail", json_boolean(list[i].aborted_tail));
        put_item(segments, o);
    }
    free(list);
    *ret_answer = json_object();
    if (*ret_answer == NULL) {
        json_decref(segments);
        return LT_ENOMEM;
    }
    put(*ret_answer, "segments", segments);
    return LT_OK;
}
